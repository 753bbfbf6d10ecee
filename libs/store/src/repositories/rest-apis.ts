import {
  vpcLinkIdOf,
  type ApiContents,
  type ApiPart,
  type ApiPartKey,
  type ApiPartKind,
  type ApiPartRepository,
  type Method,
  type MethodKey,
  type MethodRepository,
  type PageRequest,
  type Resource,
  type ResourceRepository,
  type RestApi,
  type RestApiRepository,
} from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import { statement } from '../statement-batch.js';
import { ageText, document, fromDocument, PrismaRepository, type TransactionScope } from './prisma-repository.js';

export class PrismaRestApis extends PrismaRepository<string, RestApi, rows.RestApi> implements RestApiRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'REST API',
      rows: (tx) => tx.restApi,
      table: 'rest_apis',
      keyColumns: ['id'],
      keyOf: (api) => api.id,
      where: (id) => ({ id: columnText(id) }),
      toRow: (api) => ({ position: ageText(api.createdAtMs, api.id), document: document(api) }),
      toEntity: fromDocument,
    });
  }
  page(request: PageRequest) {
    return this.pageBy({}, 'position', 'asc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
  async contents(apiId: string): Promise<ApiContents> {
    const { rows } = await this.scope.tx.run(CONTENTS, [this.scope.tenant, columnText(apiId)]);
    const of = <E>(kind: ContentKind): E[] => rows.filter((row) => row[0] === kind).map((row) => JSON.parse(row[1]!) as E);
    return {
      resources: of('RESOURCE'),
      methods: of('METHOD'),
      parts: {
        models: of('MODEL'),
        requestValidators: of('REQUEST_VALIDATOR'),
        authorizers: of('AUTHORIZER'),
        gatewayResponses: of('GATEWAY_RESPONSE'),
      },
    };
  }
}

/** One statement: a deployment asks for all of it, and seven cost seven times as much. */
const CONTENTS = statement(
  `SELECT 'RESOURCE', "document" FROM "resources" WHERE "tenant_id" = $1 AND "api_id" = $2
   UNION ALL
   SELECT 'METHOD', "document" FROM "methods" WHERE "tenant_id" = $1 AND "api_id" = $2
   UNION ALL
   SELECT "kind", "document" FROM "api_parts" WHERE "tenant_id" = $1 AND "api_id" = $2`,
);

type ContentKind = ApiPartKind | 'RESOURCE' | 'METHOD';

interface ResourceKey {
  readonly apiId: string;
  readonly resourceId: string;
}

export class PrismaResources extends PrismaRepository<ResourceKey, Resource, rows.Resource> implements ResourceRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'resource',
      rows: (tx) => tx.resource,
      table: 'resources',
      keyColumns: ['api_id', 'id'],
      keyOf: (resource) => ({ apiId: resource.apiId, resourceId: resource.id }),
      where: (key) => ({ apiId: columnText(key.apiId), id: columnText(key.resourceId) }),
      toRow: (resource) => ({
        parentId: resource.parentId,
        path: columnText(resource.path),
        document: document(resource),
      }),
      toEntity: fromDocument,
    });
  }
  page(apiId: string, request: PageRequest) {
    return this.pageBy({ apiId: columnText(apiId) }, 'path', 'asc', request);
  }
  ofApi(apiId: string) {
    return this.list({ apiId: columnText(apiId) }, { path: 'asc' });
  }
  childrenOf(apiId: string, parentId: string) {
    return this.list({ apiId: columnText(apiId), parentId: columnText(parentId) }, { path: 'asc' });
  }
  async count(apiId: string) {
    return (await this.rows()).count({ where: this.owned({ apiId: columnText(apiId) }) });
  }
}

export class PrismaMethods extends PrismaRepository<MethodKey, Method, rows.Method> implements MethodRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'method',
      rows: (tx) => tx.method,
      table: 'methods',
      keyColumns: ['api_id', 'resource_id', 'http_method'],
      keyOf: (method) => method,
      where: (key) => ({
        apiId: columnText(key.apiId),
        resourceId: columnText(key.resourceId),
        httpMethod: columnText(key.httpMethod),
      }),
      toRow: (method) => ({ document: document(method), vpcLinkId: vpcLinkColumn(method) }),
      toEntity: fromDocument,
    });
  }
  ofResources(apiId: string, resourceIds: readonly string[]) {
    const where = { apiId: columnText(apiId), resourceId: { in: resourceIds.map(columnText) } };
    return this.list(where, [{ httpMethod: 'asc' }, { resourceId: 'asc' }]);
  }
  ofApi(apiId: string) {
    return this.list({ apiId: columnText(apiId) }, [{ resource: { path: 'asc' } }, { httpMethod: 'asc' }]);
  }
  usingVpcLink(vpcLinkId: string) {
    return this.list({ vpcLinkId: columnText(vpcLinkId) }, [{ apiId: 'asc' }, { resourceId: 'asc' }, { httpMethod: 'asc' }]);
  }
}

function vpcLinkColumn(method: Method): string | null {
  const id = vpcLinkIdOf(method);
  return id === null ? null : columnText(id);
}

/** Parts of one kind; all kinds lie in one table. */
export class PrismaApiParts<E extends ApiPart>
  extends PrismaRepository<ApiPartKey, E, rows.ApiPart>
  implements ApiPartRepository<E>
{
  constructor(
    scope: TransactionScope,
    private readonly kind: ApiPartKind,
  ) {
    super(scope, {
      entity: kind,
      rows: (tx) => tx.apiPart,
      table: 'api_parts',
      keyColumns: ['kind', 'api_id', 'id'],
      keyOf: (part) => part,
      where: (key) => ({ kind, apiId: columnText(key.apiId), id: columnText(key.id) }),
      toRow: (part) => ({ document: document(part) }),
      toEntity: fromDocument,
    });
  }
  page(apiId: string, request: PageRequest) {
    return this.pageBy({ kind: this.kind, apiId: columnText(apiId) }, 'id', 'asc', request);
  }
  ofApi(apiId: string) {
    return this.list({ kind: this.kind, apiId: columnText(apiId) }, { id: 'asc' });
  }
}
