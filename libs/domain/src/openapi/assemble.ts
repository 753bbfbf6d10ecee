/**
 * A document's API beside what is there already. Every part goes through the functions of the single operations, so an import can make
 * nothing they would refuse; all that is refused is said at once. Pure: what comes out is written, or nothing is.
 *
 *   merge       what the document has replaces what has the same name; a method as a whole
 *   overwrite   what the document does not have goes, and what it has keeps the id it had
 */
import { checkAuthorizerCount, checkAuthorizerName, newAuthorizer, type Authorizer } from '../api-parts/authorizer.js';
import { checkPartCount, type DocumentationPart, locationKey, newDocumentationPart } from '../api-parts/documentation.js';
import { type GatewayResponse, newGatewayResponse } from '../api-parts/gateway-response.js';
import { areAllSchemas, boundedModelSource, checkModelSchema, type Model, newModel } from '../api-parts/model.js';
import { checkReferences, type KnownParts } from '../api-parts/references.js';
import { newRequestValidator, type RequestValidator } from '../api-parts/request-validator.js';
import { ApiError, badRequest } from '../errors.js';
import { putIntegration, putIntegrationResponse } from '../rest-apis/integration-rules.js';
import { addMethodResponse, newMethod } from '../rest-apis/method-rules.js';
import type { Quotas } from '../tenancy/quotas.js';
import type { Method, Resource } from '../rest-apis/rest-api.js';
import { checkResourceCount, ResourceTree } from '../routing/resource-tree.js';
import type { ApiDocument, DocumentationEntry, MethodEntry } from './api-document.js';
import { partsOf } from './base-path.js';

export type ImportMode = 'merge' | 'overwrite';

/** All of an API's working copy but the API itself. */
export interface ApiState {
  readonly resources: readonly Resource[];
  readonly methods: readonly Method[];
  readonly models: readonly Model[];
  readonly requestValidators: readonly RequestValidator[];
  readonly authorizers: readonly Authorizer[];
  readonly gatewayResponses: readonly GatewayResponse[];
  readonly documentationParts: readonly DocumentationPart[];
}

export interface AssembleOptions {
  readonly mode: ImportMode;
  readonly ignoresDocumentation: boolean;
  readonly quotas: Quotas;
  /** An id of the form resources and parts have; it may be taken. */
  readonly newId: () => string;
}

/** `warnings` are of what was left out. */
export interface Assembled {
  readonly state: ApiState;
  readonly warnings: readonly string[];
}

/** Throws BadRequest with everything that was refused, or LimitExceeded for the first quota that does not suffice. */
export function assemble(document: ApiDocument, present: ApiState, options: AssembleOptions): Assembled {
  return new Assembly(document, present, options).run();
}

class Assembly {
  readonly #refusals: Refusals;
  readonly #warnings: string[];
  readonly #apiId: string;
  /** What stays of the present state whatever the document says. */
  readonly #kept: ApiState;
  readonly #takenIds: Set<string>;

  constructor(
    private readonly document: ApiDocument,
    private readonly present: ApiState,
    private readonly options: AssembleOptions,
  ) {
    const root = present.resources.filter(({ parentId }) => parentId === null);
    this.#apiId = root[0]!.apiId;
    this.#refusals = new Refusals(document.errors);
    this.#warnings = [...document.warnings];
    const { documentationParts } = present;
    this.#kept = options.mode === 'merge' ? present : { ...NO_API_STATE, resources: root, documentationParts };
    this.#takenIds = new Set([present.resources, ...partLists(present)].flat().map(({ id }) => id));
  }

