/**
 * Random sequences of operations, told to the server through the AWS SDK and to a small model of what a REST API is: they agree on every
 * answer, whether it is a success or a refusal, and on everything that is there at the end.
 */
import fc from 'fast-check';
import { startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  api = (await house.tenant()).apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

/** What the model has of one resource; its id is the server's. */
interface ModelResource {
  readonly id: string;
  readonly parent: ModelResource | null;
  pathPart: string;
  readonly methods: Map<string, ModelMethod>;
}

interface ModelMethod {
  apiKeyRequired: boolean;
  readonly responses: Set<string>;
  integration: { readonly type: string; readonly responses: Set<string> } | null;
}

interface Model {
  readonly restApiId: string;
  name: string;
  resources: ModelResource[];
  readonly models: Map<string, string>;
  /** By id: which resources and methods a deployment froze. */
  readonly deployments: Map<string, string>;
  readonly stages: Map<string, string>;
}

/** The model's own word for how a call ended: `ok`, or the name of the error. */
type Outcome = 'ok' | 'BadRequestException' | 'ConflictException' | 'NotFoundException';

/** What is done to both. Numbers choose among what is there, so that most steps hit something. */
type Step = (model: Model) => Promise<readonly [model: Outcome, server: string]>;

async function ended(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: Error) => error.name,
  );
}

const chosen = <T>(list: readonly T[], number: number): T => list[number % list.length]!;
const childrenOf = (model: Model, parent: ModelResource): ModelResource[] =>
  model.resources.filter((resource) => resource.parent === parent);

function pathOf({ parent, pathPart }: ModelResource): string {
  if (parent === null) return '/';
  const above = pathOf(parent);
  return `${above === '/' ? '' : above}/${pathPart}`;
}

const isVariable = (pathPart: string): boolean => pathPart.startsWith('{');
const isGreedy = (pathPart: string): boolean => pathPart.endsWith('+}');

function siblingProblem(siblings: readonly ModelResource[], pathPart: string): Outcome | null {
  if (siblings.some((sibling) => sibling.pathPart === pathPart)) return 'ConflictException';
  if (isVariable(pathPart) && siblings.some((sibling) => isVariable(sibling.pathPart))) return 'BadRequestException';
  return null;
}

const createResource =
  (at: number, pathPart: string): Step =>
  async (model) => {
    const parent = chosen(model.resources, at);
    const problem = isGreedy(parent.pathPart) ? 'BadRequestException' : siblingProblem(childrenOf(model, parent), pathPart);
    const call = api.createResource({ restApiId: model.restApiId, parentId: parent.id, pathPart });
    const server = await ended(call);
    if (problem === null && server === 'ok') model.resources.push({ id: (await call).id!, parent, pathPart, methods: new Map() });
    return [problem ?? 'ok', server];
  };

const renameResource =
  (at: number, pathPart: string): Step =>
  async (model) => {
    const resource = chosen(model.resources, at);
    const patchOperations = [{ op: 'replace' as const, path: '/pathPart', value: pathPart }];
    const server = await ended(api.updateResource({ restApiId: model.restApiId, resourceId: resource.id, patchOperations }));
    if (resource.parent === null) return ['BadRequestException', server];
    const siblings = childrenOf(model, resource.parent).filter((sibling) => sibling !== resource);
    const problem =
      isGreedy(pathPart) && childrenOf(model, resource).length > 0 ? 'BadRequestException' : siblingProblem(siblings, pathPart);
    if (problem === null) resource.pathPart = pathPart;
    return [problem ?? 'ok', server];
  };

const deleteResource =
  (at: number): Step =>
  async (model) => {
    const resource = chosen(model.resources, at);
    const server = await ended(api.deleteResource({ restApiId: model.restApiId, resourceId: resource.id }));
    if (resource.parent === null) return ['BadRequestException', server];
    const isBelow = (one: ModelResource | null): boolean => one !== null && (one === resource || isBelow(one.parent));
    model.resources = model.resources.filter((one) => !isBelow(one));
    return ['ok', server];
  };

