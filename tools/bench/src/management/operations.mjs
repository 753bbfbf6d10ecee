// The operations that are measured, as the AWS SDK sends them. `run(client, api, count)`: `api` is one of the caller's, with the ids of the
// template; `count` differs in every call.
import {
  CreateDeploymentCommand,
  CreateResourceCommand,
  CreateRestApiCommand,
  DeleteResourceCommand,
  DeleteRestApiCommand,
  GetMethodCommand,
  GetResourcesCommand,
  GetRestApiCommand,
  GetRestApisCommand,
  GetStageCommand,
  PutIntegrationCommand,
  PutMethodResponseCommand,
  UpdateRestApiCommand,
  UpdateStageCommand,
} from '@aws-sdk/client-api-gateway';
import { STAGE } from './data.mjs';

const methodKey = ({ restApiId, resourceId }) => ({ restApiId, resourceId, httpMethod: 'GET' });
const replace = (path, value) => ({ patchOperations: [{ op: 'replace', path, value }] });

export const OPERATIONS = [
  { name: 'GetRestApi', run: (client, { restApiId }) => client.send(new GetRestApiCommand({ restApiId })) },
  { name: 'GetRestApis, a page of 25', run: (client) => client.send(new GetRestApisCommand({ limit: 25 })) },
  {
    name: 'GetResources, with methods',
    run: (client, { restApiId }) => client.send(new GetResourcesCommand({ restApiId, embed: ['methods'] })),
  },
  { name: 'GetMethod', run: (client, api) => client.send(new GetMethodCommand(methodKey(api))) },
  { name: 'GetStage', run: (client, { restApiId }) => client.send(new GetStageCommand({ restApiId, stageName: STAGE })) },
  {
    name: 'CreateRestApi, DeleteRestApi',
    calls: 2,
    isWrite: true,
    run: async (client, _, count) => {
      const { id: restApiId } = await client.send(new CreateRestApiCommand({ name: `api ${count}` }));
      await client.send(new DeleteRestApiCommand({ restApiId }));
    },
  },
  {
    name: 'UpdateRestApi',
    isWrite: true,
    run: (client, { restApiId }, count) =>
      client.send(new UpdateRestApiCommand({ restApiId, ...replace('/description', `change ${count}`) })),
  },
  {
    name: 'CreateResource, DeleteResource',
    calls: 2,
    isWrite: true,
    run: async (client, { restApiId, rootResourceId }, count) => {
      const { id: resourceId } = await client.send(
        new CreateResourceCommand({ restApiId, parentId: rootResourceId, pathPart: `part${count}` }),
      );
      await client.send(new DeleteResourceCommand({ restApiId, resourceId }));
    },
  },
  {
    name: 'PutMethodResponse, PutIntegration',
    calls: 2,
    isWrite: true,
    run: async (client, api, count) => {
      const key = methodKey(api);
      await client.send(new PutMethodResponseCommand({ ...key, statusCode: String(201 + (count % 300)) })).catch(exists);
      await client.send(new PutIntegrationCommand({ ...key, type: 'MOCK', passthroughBehavior: 'WHEN_NO_MATCH' }));
    },
  },
  {
    name: 'UpdateStage',
    isWrite: true,
    run: (client, { restApiId }, count) =>
      client.send(new UpdateStageCommand({ restApiId, stageName: STAGE, ...replace('/variables/version', String(count)) })),
  },
  {
    name: 'CreateDeployment',
    isWrite: true,
    run: (client, { restApiId }) => client.send(new CreateDeploymentCommand({ restApiId, stageName: STAGE })),
  },
];

function exists(error) {
  if (error.name !== 'ConflictException') throw error;
}
