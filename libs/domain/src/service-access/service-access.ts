/**
 * How a tenant's integrations reach AWS services: where a service is, if not with AWS, and the credentials that stand for a role. Gatehouse
 * assumes no roles; it signs with what its owner gives it, as AWS does with what STS gives it.
 */
import { Secret } from '@gatehouse/kernel';
import { badRequest, limitExceeded } from '../errors.js';

export interface ServiceEndpoint {
  /** `https://host:port`, and a path in front of all others if it has one; no slash at its end. */
  readonly endpoint: string;
  /** That signatures are for; `null`: that of the integration. */
  readonly region: string | null;
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  /** Of temporary credentials. */
  readonly sessionToken: Secret | null;
  readonly updatedAtMs: number;
}

export interface ServiceAccess {
  /** By `s3`, or `runtime.sagemaker`. */
  readonly services: Readonly<Record<string, ServiceEndpoint>>;
  /** By name with path: `service-role/orders`. */
  readonly roles: Readonly<Record<string, RoleCredentials>>;
  /** Roles that published stages sign with, by `{apiId}/{stageName}`. Whoever publishes a stage writes it. */
  readonly users: Readonly<Record<string, readonly string[]>>;
}

export const NO_SERVICE_ACCESS: ServiceAccess = { services: {}, roles: {}, users: {} };

/** Ours: all of them are one manifest entry. */
const SERVICES_MAX = 100;
const ROLES_MAX = 100;

export interface RoleText {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

/** Throws BadRequest, and LimitExceeded. */
export function withService(access: ServiceAccess, service: string, endpoint: string, region: string | null): ServiceAccess {
  if (!/^(?:[a-z0-9-]{1,63}\.){0,3}[a-z0-9-]{1,63}$/.test(service))
    throw badRequest(
      `Invalid service "${service}": expected the name in an integration's URI, e.g. dynamodb or runtime.sagemaker`,
    );
  if (region !== null && !/^[a-z0-9-]{1,32}$/.test(region)) throw badRequest(`Invalid region "${region}"`);
  const services = { ...access.services, [service]: { endpoint: readEndpoint(endpoint), region } };
  if (Object.keys(services).length > SERVICES_MAX) throw limitExceeded(`At most ${SERVICES_MAX} services can be registered`);
  return { ...access, services };
}

export function withRole(access: ServiceAccess, name: string, text: RoleText, nowMs: number): ServiceAccess {
  if (!/^[A-Za-z0-9+=,.@_/-]{1,512}$/.test(name) || name.startsWith('/')) throw badRequest(`Invalid role name "${name}"`);
  if (!/^[A-Za-z0-9_]{1,128}$/.test(text.accessKeyId)) throw badRequest('Invalid accessKeyId');
  // It becomes a header.
  for (const member of ['secretAccessKey', 'sessionToken'] as const) {
    const value = text[member];
    if (value !== null && !/^[\x21-\x7e]{1,8192}$/.test(value)) throw badRequest(`Invalid ${member}`);
  }
  const credentials: RoleCredentials = {
    accessKeyId: text.accessKeyId,
    secretAccessKey: new Secret(text.secretAccessKey),
    sessionToken: text.sessionToken === null ? null : new Secret(text.sessionToken),
    updatedAtMs: nowMs,
  };
  const roles = { ...access.roles, [name]: credentials };
  if (Object.keys(roles).length > ROLES_MAX) throw limitExceeded(`At most ${ROLES_MAX} roles can have credentials`);
  return { ...access, roles };
}

/** Of one that uses none: without the stage. */
export function withUser(access: ServiceAccess, stage: string, roles: readonly string[]): ServiceAccess {
  const others = Object.entries(access.users).filter(([other]) => other !== stage);
  const users = Object.fromEntries(roles.length === 0 ? others : [...others, [stage, roles] as const]);
  return { ...access, users };
}

/** Never quoted: there may be a password in it. Whether the addresses behind it may be reached is the nodes' question, and asked with each connection. */
function readEndpoint(text: string): string {
  const invalid = badRequest('Invalid endpoint: expected http(s)://host[:port][/path]');
  if (text.length > 1_024 || !/^https?:\/\/[^/?#\\\s]/i.test(text) || /[?#\s\\{}]/.test(text) || !URL.canParse(text))
    throw invalid;
  const url = new URL(text);
  const port = url.port === '' ? 443 : Number(url.port);
  if (url.username !== '' || url.password !== '') throw invalid;
  if (port !== 80 && port !== 443 && port < 1_024)
    throw badRequest(`Invalid endpoint: port ${port} is not allowed (80, 443, 1024 to 65535 are)`);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
