// The demo API, made with the AWS SDK through the public endpoint: what any tutorial of API Gateway builds first.
import http from 'node:http';
import {
  APIGatewayClient,
  CreateDeploymentCommand,
  CreateResourceCommand,
  CreateRestApiCommand,
  DeleteRestApiCommand,
  GetStagesCommand,
  paginateGetRestApis,
  PutIntegrationCommand,
  PutMethodCommand,
} from '@aws-sdk/client-api-gateway';
import { AddPermissionCommand, CreateFunctionCommand, GetFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import yazl from 'yazl';

const API_NAME = 'gatehouse-demo';
const FUNCTION_NAME = 'gatehouse-demo-users';
const HANDLER = `export const handler = async () => ({
  statusCode: 200,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify([{ id: 1, name: 'John Doe' }, { id: 2, name: 'Jane Smith' }]),
});
`;

/** The HTTP backend behind the demo's second route. */
export function startBackend(host, port) {
  const pets = [
    { id: 1, name: 'Rex', type: 'dog' },
    { id: 2, name: 'Tom', type: 'cat' },
  ];
  const server = http.createServer((request, response) => {
    const found = request.url?.split('?')[0] === '/pets';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ? pets : { message: 'not found' }));
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve({ close: () => new Promise((done) => server.close(done).closeAllConnections()) }));
  });
}

/** Makes the demo unless it is there already; returns the API's id. Running it again completes a demo that was cut short. */
export async function createDemo({ endpoint, region, accountId, credentials, backendUrl }) {
  const options = { endpoint, region, credentials };
  const apiGateway = new APIGatewayClient(options);
  const lambda = new LambdaClient(options);
  for await (const page of paginateGetRestApis({ client: apiGateway }, {})) {
    for (const { id, name } of page.items ?? []) {
      if (name !== API_NAME) continue;
      const { item: stages } = await apiGateway.send(new GetStagesCommand({ restApiId: id }));
      if (stages?.some((stage) => stage.stageName === 'dev')) return id;
      await apiGateway.send(new DeleteRestApiCommand({ restApiId: id })); // a first start was cut short here
    }
  }
  const functionArn = await ensureFunction(lambda);
  const { id: restApiId, rootResourceId } = await apiGateway.send(
    new CreateRestApiCommand({
      name: API_NAME,
      description: 'The demo of Gatehouse',
      endpointConfiguration: { types: ['REGIONAL'] },
    }),
  );
  const get = async (pathPart, integration) => {
    const { id: resourceId } = await apiGateway.send(
      new CreateResourceCommand({ restApiId, parentId: rootResourceId, pathPart }),
    );
    const method = { restApiId, resourceId, httpMethod: 'GET' };
    await apiGateway.send(new PutMethodCommand({ ...method, authorizationType: 'NONE' }));
    await apiGateway.send(new PutIntegrationCommand({ ...method, ...integration }));
  };
  await get('users', {
    type: 'AWS_PROXY',
    integrationHttpMethod: 'POST',
    uri: `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${functionArn}/invocations`,
  });
  await get('pets', { type: 'HTTP_PROXY', integrationHttpMethod: 'GET', uri: `${backendUrl}/pets` });
  await lambda.send(
    new AddPermissionCommand({
      FunctionName: FUNCTION_NAME,
      StatementId: `api-${restApiId}`,
      Action: 'lambda:InvokeFunction',
      Principal: 'apigateway.amazonaws.com',
      SourceArn: `arn:aws:execute-api:${region}:${accountId}:${restApiId}/*/GET/users`,
    }),
  );
  await apiGateway.send(new CreateDeploymentCommand({ restApiId, stageName: 'dev' }));
  return restApiId;
}

async function ensureFunction(lambda) {
  try {
    const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName: FUNCTION_NAME }));
    return Configuration.FunctionArn;
  } catch (error) {
    if (error.name !== 'ResourceNotFoundException') throw error;
  }
  const { FunctionArn } = await lambda.send(
    new CreateFunctionCommand({
      FunctionName: FUNCTION_NAME,
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: 'arn:aws:iam::000000000000:role/lambda',
      Code: { ZipFile: await zip('index.mjs', HANDLER) },
    }),
  );
  return FunctionArn;
}

async function zip(name, text) {
  const file = new yazl.ZipFile();
  file.addBuffer(Buffer.from(text), name);
  file.end();
  const chunks = [];
  for await (const chunk of file.outputStream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
