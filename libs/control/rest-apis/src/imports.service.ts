import {
  assemble,
  assembleDocumentation,
  badRequest,
  checkRoom,
  invalidDocument,
  newRestApi,
  NO_API_STATE,
  noSuchVpcLink,
  readDocumentation,
  readOpenApi,
  Refusals,
  vpcLinkIdOf,
  withImportedSettings,
  type ApiDocument,
  type ApiPart,
  type ApiPartRepository,
  type ApiState,
  type BasePathMode,
  type DocumentationPart,
  type ImportMode,
  type Method,
  type Quotas,
  type Repository,
  type RestApi,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import { canonicalJson, type Clock, type IdSource } from '@gatehouse/kernel';
import { parseOpenApi } from './parse-document.js';
import { API_ID_CHARS, lockApi, PART_ID_CHARS, ROOT_ID_CHARS } from './rest-apis.service.js';

/** What the call says beside the document. */
export interface ImportOptions {
  readonly mode: ImportMode;
  readonly basePath: BasePathMode;
  readonly failsOnWarnings: boolean;
  readonly ignoresDocumentation: boolean;
  readonly endpointTypes: readonly string[] | undefined;
  readonly vpcEndpointIds: readonly string[] | undefined;
}

/** The API, and what was left out of it. */
export interface ImportedApi {
  readonly api: RestApi;
  readonly warnings: readonly string[];
}

/**
 * APIs out of OpenAPI documents. A document is read before the transaction begins, and made part of the API within it: all of it or nothing.
 * What the API has already keeps its ids, so importing the same document again changes nothing.
 */
export class Imports {
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {}

  async create(tenant: TenantId, region: string, body: Uint8Array, options: ImportOptions): Promise<ImportedApi> {
    const id = this.ids.id(API_ID_CHARS);
    const document = await this.#read(tenant, region, id, body, options);
    return this.store.transact(tenant, async (tx) => {
      const quotas = await tx.quotas.read();
      checkRoom(quotas, 'restApis', await tx.restApis.count(), 'Maximum number of REST APIs for this account has been reached.');
      const rootResourceId = this.ids.id(ROOT_ID_CHARS);
      const identity = { id, rootResourceId, region, createdAtMs: this.clock.nowMs() };
      const bare = newRestApi({ name: document.settings.name ?? '' }, identity, quotas, null);
      const endpointTypes = options.endpointTypes ?? document.settings.endpointConfiguration?.types;
      const api = withImportedSettings(bare, document, { ...options, endpointTypes, quotas });
      const root = { apiId: id, id: rootResourceId, parentId: null, pathPart: null, path: '/' };
      const present: ApiState = { ...NO_API_STATE, resources: [root] };
      await tx.restApis.insert(api);
      await tx.resources.insert(root);
      return { api, warnings: await this.#write(tx, document, present, options, quotas) };
    });
  }

  async put(tenant: TenantId, region: string, apiId: string, body: Uint8Array, options: ImportOptions): Promise<ImportedApi> {
    const document = await this.#read(tenant, region, apiId, body, options);
    return this.store.transact(tenant, async (tx) => {
      const api = await lockApi(tx, apiId);
      const quotas = await tx.quotas.read();
      const changed = withImportedSettings(api, document, { ...options, quotas });
      if (!isSame(api, changed)) await tx.restApis.replace(changed);
      return { api: changed, warnings: await this.#write(tx, document, await stateOf(tx, apiId), options, quotas) };
    });
  }

  /** The ids of the parts the document has, in its order. */
  async documentation(
    tenant: TenantId,
    region: string,
    apiId: string,
    body: Uint8Array,
    mode: ImportMode,
  ): Promise<{ ids: string[]; warnings: string[] }> {
    const entries = readDocumentation(await this.#parsedDocumentation(tenant, region, body)) ?? [];
    return this.store.transact(tenant, async (tx) => {
      await lockApi(tx, apiId);
      const refusals = new Refusals();
      const present = await tx.documentationParts.ofApi(apiId);
      const taken = new Set(present.map(({ id }) => id));
      const { parts, imported } = assembleDocumentation(apiId, entries, present, mode, {
        quotas: await tx.quotas.read(),
        attempt: (what, work) => refusals.attempt(what, work),
        newId: () => freshPartId(this.ids, taken),
      });
      refusals.throwAny();
      await writeParts(tx.documentationParts, present, parts);
      return { ids: imported, warnings: [] };
    });
  }

  async #parsedDocumentation(tenant: TenantId, region: string, body: Uint8Array): Promise<unknown> {
    try {
      return await parseOpenApi(body, { accountId: tenant, region });
    } catch (error) {
      throw error instanceof Error && error.message === invalidDocument().message ? UNREADABLE() : error;
    }
  }

  async #read(
    tenant: TenantId,
    region: string,
    apiId: string,
    body: Uint8Array,
    { basePath }: ImportOptions,
  ): Promise<ApiDocument> {
    return readOpenApi(await parseOpenApi(body, { accountId: tenant, region }), { apiId, basePath });
  }

  async #write(
    tx: TenantRepositories,
    document: ApiDocument,
    present: ApiState,
    options: ImportOptions,
    quotas: Quotas,
  ): Promise<readonly string[]> {
    const newId = () => this.ids.id(PART_ID_CHARS);
    const { state, warnings } = assemble(document, present, { ...options, quotas, newId });
    if (options.failsOnWarnings && warnings.length > 0) throw badRequest(`Warnings found during import: ${warnings.join('\t')}`);
    await writeDifference(tx, present, state);
    return warnings;
  }
}

const UNREADABLE = (): Error => badRequest('Unable to build importer with provided input.');

function freshPartId(ids: IdSource, taken: Set<string>): string {
  for (;;) {
    const id = ids.id(PART_ID_CHARS);
    if (taken.has(id)) continue;
    taken.add(id);
    return id;
  }
}

async function stateOf(tx: TenantRepositories, apiId: string): Promise<ApiState> {
  const { resources, methods, parts } = await tx.restApis.contents(apiId);
  const documentationParts: DocumentationPart[] = await tx.documentationParts.ofApi(apiId);
  return { resources, methods, ...parts, documentationParts };
}

/** Statements over whole sets of rows: an API may have ten thousand resources. */
async function writeDifference(tx: TenantRepositories, present: ApiState, next: ApiState): Promise<void> {
  await holdVpcLinks(tx, next.methods);
  await writeParts(tx.models, present.models, next.models);
  await writeParts(tx.requestValidators, present.requestValidators, next.requestValidators);
  await writeParts(tx.authorizers, present.authorizers, next.authorizers);
  await writeParts(tx.gatewayResponses, present.gatewayResponses, next.gatewayResponses);
  await writeParts(tx.documentationParts, present.documentationParts, next.documentationParts);
  const resourceKey = ({ apiId, id }: ApiPart) => ({ apiId, resourceId: id });
  const { gone, changed } = differenceOf(present.resources, next.resources, ({ id }) => id);
  await tx.resources.removeAll(gone.map(resourceKey));
  await tx.resources.insertAll(changed);
  const methods = differenceOf(present.methods, next.methods, ({ resourceId, httpMethod }) => `${resourceId} ${httpMethod}`);
  await replaceAll(tx.methods, methods, (method) => method);
}

function writeParts<E extends ApiPart>(
  repository: ApiPartRepository<E>,
  present: readonly E[],
  next: readonly E[],
): Promise<void> {
  return replaceAll(
    repository,
    differenceOf(present, next, ({ id }) => id),
    (part) => part,
  );
}

/** What goes or is written anew, and what is new or written anew. */
interface Difference<E> {
  readonly gone: readonly E[];
  readonly changed: readonly E[];
}

function differenceOf<E>(present: readonly E[], next: readonly E[], keyOf: (entity: E) => string): Difference<E> {
  const before = new Map(present.map((entity) => [keyOf(entity), entity]));
  const after = new Map(next.map((entity) => [keyOf(entity), entity]));
  const differs = (entity: E, other: E | undefined): boolean => other === undefined || !isSame(entity, other);
  return {
    gone: present.filter((entity) => differs(entity, after.get(keyOf(entity)))),
    changed: next.filter((entity) => differs(entity, before.get(keyOf(entity)))),
  };
}

async function replaceAll<K, E>(
  repository: Repository<K, E>,
  { gone, changed }: Difference<E>,
  keyOf: (entity: E) => K,
): Promise<void> {
  if (gone.length > 0) await repository.removeAll(gone.map(keyOf));
  if (changed.length > 0) await repository.insertAll(changed);
}

const isSame = (a: unknown, b: unknown): boolean => a === b || canonicalJson(a) === canonicalJson(b);

/** Until the transaction ends: whoever deletes a link waits, and then finds the method. */
async function holdVpcLinks(tx: TenantRepositories, methods: readonly Method[]): Promise<void> {
  const ids = new Set(methods.flatMap((method) => vpcLinkIdOf(method) ?? []));
  for (const id of [...ids].sort()) if ((await tx.vpcLinks.lock(id)) === null) throw noSuchVpcLink();
}
