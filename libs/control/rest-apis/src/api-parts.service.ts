import {
  applyChanges,
  authorizerPatchRules,
  badRequest,
  checkAuthorizer,
  checkAuthorizerCount,
  checkAuthorizerName,
  checkAuthorizerUnused,
  checkDocumentationPart,
  checkGatewayResponse,
  checkModel,
  checkModelSchema,
  checkModelUnused,
  checkNewPart,
  checkReferences,
  checkRequestValidatorUnused,
  checkResponseType,
  conflict,
  customisable,
  documentationPartPatchRules,
  documentationVersionExists,
  documentationVersionPatchRules,
  GATEWAY_RESPONSE_TYPES,
  gatewayResponsePatchRules,
  hasReferences,
  isSameLocation,
  modelPatchRules,
  newAuthorizer,
  newDocumentationPart,
  newDocumentationVersion,
  newGatewayResponse,
  newModel,
  newRequestValidator,
  readPatch,
  refersToModels,
  requestValidatorPatchRules,
  shownGatewayResponse,
  uncustomisedGatewayResponse,
  unknownAuthorizer,
  unknownDocumentationPart,
  unknownDocumentationVersion,
  unknownModel,
  unknownRequestValidator,
  type ApiPart,
  type ApiPartKey,
  type ApiPartRepository,
  type Authorizer,
  type AuthorizerRequest,
  type DocumentationLocation,
  type DocumentationPart,
  type DocumentationVersion,
  type GatewayResponse,
  type GatewayResponseRequest,
  type LocationRequest,
  type Method,
  type Model,
  type ModelRequest,
  type Page,
  type PageRequest,
  type PatchOperation,
  type PatchRules,
  type RequestValidator,
  type RequestValidatorRequest,
  type ShownGatewayResponse,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { findApi, freshId, lockApi, PART_ID_CHARS } from './rest-apis.service.js';

/** How parts of one kind differ from the others. */
interface Kind<E extends ApiPart> {
  readonly repository: (tx: TenantRepositories) => ApiPartRepository<E>;
  readonly unknown: (id: string) => Error;
  readonly patchRules: PatchRules<E>;
  /** Judges what a patch made. */
  readonly check: (part: E, tx: TenantRepositories) => E | Promise<E>;
  /** Throws Conflict while something of the API uses it. */
  readonly checkUnused?: (part: E, tx: TenantRepositories) => Promise<void>;
}

/**
 * Parts of one kind, read and changed. Every change holds the API, so what is found out about its methods and other parts stays true
 * until it is written.
 */
export class ApiParts<E extends ApiPart> {
  constructor(
    private readonly store: TenantStore,
    private readonly kind: Kind<E>,
  ) {}

  /** Throws NotFound for the API, then for the part. */
  find(tenant: TenantId, key: ApiPartKey): Promise<E> {
    return this.store.transact(tenant, (tx) => this.#found(tx, key));
  }

  page(tenant: TenantId, apiId: string, request: PageRequest): Promise<Page<E>> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      return this.kind.repository(tx).page(apiId, request);
    });
  }

  all(tenant: TenantId, apiId: string): Promise<E[]> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      return this.kind.repository(tx).ofApi(apiId);
    });
  }

  update(tenant: TenantId, key: ApiPartKey, operations: readonly PatchOperation[] | undefined): Promise<E> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, key.apiId);
      const part = await this.#found(tx, key);
      const changed = await this.kind.check(applyChanges(part, readPatch(operations, this.kind.patchRules)), tx);
      await this.kind.repository(tx).replace(changed);
      return changed;
    });
  }

  remove(tenant: TenantId, key: ApiPartKey): Promise<void> {
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, key.apiId);
      await this.kind.checkUnused?.(await this.#found(tx, key), tx);
      await this.kind.repository(tx).remove(key);
    });
  }

  async #found(tx: TenantRepositories, key: ApiPartKey): Promise<E> {
    const part = await this.kind.repository(tx).find(key);
    if (part !== null) return part;
    await findApi(tx, key.apiId);
    throw this.kind.unknown(key.id);
  }
}