const putMethod =
  (at: number, httpMethod: string, apiKeyRequired: boolean): Step =>
  async (model) => {
    const resource = chosen(model.resources, at);
    const call = { restApiId: model.restApiId, resourceId: resource.id, httpMethod, authorizationType: 'NONE', apiKeyRequired };
    const server = await ended(api.putMethod(call));
    if (resource.methods.has(httpMethod)) return ['ConflictException', server];
    resource.methods.set(httpMethod, { apiKeyRequired, responses: new Set(), integration: null });
    return ['ok', server];
  };

/** Three times of four a method that is there, else whatever is named. */
function methodAt(model: Model, at: number, httpMethod: string) {
  const there = model.resources.flatMap((resource) => [...resource.methods.keys()].map((name) => ({ resource, name })));
  const { resource, name } =
    at % 4 > 0 && there.length > 0 ? chosen(there, at) : { resource: chosen(model.resources, at), name: httpMethod };
  const key = { restApiId: model.restApiId, resourceId: resource.id, httpMethod: name };
  return { resource, key, method: resource.methods.get(name) };
}

const updateMethod =
  (at: number, httpMethod: string, value: string): Step =>
  async (model) => {
    const { key, method } = methodAt(model, at, httpMethod);
    const server = await ended(
      api.updateMethod({ ...key, patchOperations: [{ op: 'replace', path: '/apiKeyRequired', value }] }),
    );
    if (method === undefined) return ['NotFoundException', server];
    method.apiKeyRequired = value === 'true';
    return ['ok', server];
  };

const deleteMethod =
  (at: number, httpMethod: string): Step =>
  async (model) => {
    const { resource, key } = methodAt(model, at, httpMethod);
    return [resource.methods.delete(key.httpMethod) ? 'ok' : 'NotFoundException', await ended(api.deleteMethod(key))];
  };

const putIntegration =
  (at: number, httpMethod: string, type: 'MOCK' | 'HTTP_PROXY'): Step =>
  async (model) => {
    const { key, method } = methodAt(model, at, httpMethod);
    const backend = type === 'MOCK' ? {} : { integrationHttpMethod: 'GET', uri: 'https://example.com/' };
    const server = await ended(api.putIntegration({ ...key, type, ...backend }));
    if (method === undefined) return ['NotFoundException', server];
    method.integration = { type, responses: new Set() };
    return ['ok', server];
  };

const deleteIntegration =
  (at: number, httpMethod: string): Step =>
  async (model) => {
    const { key, method } = methodAt(model, at, httpMethod);
    const server = await ended(api.deleteIntegration(key));
    if (method === undefined || method.integration === null) return ['NotFoundException', server];
    method.integration = null;
    return ['ok', server];
  };

const putIntegrationResponse =
  (at: number, httpMethod: string, statusCode: string): Step =>
  async (model) => {
    const { key, method } = methodAt(model, at, httpMethod);
    const server = await ended(api.putIntegrationResponse({ ...key, statusCode }));
    if (method === undefined || method.integration === null) return ['NotFoundException', server];
    if (!method.responses.has(statusCode)) return ['NotFoundException', server];
    method.integration.responses.add(statusCode);
    return ['ok', server];
  };

const putMethodResponse =
  (at: number, httpMethod: string, statusCode: string): Step =>
  async (model) => {
    const { key, method } = methodAt(model, at, httpMethod);
    const server = await ended(api.putMethodResponse({ ...key, statusCode }));
    if (method === undefined) return ['NotFoundException', server];
    if (method.responses.has(statusCode)) return ['ConflictException', server];
    method.responses.add(statusCode);
    return ['ok', server];
  };

const createModel =
  (name: string): Step =>
  async (model) => {
    const call = {
      restApiId: model.restApiId,
      name,
      contentType: 'application/json',
      schema: `{"title":"${name}","type":"object"}`,
    };
    const server = await ended(api.createModel(call));
    if (model.models.has(name)) return ['ConflictException', server];
    model.models.set(name, call.schema);
    return ['ok', server];
  };

const deleteModel =
  (name: string): Step =>
  async (model) => {
    const server = await ended(api.deleteModel({ restApiId: model.restApiId, modelName: name }));
    return [model.models.delete(name) ? 'ok' : 'NotFoundException', server];
  };

