import { describe, expect, test } from 'vitest';
import { ApiGateway, ApiGatewayManagement, ApiGatewayV2, Lambda, OperationRouter, ProtocolError, readQuery } from './index.js';

const router = new OperationRouter([ApiGateway.model, ApiGatewayV2.model, ApiGatewayManagement.model, Lambda.model]);

function routed(httpMethod: string, url: string): string {
  const [path, query = ''] = url.split('?') as [string, string?];
  const match = router.match(httpMethod, path.split('/').slice(1), readQuery(query));
  if (match === null) return 'none';
  const labels = Object.entries(match.labels).map(([name, value]) => ` ${name}=${value}`);
  return `${match.service.id}.${match.operation.name}${labels.join('')}`;
}

describe('a request goes to the operation', () => {
  test.each([
    ['GET', '/restapis', 'ApiGateway.GetRestApis'],
    ['POST', '/restapis', 'ApiGateway.CreateRestApi'],
    // The fixed query decides before the plain one, wherever it stands.
    ['POST', '/restapis?mode=import', 'ApiGateway.ImportRestApi'],
    ['POST', '/restapis?failonwarnings=true&mode=import', 'ApiGateway.ImportRestApi'],
    ['POST', '/restapis?mode=overwrite', 'ApiGateway.CreateRestApi'],
    ['POST', '/apikeys?mode=import&format=csv', 'ApiGateway.ImportApiKeys'],
    ['GET', '/restapis/a1', 'ApiGateway.GetRestApi restApiId=a1'],
    [
      'PUT',
      '/restapis/a1/resources/r1/methods/GET/responses/200',
      'ApiGateway.PutMethodResponse restApiId=a1 resourceId=r1 httpMethod=GET statusCode=200',
    ],
    // A literal and a label under one node, told apart by what follows.
    ['POST', '/restapis/a1/resources/methods', 'ApiGateway.CreateResource restApiId=a1 parentId=methods'],
    // Decoded once, after splitting.
    [
      'GET',
      '/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Frestapis%2Fa1',
      'ApiGateway.GetTags resourceArn=arn:aws:apigateway:eu-west-1::/restapis/a1',
    ],
    [
      'GET',
      '/v2/tags/arn%3Aaws%3Aapigateway%3Aeu-west-1%3A%3A%2Fapis%2Fa1',
      'ApiGatewayV2.GetTags ResourceArn=arn:aws:apigateway:eu-west-1::/apis/a1',
    ],
    ['GET', '/domainnames/x.org/basepathmappings/%28none%29', 'ApiGateway.GetBasePathMapping domainName=x.org basePath=(none)'],
    ['GET', '/v2/apis/a1/stages/%24default', 'ApiGatewayV2.GetStage ApiId=a1 StageName=$default'],
    ['GET', '/restapis/a%252F', 'ApiGateway.GetRestApi restApiId=a%2F'],
    ['GET', '/restapis/a+b', 'ApiGateway.GetRestApi restApiId=a+b'],
    ['POST', '/@connections/abc%3D', 'ApiGatewayManagement.PostToConnection ConnectionId=abc='],
    ['POST', '/%40connections/abc%3D', 'ApiGatewayManagement.PostToConnection ConnectionId=abc='],
    ['POST', '/2015-03-31/functions/users/invocations', 'Lambda.Invoke FunctionName=users'],
    ['GET', '/2018-10-31/layers?find=LayerVersion&Arn=x', 'Lambda.GetLayerVersionByArn'],
    ['GET', '/2018-10-31/layers', 'Lambda.ListLayers'],
    [
      'GET',
      '/2019-09-30/functions/f/provisioned-concurrency?List=ALL',
      'Lambda.ListProvisionedConcurrencyConfigs FunctionName=f',
    ],
    ['PUT', '/restapis', 'none'],
    ['GET', '/restapi', 'none'],
    ['GET', '/restapis/a1/nothing', 'none'],
    ['get', '/restapis', 'none'],
  ])('%s %s -> %s', (httpMethod, url, expected) => {
    expect(routed(httpMethod, url)).toBe(expected);
  });

  test.each(['/restapis/%', '/restapis/%ff', '/restapis/%u0041', '/restapis?limit=%zz'])(
    'never for the broken target %s',
    (url) => {
      expect(() => routed('GET', url)).toThrow(ProtocolError);
    },
  );
});
