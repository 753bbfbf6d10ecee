/**
 * Where an integration may point (control-plane reference 6.2 "Input constraints", data-plane reference 3.3):
 *
 *   HTTP, HTTP_PROXY   http(s)://host[:port]/...                       with {placeholder} and ${stageVariables.x} anywhere behind the scheme
 *   AWS                arn:{p}:apigateway:{region}:{service}:path/...  or ...:action/...
 *   AWS_PROXY          the same, to a function or to Firehose
 */
import { badRequest } from '../errors.js';

const SERVICE_ARN = /^arn:(aws[a-z-]*):apigateway:([^:]+):([^:]+):(.+)$/s;
/** A function by ARN; name, version and even the whole tail may come from stage variables. */
const FUNCTION_PATH =
  /^path\/(?:2015-03-31\/functions\/(arn:aws[a-z-]*:lambda:[^:/]+:[^:/]+:function:[^/]+)\/invocations|2021-11-15\/functions\/(arn:aws[a-z-]*:lambda:[^:/]+:[^:/]+:function:[^/]+)\/response-streaming-invocations)$/;
export function checkHttpUri(uri: string): void {
  const invalid = badRequest('Invalid HTTP endpoint specified for URI');
  if (!/^https?:\/\/[^/\\?#]/i.test(uri) || /[\s\p{Cc}]/u.test(uri)) throw invalid;
  // Something that suits the place stands for each placeholder while the rest is parsed.
  const filled = uri.replace(/\$\{stageVariables\.[a-zA-Z0-9_]+\}|\{[a-zA-Z0-9._:+-]+\}/g, (_, at: number) =>
    uri[at - 1] === ':' ? '1' : 'a',
  );
  if (!URL.canParse(filled) || new URL(filled).hostname === '') throw invalid;
}

export interface ServiceArn {
  /** E.g. `lambda`, `s3`, `mybucket.s3`. */
  readonly service: string;
  readonly functionArn: string | null;
}

/** Throws BadRequest unless the ARN names a path or an action of a service. */
export function readServiceArn(uri: string): ServiceArn {
  if (!uri.startsWith('arn:') || /[\s\p{Cc}]/u.test(uri)) throw badRequest('Invalid ARN specified in the request');
  const [, , , service, target] = SERVICE_ARN.exec(uri) ?? [];
  if (service === undefined || target === undefined || !/^(?:path|action)\/./s.test(target)) {
    throw badRequest('AWS ARN for integration must contain path or action');
  }
  const match = service === 'lambda' ? FUNCTION_PATH.exec(target) : null;
  return { service, functionArn: match?.[1] ?? match?.[2] ?? null };
}

export function checkProxyUri(uri: string): void {
  const { service, functionArn } = readServiceArn(uri);
  if (functionArn !== null || service === 'firehose') return;
  throw badRequest("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.");
}

/** AWS services are called with a role; functions may rely on their own policy instead. */
export function checkServiceUri(uri: string, credentials: string | null): void {
  const { functionArn } = readServiceArn(uri);
  if (functionArn === null && credentials === null) throw badRequest('Role ARN must be specified for AWS integrations');
}