/** Which methods there are, as a deployment's summary has them. */
function summaryOf({ resources }: Model): string {
  const lines = resources.flatMap((resource) =>
    [...resource.methods].map(([name, { apiKeyRequired }]) => `${pathOf(resource)} ${name} ${apiKeyRequired}`),
  );
  return lines.sort().join('\n');
}

/** `isMended`: every method gets its integration before. */
const createDeployment =
  (stageName: string, isMended: boolean): Step =>
  async (model) => {
    const methods = model.resources.flatMap((resource) => [...resource.methods.values()]);
    if (isMended)
      for (const resource of model.resources)
        for (const [name, method] of resource.methods) {
          if (method.integration !== null) continue;
          await api.putIntegration({ restApiId: model.restApiId, resourceId: resource.id, httpMethod: name, type: 'MOCK' });
          method.integration = { type: 'MOCK', responses: new Set() };
        }
    const call = api.createDeployment({ restApiId: model.restApiId, stageName });
    const server = await ended(call);
    if (methods.length === 0 || methods.some(({ integration }) => integration === null)) return ['BadRequestException', server];
    if (server === 'ok') {
      const { id } = await call;
      model.deployments.set(id!, summaryOf(model));
      model.stages.set(stageName, id!);
    }
    return ['ok', server];
  };

const deleteDeployment =
  (at: number): Step =>
  async (model) => {
    const deploymentId = chosen([...model.deployments.keys(), 'absent'], at);
    const server = await ended(api.deleteDeployment({ restApiId: model.restApiId, deploymentId }));
    if ([...model.stages.values()].includes(deploymentId)) return ['BadRequestException', server];
    return [model.deployments.delete(deploymentId) ? 'ok' : 'NotFoundException', server];
  };

const deleteStage =
  (stageName: string): Step =>
  async (model) => {
    const server = await ended(api.deleteStage({ restApiId: model.restApiId, stageName }));
    return [model.stages.delete(stageName) ? 'ok' : 'NotFoundException', server];
  };

const rename =
  (name: string): Step =>
  async (model) => {
    const patchOperations = [{ op: 'replace' as const, path: '/name', value: name }];
    model.name = name;
    return ['ok', await ended(api.updateRestApi({ restApiId: model.restApiId, patchOperations }))];
  };

const at = fc.nat({ max: 30 });
const pathPart = fc.constantFrom('pets', 'dogs', 'v1', '{id}', '{name}', '{proxy+}');
const httpMethod = fc.constantFrom('GET', 'POST', 'ANY');
const statusCode = fc.constantFrom('200', '404');
const stageName = fc.constantFrom('dev', 'prod');
const modelName = fc.constantFrom('Pet', 'Order');
const made = (name: string, step: Step): { name: string; step: Step } => ({ name, step });
const steps = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(at, pathPart).map((a) => made(`createResource ${a}`, createResource(...a))) },
  { weight: 2, arbitrary: fc.tuple(at, pathPart).map((a) => made(`renameResource ${a}`, renameResource(...a))) },
  { weight: 1, arbitrary: at.map((a) => made(`deleteResource ${a}`, deleteResource(a))) },
  { weight: 5, arbitrary: fc.tuple(at, httpMethod, fc.boolean()).map((a) => made(`putMethod ${a}`, putMethod(...a))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(at, httpMethod, fc.constantFrom('true', 'false', 'maybe'))
      .map((a) => made(`updateMethod ${a}`, updateMethod(...a))),
  },
  { weight: 1, arbitrary: fc.tuple(at, httpMethod).map((a) => made(`deleteMethod ${a}`, deleteMethod(...a))) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(at, httpMethod, fc.constantFrom<'MOCK' | 'HTTP_PROXY'>('MOCK', 'HTTP_PROXY'))
      .map((a) => made(`putIntegration ${a}`, putIntegration(...a))),
  },
  { weight: 1, arbitrary: fc.tuple(at, httpMethod).map((a) => made(`deleteIntegration ${a}`, deleteIntegration(...a))) },
  {
    weight: 3,
    arbitrary: fc.tuple(at, httpMethod, statusCode).map((a) => made(`putMethodResponse ${a}`, putMethodResponse(...a))),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(at, httpMethod, statusCode).map((a) => made(`putIntegrationResponse ${a}`, putIntegrationResponse(...a))),
  },
  { weight: 1, arbitrary: modelName.map((a) => made(`createModel ${a}`, createModel(a))) },
  { weight: 1, arbitrary: modelName.map((a) => made(`deleteModel ${a}`, deleteModel(a))) },
  { weight: 2, arbitrary: fc.tuple(stageName, fc.boolean()).map((a) => made(`createDeployment ${a}`, createDeployment(...a))) },
  { weight: 1, arbitrary: at.map((a) => made(`deleteDeployment ${a}`, deleteDeployment(a))) },
  { weight: 1, arbitrary: stageName.map((a) => made(`deleteStage ${a}`, deleteStage(a))) },
  { weight: 1, arbitrary: fc.constantFrom('a', 'b').map((a) => made(`rename ${a}`, rename(a))) },
);

