/** A canary release from CreateDeployment to promotion, by the operations of the management API and a real node. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CONTEXT, serveApi, type ServedApi } from './imported-api.js';
import { testFolder } from './harness.js';

let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

/** Says in its body which deployment and which colour answered. */
const documentWith = (text: string) => ({
  openapi: '3.0.1',
  info: { title: 'pets', version: '1' },
  paths: {
    '/pets': {
      get: {
        responses: { '200': { description: 'ok' } },
        'x-amazon-apigateway-integration': {
          type: 'mock',
          requestTemplates: { 'application/json': '{"statusCode": 200}' },
          responses: {
            default: {
              statusCode: '200',
              responseTemplates: {
                'application/json': `${text} $stageVariables.colour $context.isCanaryRequest $context.deploymentId`,
              },
            },
          },
        },
      },
    },
  },
});

const text = async (api: ServedApi): Promise<string> => String((await api.ask('/pets')).body);

const replace = (path: string, value: string) => ({ op: 'replace' as const, path, value });

test('a canary gets its share with its own variables, is promoted, and another is rolled back', async () => {
  const api = await serveApi(scope, documentWith('first'));
  const { restApiId, deployments } = api;
  const update = (...patchOperations: object[]) =>
    deployments.UpdateStage(CONTEXT, { restApiId, stageName: 'prod', patchOperations } as never);
  const stable = await update(replace('/variables/colour', 'blue'));
  expect(await text(api)).toBe(`first blue  ${stable.deploymentId!}`);

  await api.merge(documentWith('second'));
  const canary = await deployments.CreateDeployment(CONTEXT, {
    restApiId,
    stageName: 'prod',
    canarySettings: { percentTraffic: 100, stageVariableOverrides: { colour: 'green' } },
  });
  const ownAnswer = `first blue false ${stable.deploymentId!}`;
  const canaryAnswer = `second green true ${canary.id!}`;
  for (let i = 0; i < 20; i++) expect(await text(api)).toBe(canaryAnswer);

  await update(replace('/canarySettings/percentTraffic', '50'));
  const seen = new Set<string>();
  while (seen.size < 2) seen.add(await text(api));
  expect(seen).toEqual(new Set([ownAnswer, canaryAnswer]));

  await update(replace('/canarySettings/percentTraffic', '0'));
  for (let i = 0; i < 20; i++) expect(await text(api)).toBe(`first blue  ${stable.deploymentId!}`);

  await update(
    { op: 'copy', from: '/canarySettings/deploymentId', path: '/deploymentId' },
    { op: 'copy', from: '/canarySettings/stageVariableOverrides', path: '/variables' },
    { op: 'remove', path: '/canarySettings' },
  );
  for (let i = 0; i < 5; i++) expect(await text(api)).toBe(`second green  ${canary.id!}`);

  await api.merge(documentWith('third'));
  await deployments.CreateDeployment(CONTEXT, { restApiId, stageName: 'prod', canarySettings: { percentTraffic: 100 } });
  expect(await text(api)).toContain('third');
  await update({ op: 'remove', path: '/canarySettings' });
  for (let i = 0; i < 5; i++) expect(await text(api)).toBe(`second green  ${canary.id!}`);
});