  run(): Assembled {
    const models = this.#models();
    const requestValidators = this.#requestValidators();
    const authorizers = this.#authorizers();
    const gatewayResponses = this.#gatewayResponses();
    const tree = this.#tree({
      models: new Set(models.map(({ id }) => id)),
      requestValidators: new Set(requestValidators.map(({ id }) => id)),
      authorizers: new Map(authorizers.map(({ id, type }) => [id, type])),
      authorizerIds: idsByName(authorizers),
      requestValidatorIds: idsByName(requestValidators),
    });
    const documentationParts = this.#documentationParts();
    this.#refusals.throwAny();
    const state = { ...tree, models, requestValidators, authorizers, gatewayResponses, documentationParts };
    return { state, warnings: shortened(this.#warnings) };
  }

  #freshId(): string {
    for (;;) {
      const id = this.options.newId();
      if (this.#takenIds.has(id)) continue;
      this.#takenIds.add(id);
      return id;
    }
  }

  #models(): Model[] {
    const models = new Map(this.#kept.models.map((model) => [model.id, model]));
    const modelIds = new Map(this.present.models.map(({ id, modelId }) => [id, modelId]));
    const imported: Model[] = [];
    for (const request of this.document.models) {
      const modelId = modelIds.get(request.name) ?? this.#freshId();
      const model = this.#refusals.attempt(`Unable to create model '${request.name}'`, () =>
        newModel(this.#apiId, modelId, request, this.options.quotas),
      );
      if (model === null) continue;
      models.set(model.id, model);
      imported.push(model);
    }
    this.#checkSchemas(imported, [...models.values()]);
    return [...models.values()];
  }

  /** Models may refer to one another in any order, so none is looked at before all are there. */
  #checkSchemas(imported: readonly Model[], models: readonly Model[]): void {
    if (areAllSchemas(this.#apiId, imported, models)) return;
    const source = boundedModelSource(this.#apiId, models);
    for (const model of imported)
      this.#refusals.attempt(`Unable to create model '${model.id}'`, () => checkModelSchema(model, models, source));
  }

  #requestValidators(): RequestValidator[] {
    const validators = new Map(this.#kept.requestValidators.map((validator) => [validator.id, validator]));
    const ids = idsByName(this.present.requestValidators);
    for (const request of this.document.requestValidators) {
      const id = ids.get(request.name) ?? this.#freshId();
      const validator = this.#refusals.attempt(`Unable to create request validator '${request.name}'`, () =>
        newRequestValidator(this.#apiId, id, request),
      );
      if (validator !== null) validators.set(id, validator);
    }
    return [...validators.values()];
  }

  #authorizers(): Authorizer[] {
    const authorizers = new Map(this.#kept.authorizers.map((authorizer) => [authorizer.id, authorizer]));
    const ids = idsByName(this.present.authorizers);
    for (const request of this.document.authorizers) {
      const id = ids.get(request.name) ?? this.#freshId();
      const authorizer = this.#refusals.attempt(`Unable to create authorizer '${request.name}'`, () => {
        const made = newAuthorizer(this.#apiId, id, request);
        checkAuthorizerName(made, [...authorizers.values()]);
        if (!authorizers.has(id)) checkAuthorizerCount(authorizers.size, this.options.quotas);
        return made;
      });
      if (authorizer !== null) authorizers.set(id, authorizer);
    }
    return [...authorizers.values()];
  }

  #gatewayResponses(): GatewayResponse[] {
    const responses = new Map(this.#kept.gatewayResponses.map((response) => [response.id, response]));
    for (const { type, request } of this.document.gatewayResponses) {
      const response = this.#refusals.attempt(`Unable to put gateway response '${type}'`, () =>
        newGatewayResponse(this.#apiId, type, request),
      );
      if (response !== null) responses.set(type, response);
    }
    return [...responses.values()];
  }

  #documentationParts(): DocumentationPart[] {
    const { documentation } = this.document;
    if (documentation === null || this.options.ignoresDocumentation) return [...this.#kept.documentationParts];
    return this.#shelved(documentation);
  }

  #shelved(documentation: readonly DocumentationEntry[]): DocumentationPart[] {
    const { mode } = this.options;
    return assembleDocumentation(this.#apiId, documentation, this.present.documentationParts, mode, {
      newId: () => this.#freshId(),
      quotas: this.options.quotas,
      attempt: (what, work) => this.#refusals.attempt(what, work),
    }).parts;
  }

  #tree(known: NamedParts): Pick<ApiState, 'resources' | 'methods'> {
    const tree = new ResourceTree(this.#kept.resources);
    const byPath = new Map(this.#kept.resources.map((resource) => [resource.path, resource]));
    const formerIds = new Map(this.present.resources.map(({ path, id }) => [path, id]));
    const methods = new Map(this.#kept.methods.map((method) => [methodKey(method), method]));
    const imported = new Set<string>();
    for (const { path, methods: entries } of this.document.paths) {
      const resource = this.#refusals.attempt(`Unable to create resource at path '${path}'`, () =>
        this.#resourceAt(path, tree, byPath, formerIds),
      );
      if (resource === null) continue;
      for (const entry of entries) {
        const method = this.#method(resource, entry, known);
        if (method === null) continue;
        const key = methodKey(method);
        if (imported.has(key))
          this.#warnings.push(`Method '${entry.httpMethod}' of resource '${path}' is defined more than once`);
        imported.add(key);
        methods.set(key, method);
      }
    }
    return { resources: tree.resources, methods: [...methods.values()] };
  }

  /** The resource, made with all above it that are not there yet. */
  #resourceAt(path: string, tree: ResourceTree, byPath: Map<string, Resource>, formerIds: ReadonlyMap<string, string>): Resource {
    let resource = byPath.get('/')!;
    let reached = '';
    for (const part of partsOf(path)) {
      reached += `/${part}`;
      let next = byPath.get(reached);
      if (next === undefined) {
        next = tree.grow(resource.id, formerIds.get(reached) ?? this.#freshId(), part);
        checkResourceCount(tree.size, this.options.quotas);
        tree.add(next);
        byPath.set(reached, next);
      }
      resource = next;
    }
    return resource;
  }

  #method(resource: Resource, entry: MethodEntry, known: NamedParts): Method | null {
    const { httpMethod } = entry;
    const at = `'${httpMethod}' for resource at path '${resource.path}'`;
    const method = this.#refusals.attempt(`Unable to put method ${at}`, () => {
      const request = { ...entry.request, ...idsOf(entry, known) };
      const bare = newMethod({ apiId: this.#apiId, resourceId: resource.id, httpMethod }, request);
      const answering = withImpliedResponses(
        entry.responses.reduce((made, { statusCode, request: response }) => addMethodResponse(made, statusCode, response), bare),
        entry,
      );
      return checkReferences(answering, known);
    });
    const { integration } = entry;
    if (method === null || integration === null) return method;
    const integrated = this.#refusals.attempt(`Unable to put integration on ${at}`, () =>
      putIntegration(method, integration, this.options.quotas),
    );
    if (integrated === null) return null;
    return this.#refusals.attempt(`Unable to put integration response on ${at}`, () =>
      entry.integrationResponses.reduce(
        (made, { statusCode, request }) => putIntegrationResponse(made, statusCode, request, this.options.quotas),
        integrated,
      ),
    );
  }
}

