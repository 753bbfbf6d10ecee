/** `x-amazon-apigateway-integration` (API Gateway guide, "x-amazon-apigateway-integration object"). */
import { badRequest } from '../errors.js';
import type { IntegrationRequest } from '../rest-apis/integration-rules.js';
import type { IntegrationType } from '../rest-apis/rest-api.js';
import type { MethodEntry } from './api-document.js';
import { asFlag, asNumber, asObject, asText, type JsonObject, listOf, member, membersOf, textMap } from './json.js';

const TYPES: readonly string[] = ['HTTP', 'AWS', 'MOCK', 'HTTP_PROXY', 'AWS_PROXY'] satisfies IntegrationType[];

/** Enum values are written in any case; exports write them small. */
const upper = (value: unknown): string | undefined => asText(value)?.toUpperCase();

/** Upper-cased, and one of `values`. Throws BadRequest. */
function oneOf(extension: JsonObject, name: string, values: readonly string[]): string | undefined {
  const value = upper(extension[name]);
  if (value === undefined || values.includes(value)) return value;
  throw badRequest(`Invalid ${name} specified: ${asText(extension[name])}. Valid options are ${values.join(',')}`);
}

const CONTENT_HANDLINGS = ['CONVERT_TO_BINARY', 'CONVERT_TO_TEXT'];

/** Throws BadRequest for a value of an enumeration that it does not have; everything else is judged when the integration is put. */
export function readIntegration(
  extension: JsonObject,
  path: string,
  httpMethod: string,
  warn: (warning: string) => void,
): IntegrationRequest {
  const type = oneOf(extension, 'type', TYPES);
  if (type === undefined) throw badRequest('Integration type must be specified');
  const tlsConfig = asObject(extension['tlsConfig']);
  return {
    type: type as IntegrationType,
    httpMethod: upper(extension['httpMethod']),
    uri: asText(extension['uri']),
    connectionType: oneOf(extension, 'connectionType', ['INTERNET', 'VPC_LINK']),
    connectionId: asText(extension['connectionId']),
    credentials: asText(extension['credentials']),
    requestParameters: readParameters(extension['requestParameters'], path, httpMethod, warn),
    requestTemplates: textMap(extension['requestTemplates']),
    passthroughBehavior: upper(extension['passthroughBehavior']),
    contentHandling: oneOf(extension, 'contentHandling', CONTENT_HANDLINGS),
    timeoutInMillis: asNumber(extension['timeoutInMillis']),
    cacheNamespace: asText(extension['cacheNamespace']),
    cacheKeyParameters: listOf(extension['cacheKeyParameters']).filter((name) => typeof name === 'string'),
    tlsConfig: tlsConfig === null ? undefined : { insecureSkipVerification: asFlag(tlsConfig['insecureSkipVerification']) },
    responseTransferMode: oneOf(extension, 'responseTransferMode', ['BUFFERED', 'STREAM']),
    integrationTarget: asText(extension['integrationTarget']),
  };
}

function readParameters(
  parameters: unknown,
  path: string,
  httpMethod: string,
  warn: (warning: string) => void,
): Record<string, string> | undefined {
  if (asObject(parameters) === null) return undefined;
  const texts: [string, string][] = [];
  for (const [name, value] of membersOf(parameters)) {
    if (typeof value === 'string') texts.push([name, value]);
    else {
      const shown = typeof value === 'object' ? JSON.stringify(value) : String(value);
      warn(
        "Invalid format for 'requestParameters'. Expected type string for property " +
          `'${name}' of resource '${path}' and method '${httpMethod}' but got '${shown}'`,
      );
    }
  }
  return Object.fromEntries(texts);
}

/** By selection pattern; `default` is the response without one. An integration has one response per status: the last of them stays. */
export function readIntegrationResponses(
  responses: unknown,
  where: string,
  warn: (warning: string) => void,
): MethodEntry['integrationResponses'] {
  const byStatus = new Map<string, MethodEntry['integrationResponses'][number]>();
  for (const [pattern, response] of membersOf(responses)) {
    const statusCode = asText(member(response, 'statusCode')) ?? '';
    if (byStatus.has(statusCode))
      warn(`Integration response '${pattern}' of ${where} replaces another with status ${statusCode}`);
    byStatus.set(statusCode, {
      statusCode,
      request: {
        selectionPattern: pattern === 'default' ? undefined : pattern,
        responseParameters: textMap(member(response, 'responseParameters')),
        responseTemplates: textMap(member(response, 'responseTemplates')),
        contentHandling: oneOf(asObject(response) ?? {}, 'contentHandling', CONTENT_HANDLINGS),
      },
    });
  }
  return [...byStatus.values()];
}