export class Models extends ApiParts<Model> {
  constructor(
    private readonly tenants: TenantStore,
    private readonly ids: IdSource,
  ) {
    super(tenants, {
      repository: (tx) => tx.models,
      unknown: unknownModel,
      patchRules: modelPatchRules,
      check: async (model, tx) => checkSchema(checkModel(model, await tx.quotas.read()), tx),
      checkUnused: async (model, tx) =>
        checkModelUnused(
          model,
          await tx.models.ofApi(model.apiId),
          await tx.methods.ofApi(model.apiId),
          await tx.resources.ofApi(model.apiId),
        ),
    });
  }

  create(tenant: TenantId, apiId: string, request: ModelRequest): Promise<Model> {
    return this.tenants.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const model = newModel(apiId, this.ids.id(PART_ID_CHARS), request, await tx.quotas.read());
      if ((await tx.models.find(model)) !== null) throw conflict('Model name already exists for this REST API');
      await checkSchema(model, tx);
      await tx.models.insert(model);
      return model;
    });
  }
}

/** The model itself is among those it may refer to, in the form it is to have. */
async function checkSchema(model: Model, tx: TenantRepositories): Promise<Model> {
  const others = refersToModels(model) ? await tx.models.ofApi(model.apiId) : [];
  checkModelSchema(model, [...others, model]);
  return model;
}

export class RequestValidators extends ApiParts<RequestValidator> {
  constructor(
    private readonly tenants: TenantStore,
    private readonly ids: IdSource,
  ) {
    super(tenants, {
      repository: (tx) => tx.requestValidators,
      unknown: unknownRequestValidator,
      patchRules: requestValidatorPatchRules,
      check: (validator) => validator,
      checkUnused: async (validator, tx) =>
        checkRequestValidatorUnused(
          validator,
          await tx.methods.ofApi(validator.apiId),
          await tx.resources.ofApi(validator.apiId),
        ),
    });
  }

  create(tenant: TenantId, apiId: string, request: RequestValidatorRequest): Promise<RequestValidator> {
    return this.tenants.transact(tenant, async (tx) => {
      if ((await tx.restApis.lock(apiId)) === null) throw badRequest('Invalid REST API identifier specified');
      const validator = newRequestValidator(apiId, await freshPartId(this.ids, tx.requestValidators, apiId), request);
      await tx.requestValidators.insert(validator);
      return validator;
    });
  }
}

export class Authorizers extends ApiParts<Authorizer> {
  constructor(
    private readonly tenants: TenantStore,
    private readonly ids: IdSource,
  ) {
    super(tenants, {
      repository: (tx) => tx.authorizers,
      unknown: unknownAuthorizer,
      patchRules: authorizerPatchRules,
      check: async (authorizer, tx) => {
        checkAuthorizerName(authorizer, await tx.authorizers.ofApi(authorizer.apiId));
        return checkAuthorizer(authorizer);
      },
      checkUnused: async (authorizer, tx) =>
        checkAuthorizerUnused(authorizer, await tx.methods.ofApi(authorizer.apiId), await tx.resources.ofApi(authorizer.apiId)),
    });
  }

  create(tenant: TenantId, apiId: string, request: AuthorizerRequest): Promise<Authorizer> {
    return this.tenants.transact(tenant, async (tx) => {
      if ((await tx.restApis.lock(apiId)) === null) {
        // What AWS says of an API that is not there, to this operation alone.
        throw conflict('Unable to complete operation due to concurrent modification. Please try again later.');
      }
      const others = await tx.authorizers.ofApi(apiId);
      const authorizer = newAuthorizer(apiId, await freshPartId(this.ids, tx.authorizers, apiId), request);
      checkAuthorizerName(authorizer, others);
      checkAuthorizerCount(others.length, await tx.quotas.read());
      await tx.authorizers.insert(authorizer);
      return authorizer;
    });
  }
}

/** Every API has all types; stored are those that were customised. */
export class GatewayResponses {
  constructor(private readonly store: TenantStore) {}