/** How documentation is read where the rest of a document is not: ImportDocumentationParts. */
export function assembleDocumentation(
  apiId: string,
  documentation: readonly DocumentationEntry[],
  present: readonly DocumentationPart[],
  mode: ImportMode,
  { newId, attempt, quotas }: { newId: () => string; attempt: Attempt; quotas: Quotas },
): { parts: DocumentationPart[]; imported: string[] } {
  const former = new Map(present.map((part) => [locationKey(part.location), part]));
  const parts = mode === 'merge' ? new Map(former) : new Map<string, DocumentationPart>();
  const imported = new Set<string>();
  for (const { location, properties } of documentation) {
    attempt(`Unable to create documentation part of type '${location.type}'`, () => {
      const part = newDocumentationPart(apiId, '', location, properties);
      const key = locationKey(part.location);
      if (!parts.has(key)) checkPartCount(parts.size, quotas);
      const id = parts.get(key)?.id ?? former.get(key)?.id ?? newId();
      imported.add(id);
      return parts.set(key, { ...part, id });
    });
  }
  return { parts: [...parts.values()], imported: [...imported] };
}

/** `null` when the work was refused; what it was is kept. */
export type Attempt = <T>(what: string, work: () => T) => T | null;

/** All that was refused, so that a document need not be mended one error at a time. */
export class Refusals {
  readonly #errors: string[];

  constructor(errors: readonly string[] = []) {
    this.#errors = [...errors];
  }

  attempt<T>(what: string, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      // A quota that does not suffice is no fault of the document.
      if (!(error instanceof ApiError) || error.status === 429) throw error;
      this.#errors.push(`${what}: ${error.message}`);
      return null;
    }
  }

  throwAny(): void {
    if (this.#errors.length > 0) throw badRequest(`Errors found during import: ${shortened(this.#errors).join('\t')}`);
  }
}

const SHOWN_MAX = 100;

function shortened(messages: readonly string[]): readonly string[] {
  if (messages.length <= SHOWN_MAX) return messages;
  return [...messages.slice(0, SHOWN_MAX), `and ${messages.length - SHOWN_MAX} more`];
}

/** Of an API that has nothing yet. */
export const NO_API_STATE: ApiState = {
  resources: [],
  methods: [],
  models: [],
  requestValidators: [],
  authorizers: [],
  gatewayResponses: [],
  documentationParts: [],
};

function partLists(state: ApiState): { readonly id: string }[][] {
  const { models, requestValidators, authorizers, documentationParts } = state;
  return [models.map(({ modelId }) => ({ id: modelId })), [...requestValidators], [...authorizers], [...documentationParts]];
}

interface NamedParts extends KnownParts {
  readonly authorizerIds: ReadonlyMap<string, string>;
  readonly requestValidatorIds: ReadonlyMap<string, string>;
}

function idsByName(parts: readonly { readonly id: string; readonly name: string | null }[]): Map<string, string> {
  return new Map(parts.flatMap(({ id, name }): [string, string][] => (name === null ? [] : [[name, id]])));
}

function idsOf(
  { authorizerName, requestValidatorName }: MethodEntry,
  known: NamedParts,
): { authorizerId: string | undefined; requestValidatorId: string | undefined } {
  const requestValidatorId = requestValidatorName === null ? undefined : known.requestValidatorIds.get(requestValidatorName);
  if (requestValidatorName !== null && requestValidatorId === undefined)
    throw badRequest('Invalid Request Validator identifier specified');
  return { authorizerId: authorizerName === null ? undefined : known.authorizerIds.get(authorizerName), requestValidatorId };
}

/**
 * AWS's own examples leave the responses of a method out and name a status in the integration alone: that declares it. One with mappings
 * has to be declared, as its headers have to be.
 */
function withImpliedResponses(method: Method, { integrationResponses }: MethodEntry): Method {
  return integrationResponses.reduce(
    (made, { statusCode, request }) =>
      Object.hasOwn(made.methodResponses, statusCode) || Object.keys(request.responseParameters ?? {}).length > 0
        ? made
        : addMethodResponse(made, statusCode, {}),
    method,
  );
}

const methodKey = ({ resourceId, httpMethod }: Method): string => `${resourceId} ${httpMethod}`;
