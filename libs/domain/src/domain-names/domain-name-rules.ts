import { badRequest, notFound, validationError } from '../errors.js';
import { checkTags } from '../tenancy/tags.js';
import type { DomainName } from './domain-name.js';

const NAME_CHARS_MAX = 253;
const TYPES = ['REGIONAL', 'EDGE', 'PRIVATE'];
const IP_ADDRESS_TYPES = ['ipv4', 'dualstack'];
const ENDPOINT_ACCESS_MODES = ['BASIC', 'STRICT'];
const ROUTING_MODES = ['BASE_PATH_MAPPING_ONLY', 'ROUTING_RULE_ONLY', 'ROUTING_RULE_THEN_BASE_PATH_MAPPING'];
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What CreateDomainName may say; absent members are `undefined`. */
export interface DomainNameRequest {
  readonly domainName: string;
  readonly endpointConfiguration?:
    | {
        readonly types?: readonly string[] | undefined;
        readonly ipAddressType?: string | undefined;
        readonly vpcEndpointIds?: readonly string[] | undefined;
      }
    | undefined;
  readonly certificateArn?: string | undefined;
  readonly certificateName?: string | undefined;
  readonly regionalCertificateArn?: string | undefined;
  readonly regionalCertificateName?: string | undefined;
  readonly ownershipVerificationCertificateArn?: string | undefined;
  readonly securityPolicy?: string | undefined;
  readonly endpointAccessMode?: string | undefined;
  readonly routingMode?: string | undefined;
  readonly policy?: string | undefined;
  readonly mutualTlsAuthentication?:
    | { readonly truststoreUri?: string | undefined; readonly truststoreVersion?: string | undefined }
    | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

type Identity = Pick<DomainName, 'region' | 'createdAtMs' | 'targetId' | 'inlineCertificateId'>;

export function newDomainName(request: DomainNameRequest, identity: Identity): DomainName {
  const { types = ['EDGE'], ipAddressType = 'ipv4', vpcEndpointIds = [] } = request.endpointConfiguration ?? {};
  for (const type of types) readEndpointType(type);
  if (vpcEndpointIds.length > 0) throw privateOnly('endpointConfiguration.vpcEndpointIds');
  if (types.length > 1) throw badRequest('Cannot create a domain name with multiple Endpoint Types.');
  if (request.policy !== undefined && request.policy !== '') throw privateOnly('policy');
  if (request.routingMode !== undefined) readRoutingMode(request.routingMode);
  if (request.mutualTlsAuthentication !== undefined) refuseTruststore(request.mutualTlsAuthentication.truststoreUri ?? '');
  return checkDomainName({
    ...identity,
    name: checkName(request.domainName),
    types,
    ipAddressType: readIpAddressType(ipAddressType),
    certificateArn: request.certificateArn || null,
    certificateName: request.certificateName || null,
    regionalCertificateArn: request.regionalCertificateArn || null,
    regionalCertificateName: request.regionalCertificateName || null,
    certificateUploadedAtMs: identity.createdAtMs,
    ownershipVerificationCertificateArn: request.ownershipVerificationCertificateArn || null,
    securityPolicy: readSecurityPolicy(request.securityPolicy ?? 'TLS_1_2'),
    endpointAccessMode: readEndpointAccessMode(request.endpointAccessMode ?? ''),
    tags: checkTags(request.tags ?? {}),
  });
}

/** Throws BadRequest unless it is one that may exist; returns it. Whether its certificates do is the caller's question. */
export function checkDomainName(domain: DomainName): DomainName {
  const { types } = domain;
  if (types.length === 0) throw badRequest('A domain name must have at least one Endpoint Type.');
  if (types.includes('EDGE') && domain.certificateArn === null && domain.inlineCertificateId === null)
    throw badRequest('A certificate was not provided for the endpoint type EDGE.');
  if (types.includes('REGIONAL') && domain.regionalCertificateArn === null)
    throw badRequest('A certificate was not provided for the endpoint type REGIONAL.');
  if (!types.includes('EDGE') && domain.certificateArn !== null)
    throw badRequest('certificateArn can only be set for the endpoint type EDGE.');
  if (!types.includes('REGIONAL') && domain.regionalCertificateArn !== null)
    throw badRequest('regionalCertificateArn can only be set for the endpoint type REGIONAL.');
  return domain;
}

function checkName(name: string): string {
  const host = name.startsWith('*.') ? name.slice(2) : name;
  const labels = host.split('.');
  const isHost = name.length <= NAME_CHARS_MAX && labels.length >= 2 && labels.every((label) => LABEL.test(label));
  // An address is none, and a last label of digits would read as one.
  if (!isHost || /^\d+$/.test(labels.at(-1)!)) throw badRequest(`Invalid domain name identifier specified: ${name}`);
  return name;
}

export function readEndpointType(value: string): string {
  if (!TYPES.includes(value)) throw badRequest(`Invalid EndpointTypes specified. Valid options are ${TYPES.join(',')}`);
  if (value === 'PRIVATE') throw badRequest('Private custom domain names are not available on this server.');
  return value;
}

export const readIpAddressType = (value: string): string => {
  if (!IP_ADDRESS_TYPES.includes(value)) throw badRequest('ipAddressType must be either ipv4 or dualstack.');
  return value;
};

/** `TLS_1_0`, `TLS_1_2`, `SecurityPolicy_TLS13_...`: AWS adds names often, so the form decides. */
export function readSecurityPolicy(value: string): string {
  if (/^(?:TLS_1_[02]|SecurityPolicy_TLS1[23]_[A-Za-z0-9_]{1,64})$/.test(value)) return value;
  throw badRequest(`Invalid security policy specified: "${value}"`);
}

/** STRICT would have nodes compare SNI and Host, which they do not: what is not enforced is not accepted. */
export function readEndpointAccessMode(value: string): string | null {
  if (value === '') return null;
  if (!ENDPOINT_ACCESS_MODES.includes(value)) throw notInEnum(value, 'endpointAccessMode', ENDPOINT_ACCESS_MODES);
  if (value === 'STRICT') throw badRequest('The endpoint access mode STRICT is not available on this server.');
  return value;
}

export function readRoutingMode(value: string): void {
  if (!ROUTING_MODES.includes(value)) throw notInEnum(value, 'routingMode', ROUTING_MODES);
  if (value !== ROUTING_MODES[0]) throw badRequest('Routing rules are not available on this server.');
}

/** A domain name with a truststore lets nobody in without a certificate, so accepting it without asking for one would open a door. */
export function refuseTruststore(uri: string): void {
  if (uri !== '') throw badRequest('Mutual TLS authentication of domain names is not available on this server.');
}

export const privateOnly = (member: string): Error =>
  badRequest(`${member} can only be set for private custom domain names, which are not available on this server.`);

function notInEnum(value: string, member: string, values: readonly string[]): Error {
  return validationError(
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy constraint: ` +
      `Member must satisfy enum value set: [${values.join(', ')}]`,
  );
}

export const unknownDomainName = (): Error => notFound('Invalid domain name identifier specified');