  put(tenant: TenantId, apiId: string, type: string, request: GatewayResponseRequest): Promise<ShownGatewayResponse> {
    return this.#change(tenant, apiId, type, () => newGatewayResponse(apiId, type, request));
  }

  update(
    tenant: TenantId,
    apiId: string,
    type: string,
    operations: readonly PatchOperation[] | undefined,
  ): Promise<ShownGatewayResponse> {
    const changes = readPatch(operations, gatewayResponsePatchRules);
    return this.#change(tenant, apiId, type, (customised) =>
      checkGatewayResponse(applyChanges(customisable(apiId, type, customised), changes)),
    );
  }

  find(tenant: TenantId, apiId: string, type: string): Promise<ShownGatewayResponse> {
    checkResponseType(type);
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      return shownGatewayResponse(type, await tx.gatewayResponses.ofApi(apiId));
    });
  }

  page(tenant: TenantId, apiId: string, { after, limit }: PageRequest): Promise<Page<ShownGatewayResponse>> {
    return this.store.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const customised = await tx.gatewayResponses.ofApi(apiId);
      const rest = GATEWAY_RESPONSE_TYPES.filter((type) => after === null || type > after);
      const types = rest.slice(0, limit);
      const next = rest.length > limit ? types.at(-1)! : null;
      return { items: types.map((type) => shownGatewayResponse(type, customised)), next };
    });
  }

  /** Back to the default. Throws NotFound when it is that already. */
  remove(tenant: TenantId, apiId: string, type: string): Promise<void> {
    checkResponseType(type);
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      if (!(await tx.gatewayResponses.remove({ apiId, id: type }))) throw uncustomisedGatewayResponse();
    });
  }

  #change(
    tenant: TenantId,
    apiId: string,
    type: string,
    make: (customised: readonly GatewayResponse[]) => GatewayResponse,
  ): Promise<ShownGatewayResponse> {
    checkResponseType(type);
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const customised = await tx.gatewayResponses.ofApi(apiId);
      const response = make(customised);
      await (customised.some(({ id }) => id === type)
        ? tx.gatewayResponses.replace(response)
        : tx.gatewayResponses.insert(response));
      return shownGatewayResponse(type, [...customised.filter(({ id }) => id !== type), response]);
    });
  }
}

export class DocumentationParts extends ApiParts<DocumentationPart> {
  constructor(
    private readonly tenants: TenantStore,
    private readonly ids: IdSource,
  ) {
    super(tenants, {
      repository: (tx) => tx.documentationParts,
      unknown: unknownDocumentationPart,
      patchRules: documentationPartPatchRules,
      check: checkDocumentationPart,
    });
  }

  create(tenant: TenantId, apiId: string, location: LocationRequest, properties: string): Promise<DocumentationPart> {
    return this.tenants.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const part = newDocumentationPart(apiId, await freshPartId(this.ids, tx.documentationParts, apiId), location, properties);
      checkNewPart(part, await tx.documentationParts.ofApi(apiId), await tx.quotas.read());
      await tx.documentationParts.insert(part);
      return part;
    });
  }

  /** By id; UNDOCUMENTED: what of the API has no part, as parts without id and text. */
  matching(
    tenant: TenantId,
    apiId: string,
    { type, path, nameQuery, locationStatus }: DocumentationFilter,
    { after, limit }: PageRequest,
  ): Promise<Page<DocumentationPart>> {
    return this.tenants.transact(tenant, async (tx) => {
      await findApi(tx, apiId);
      const documented = await tx.documentationParts.ofApi(apiId);
      const all = locationStatus === 'UNDOCUMENTED' ? await undocumented(tx, apiId, documented) : documented;
      const wanted = all.filter(
        ({ location }) =>
          (type === undefined || location.type === type) &&
          (path === undefined || (location.path ?? '/') === path) &&
          (nameQuery === undefined || (location.name ?? '').includes(nameQuery)),
      );
      const rest = wanted.filter((part) => after === null || positionOf(part) > after);
      const items = rest.slice(0, limit);
      return { items, next: rest.length > limit ? positionOf(items.at(-1)!) : null };
    });
  }
}