/** Everything the server has of the API, in the model's words. */
async function readBack({ restApiId }: Model) {
  const { items: resources = [] } = await api.getResources({ restApiId, limit: 500, embed: ['methods'] });
  const { items: deployments = [] } = await api.getDeployments({ restApiId, limit: 500 });
  return {
    name: (await api.getRestApi({ restApiId })).name,
    resources: resources
      .map(({ path, resourceMethods = {} }) => ({
        path,
        methods: Object.entries(resourceMethods)
          .map(([name, { apiKeyRequired, methodResponses = {}, methodIntegration }]) => ({
            name,
            apiKeyRequired,
            responses: Object.keys(methodResponses).sort(),
            integration: methodIntegration?.type ?? null,
            mapped: Object.keys(methodIntegration?.integrationResponses ?? {}).sort(),
          }))
          .sort((one, other) => one.name.localeCompare(other.name)),
      }))
      .sort((one, other) => one.path!.localeCompare(other.path!)),
    models: (await api.getModels({ restApiId })).items!.map(({ name }) => name).sort(),
    deployments: Object.fromEntries(
      await Promise.all(
        deployments.map(async ({ id }) => {
          const { apiSummary = {} } = await api.getDeployment({ restApiId, deploymentId: id!, embed: ['apisummary'] });
          const lines = Object.entries(apiSummary).flatMap(([path, methods]) =>
            Object.entries(methods).map(([name, { apiKeyRequired }]) => `${path} ${name} ${apiKeyRequired}`),
          );
          return [id, lines.sort().join('\n')];
        }),
      ),
    ),
    stages: Object.fromEntries((await api.getStages({ restApiId })).item!.map((stage) => [stage.stageName, stage.deploymentId])),
  };
}

/** The same, of the model. */
function said(model: Model) {
  return {
    name: model.name,
    resources: model.resources
      .map((resource) => ({
        path: pathOf(resource),
        methods: [...resource.methods]
          .map(([name, { apiKeyRequired, responses, integration }]) => ({
            name,
            apiKeyRequired,
            responses: [...responses].sort(),
            integration: integration?.type ?? null,
            mapped: [...(integration?.responses ?? [])].sort(),
          }))
          .sort((one, other) => one.name.localeCompare(other.name)),
      }))
      .sort((one, other) => one.path.localeCompare(other.path)),
    models: ['Empty', 'Error', ...model.models.keys()].sort(),
    deployments: Object.fromEntries(model.deployments),
    stages: Object.fromEntries(model.stages),
  };
}

test(
  'whatever is called in whatever order, server and model end each call alike and have the same at the end',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 30, maxLength: 60, size: 'max' }), async (sequence) => {
        const { id: restApiId, rootResourceId } = await api.createRestApi({ name: 'a' });
        const root: ModelResource = { id: rootResourceId!, parent: null, pathPart: '', methods: new Map() };
        const model: Model = {
          restApiId: restApiId!,
          name: 'a',
          resources: [root],
          models: new Map(),
          deployments: new Map(),
          stages: new Map(),
        };
        for (const { name, step } of sequence) {
          const [expected, server] = await step(model);
          expect(server, name).toBe(expected);
        }
        expect(await readBack(model)).toEqual(said(model));
        await api.deleteRestApi({ restApiId: restApiId! });
      }),
      { seed: 1, numRuns: 12 },
    );
  },
);
