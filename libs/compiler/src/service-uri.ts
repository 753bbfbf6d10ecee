/**
 * Which service an integration of type AWS calls, and how (data-plane reference §3.3):
 *
 *   arn:{partition}:apigateway:{region}:{subdomain.}{service}:path/{path}
 *   arn:{partition}:apigateway:{region}:{subdomain.}{service}:action/{action}[&{name}={value}...]
 *
 * The service is the last name before the colon; `{placeholders}` may stand in subdomain, path and values, never in what says whom a
 * request is signed for.
 */

export interface ServiceUri {
  readonly partition: string;
  readonly region: string;
  readonly service: string;
  readonly subdomain: string | null;
  readonly path: string;
  readonly action: string | null;
}

const PARTITION = /^aws[a-z-]{0,20}$/;
const REGION = /^[a-z]{2,10}(?:-[a-z]{1,20}){1,3}-\d{1,2}$/;
const SERVICE = /^[a-z0-9][a-z0-9-]{0,62}$/;
const SUBDOMAIN = /^(?:[A-Za-z0-9_-]|\{[A-Za-z0-9._$-]+\})+(?:\.(?:[A-Za-z0-9_-]|\{[A-Za-z0-9._$-]+\})+)*$/;
const ACTION = /^[A-Za-z][A-Za-z0-9]{0,127}$/;
const CHARS_MAX = 2_048;

/** What the URI names, or what is wrong with it. Stage variables are in place. */
export function readServiceUri(uri: string): ServiceUri | string {
  if (uri.length > CHARS_MAX) return `the ARN is longer than ${CHARS_MAX} characters`;
  const [arn, partition = '', apiGateway, region = '', name = '', ...rest] = uri.split(':');
  const target = rest.join(':');
  if (arn !== 'arn' || apiGateway !== 'apigateway')
    return 'expected arn:{partition}:apigateway:{region}:{service}:path/... or action/...';
  if (!PARTITION.test(partition)) return `"${partition}" is not a partition`;
  if (!REGION.test(region)) return `"${region}" is not a region`;
  if (/[\s\\#]/.test(target)) return 'the path holds blanks, backslashes or a fragment';
  if (/[{}]/.test(target.replace(/\{[A-Za-z0-9._$-]+\}/g, ''))) return 'the path holds a brace that names nothing';
  const dot = name.lastIndexOf('.');
  const service = name.slice(dot + 1);
  const subdomain = dot === -1 ? null : name.slice(0, dot);
  if (!SERVICE.test(service)) return `"${service}" is not the name of a service`;
  if (subdomain !== null && !SUBDOMAIN.test(subdomain)) return `"${subdomain}" cannot stand before the name of a service`;
  const common = { partition, region, service, subdomain };
  if (target.startsWith('path/')) return { ...common, path: target.slice('path'.length), action: null };
  if (!target.startsWith('action/')) return 'AWS ARN for integration must contain path or action';
  const [action = '', ...parameters] = target.slice('action/'.length).split('&');
  if (!ACTION.test(action)) return `"${action}" is not the name of an action`;
  if (service === 's3') return 'S3 has no actions that could be called by their names: name a path';
  return { ...common, path: parameters.length === 0 ? '/' : `/?${parameters.join('&')}`, action };
}
