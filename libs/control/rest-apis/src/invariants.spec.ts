/** What holds for all operations at once: tenancy, locking, and the shape of an API after anything at all. */
import type { ApiGateway } from '@gatehouse/aws-api';
import type { OperationContext } from '@gatehouse/control-wire';
import {
  ApiError,
  InMemoryStore,
  ResourceTree,
  tenantId,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import { ManualClock, SequentialIds } from '@gatehouse/kernel';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { restApiOperationNames, restApiOperations, type RestApiOperations } from './rest-apis.operations.js';

const OURS = tenantId('111111111111');
const THEIRS = tenantId('222222222222');
const context = (tenant: TenantId): OperationContext => ({
  caller: { tenant, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${tenant}:user/admin`, region: 'eu-west-1' },
  requestId: 'request',
  headers: {},
});
const ours = context(OURS);
const theirs = context(THEIRS);

const operationsOn = (store: TenantStore): RestApiOperations =>
  restApiOperations({ store, clock: new ManualClock(), ids: new SequentialIds() });

type Name = (typeof restApiOperationNames)[number];
const LISTS: readonly Name[] = ['GetRestApis'];
const NEW: readonly Name[] = ['CreateRestApi'];

/** Every member any operation requires. */
interface AnyInput {
  readonly restApiId: string;
  readonly resourceId: string;
  readonly parentId: string;
  readonly cloneFrom?: string;
  readonly httpMethod: string;
  readonly statusCode: string;
  readonly pathPart: string;
  readonly name: string;
  readonly authorizationType: string;
  readonly type: ApiGateway.IntegrationType;
  readonly patchOperations?: readonly ApiGateway.PatchOperation[];
}

async function call(ops: RestApiOperations, name: Name, who: OperationContext, input: AnyInput): Promise<unknown> {
  // The input holds what each of the operations needs, so any of them may be called with it.
  const handler = ops[name] as (context: OperationContext, input: AnyInput) => Promise<unknown>;
  try {
    return (await handler(who, input)) ?? null;
  } catch (error) {
    if (error instanceof ApiError) return `${error.type} ${error.status} ${error.message}`;
    throw error;
  }
}

async function filled() {
  const store = new InMemoryStore(new ManualClock());
  const ops = operationsOn(store.tenants);
  const { id, rootResourceId } = await ops.CreateRestApi(ours, { name: 'ours' });
  const { id: resourceId } = await ops.CreateResource(ours, { restApiId: id!, parentId: rootResourceId!, pathPart: 'users' });
  const key = { restApiId: id!, resourceId: resourceId!, httpMethod: 'GET' };
  await ops.PutMethod(ours, { ...key, authorizationType: 'NONE' });
  await ops.PutMethodResponse(ours, { ...key, statusCode: '200' });
  await ops.PutIntegration(ours, { ...key, type: 'MOCK' });
  await ops.PutIntegrationResponse(ours, { ...key, statusCode: '200' });
  const mine = await ops.CreateRestApi(theirs, { name: 'theirs' });
  return { store, ops, key, parentId: rootResourceId!, mine };
}

const everything = (store: InMemoryStore, tenant: TenantId): Promise<unknown> =>
  store.tenants.transact(tenant, async (tx) => {
    const { items: apis } = await tx.restApis.page({ after: null, limit: 100 });
    return Promise.all(apis.map(async (api) => [api, await tx.resources.ofApi(api.id), await tx.methods.ofApi(api.id)]));
  });

test("another tenant's ids answer exactly as ids that do not exist, in every operation", async () => {
  const { store, ops, key, parentId, mine } = await filled();
  const before = await everything(store, OURS);
  const rest = { statusCode: '200', pathPart: 'x', name: 'x', authorizationType: 'NONE', type: 'MOCK' } as const;
  const patches = fc.constantFrom<readonly ApiGateway.PatchOperation[] | undefined>(
    undefined,
    [],
    [{ op: 'replace', path: '/name', value: 'stolen' }],
    [{ op: 'replace', path: '/parentId', value: parentId }],
    [{ op: 'replace', path: '/nonsense' }],
  );
  const unknown = { api: 'nobody0001', resource: 'nobody' };
  const operations = restApiOperationNames.filter((name) => !LISTS.includes(name) && !NEW.includes(name));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...operations),
      fc.boolean(),
      fc.boolean(),
      patches,
      async (name, onOwnApi, byRoot, patchOperations) => {
        const input = (api: string, resource: string): AnyInput => ({
          ...rest,
          restApiId: onOwnApi ? mine.id! : api,
          resourceId: resource,
          parentId: resource,
          httpMethod: 'GET',
          patchOperations: patchOperations?.map((operation) =>
            operation.path === '/parentId'
              ? { ...operation, value: resource === unknown.resource ? 'nobody' : parentId }
              : operation,
          ),
        });
        // On the caller's own API, operations that take no resource would simply work.
        if (onOwnApi && /RestApi$|GetResources/.test(name)) return;
        const ofOurs = await call(ops, name, theirs, input(key.restApiId, byRoot ? parentId : key.resourceId));
        const ofNobody = await call(ops, name, theirs, input(unknown.api, unknown.resource));
        expect(typeof ofOurs, name).toBe('string');
        expect(String(ofOurs).replaceAll(key.restApiId, unknown.api)).toBe(ofNobody);
      },
    ),
    { numRuns: 300 },
  );
  expect(await everything(store, OURS)).toEqual(before);
});

test("another tenant's API cannot be copied, and is not listed", async () => {
  const { ops, key, mine } = await filled();
  await expect(ops.CreateRestApi(theirs, { name: 'copy', cloneFrom: key.restApiId })).rejects.toThrow(
    `Invalid API identifier specified ${THEIRS}:${key.restApiId}`,
  );
  expect((await ops.GetRestApis(theirs, {})).items!.map(({ id }) => id)).toEqual([mine.id]);
});

/** Notes what each transaction asks of its repositories, in order. */
function watched(store: TenantStore): { store: TenantStore; asked: string[] } {
  const asked: string[] = [];
  const note = <R extends object>(name: string, repository: R): R =>
    new Proxy(repository, {
      get(target, method) {
        const member: unknown = Reflect.get(target, method);
        if (typeof member !== 'function') return member;
        return (...parameters: unknown[]): unknown => {
          asked.push(`${name}.${String(method)}`);
          return Reflect.apply(member, target, parameters);
        };
      },
    });
  const transact = <T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T> =>
    store.transact(tenant, (tx) =>
      work({
        ...tx,
        restApis: note('restApis', tx.restApis),
        resources: note('resources', tx.resources),
        methods: note('methods', tx.methods),
      }),
    );
  return { store: { transact }, asked };
}

for (const name of restApiOperationNames.filter((candidate) => !candidate.startsWith('Get') && !NEW.includes(candidate))) {
  test(`${name} locks the API before anything else`, async () => {
    const { store, key, parentId } = await filled();
    const { store: spied, asked } = watched(store.tenants);
    const input = {
      ...key,
      parentId,
      statusCode: '200',
      pathPart: 'x',
      name: 'x',
      authorizationType: 'NONE',
      type: 'MOCK' as const,
    };
    await call(operationsOn(spied), name, ours, input);
    expect(asked[0]).toBe('restApis.lock');
  });
}

test('writers that run at once lose nothing', async () => {
  const { ops, key, parentId } = await filled();
  await Promise.all([
    ...['a', 'b', 'c'].map((pathPart) => ops.CreateResource(ours, { restApiId: key.restApiId, parentId, pathPart })),
    ...['201', '202', '203'].map((statusCode) => ops.PutMethodResponse(ours, { ...key, statusCode })),
    ops.UpdateMethod(ours, { ...key, patchOperations: [{ op: 'replace', path: '/apiKeyRequired', value: 'true' }] }),
  ]);
  const method = await ops.GetMethod(ours, key);
  expect(Object.keys(method.methodResponses!).sort()).toEqual(['200', '201', '202', '203']);
  expect(method.apiKeyRequired).toBe(true);
  expect((await ops.GetResources(ours, { restApiId: key.restApiId })).items).toHaveLength(5);
});

test('after any operations the paths are those of the tree and no method is without its resource', async () => {
  const writes = restApiOperationNames.filter((name) => !name.startsWith('Get') && !/RestApi$/.test(name));
  const step = fc.record({
    name: fc.oneof(fc.constantFrom<Name>(...writes), fc.constantFrom<Name>('CreateResource', 'UpdateResource', 'PutMethod')),
    at: fc.nat(20),
    to: fc.nat(20),
    pathPart: fc.constantFrom('a', 'b', 'c', 'd', '{x}', '{y+}', 'no/part'),
    path: fc.constantFrom('/pathPart', '/parentId', '/operationName'),
    httpMethod: fc.constantFrom('GET', 'ANY'),
    statusCode: fc.constantFrom('200', '404', '999'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50 }), async (steps) => {
      const store = new InMemoryStore(new ManualClock());
      const ops = operationsOn(store.tenants);
      const { id: restApiId } = await ops.CreateRestApi(ours, { name: 'any' });
      for (const { name, at, to, pathPart, path, httpMethod, statusCode } of steps) {
        const { items } = await ops.GetResources(ours, { restApiId: restApiId!, limit: 500 });
        const pick = (index: number): string => items![index % items!.length]!.id!;
        await call(ops, name, ours, {
          restApiId: restApiId!,
          resourceId: pick(at),
          parentId: pick(at),
          httpMethod,
          statusCode,
          pathPart,
          name: 'any',
          authorizationType: 'NONE',
          type: 'MOCK',
          patchOperations: name.startsWith('Update')
            ? [{ op: 'replace', path, value: path === '/parentId' ? pick(to) : pathPart }]
            : undefined,
        });
      }
      await store.tenants.transact(OURS, async (tx) => {
        const resources = await tx.resources.ofApi(restApiId!);
        const tree = new ResourceTree(resources);
        const root = resources.find(({ parentId }) => parentId === null)!;
        expect(tree.subtree(root)).toHaveLength(resources.length);
        for (const { parentId, pathPart, path } of resources) {
          if (parentId !== null) expect(path).toBe(`${tree.get(parentId).path.replace(/\/$/, '')}/${pathPart}`);
        }
        expect(new Set(resources.map(({ path }) => path)).size).toBe(resources.length);
        for (const { resourceId } of await tx.methods.ofApi(restApiId!)) expect(tree.find(resourceId)).not.toBeNull();
      });
    }),
    { numRuns: 60 },
  );
});