const positionOf = ({ id, location }: DocumentationPart): string => (id === '' ? JSON.stringify(location) : id);

/** Of the API itself, its authorizers, models, resources and methods. */
async function undocumented(
  tx: TenantRepositories,
  apiId: string,
  documented: readonly DocumentationPart[],
): Promise<DocumentationPart[]> {
  const resources = await tx.resources.ofApi(apiId);
  const paths = new Map(resources.map(({ id, path }) => [id, path]));
  const none = { path: null, method: null, statusCode: null, name: null };
  const locations: DocumentationLocation[] = [
    { ...none, type: 'API' },
    ...(await tx.authorizers.ofApi(apiId)).map(({ name }) => ({ ...none, type: 'AUTHORIZER' as const, name })),
    ...(await tx.models.ofApi(apiId)).map(({ id }) => ({ ...none, type: 'MODEL' as const, name: id })),
    ...resources.map(({ path }) => ({ ...none, type: 'RESOURCE' as const, path })),
    ...(await tx.methods.ofApi(apiId)).map(({ resourceId, httpMethod }) => ({
      ...none,
      type: 'METHOD' as const,
      path: paths.get(resourceId)!,
      method: httpMethod,
    })),
  ];
  return locations
    .filter((location) => !documented.some((part) => isSameLocation(part.location, location)))
    .map((location) => ({ apiId, id: '', location, properties: '' }))
    .sort((a, b) => (positionOf(a) < positionOf(b) ? -1 : 1));
}

/** Of GetDocumentationParts. */
export interface DocumentationFilter {
  readonly type?: string | undefined;
  readonly path?: string | undefined;
  readonly nameQuery?: string | undefined;
  readonly locationStatus?: string | undefined;
}

export class DocumentationVersions extends ApiParts<DocumentationVersion> {
  constructor(
    private readonly tenants: TenantStore,
    private readonly clock: Clock,
  ) {
    super(tenants, {
      repository: (tx) => tx.documentationVersions,
      unknown: unknownDocumentationVersion,
      patchRules: documentationVersionPatchRules,
      check: (version) => version,
    });
  }

  /** Keeps the parts as they are now; with a stage name, the stage names the version from then on. */
  create(
    tenant: TenantId,
    apiId: string,
    request: { readonly version: string; readonly description?: string | undefined; readonly stageName?: string | undefined },
  ): Promise<DocumentationVersion> {
    return this.tenants.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const parts = await tx.documentationParts.ofApi(apiId);
      const version = newDocumentationVersion(apiId, request.version, request.description, this.clock.nowMs(), parts);
      if ((await tx.documentationVersions.find(version)) !== null) throw documentationVersionExists(version.id);
      await tx.documentationVersions.insert(version);
      if (request.stageName !== undefined && request.stageName !== '') await nameOnStage(tx, version, request.stageName);
      return version;
    });
  }
}

async function nameOnStage(
  tx: TenantRepositories,
  { apiId, id, createdAtMs }: DocumentationVersion,
  stageName: string,
): Promise<void> {
  const stage = await tx.stages.lock({ apiId, stageName });
  if (stage === null) throw badRequest('Invalid stage identifier specified');
  await tx.stages.replace({ ...stage, documentationVersion: id, lastUpdatedAtMs: createdAtMs });
}

/** The method, if all that it refers to is there. Throws BadRequest. */
export async function withKnownReferences(tx: TenantRepositories, method: Method): Promise<Method> {
  if (!hasReferences(method)) return method;
  const { apiId } = method;
  return checkReferences(method, {
    models: new Set((await tx.models.ofApi(apiId)).map(({ id }) => id)),
    requestValidators: new Set((await tx.requestValidators.ofApi(apiId)).map(({ id }) => id)),
    authorizers: new Map((await tx.authorizers.ofApi(apiId)).map(({ id, type }) => [id, type])),
  });
}

async function freshPartId(ids: IdSource, repository: ApiPartRepository<ApiPart>, apiId: string): Promise<string> {
  return freshId(ids, new Set((await repository.ofApi(apiId)).map(({ id }) => id)));
}
