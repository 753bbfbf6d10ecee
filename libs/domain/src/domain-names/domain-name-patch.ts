import type { Change, PatchRule, PatchRules } from '../patch/patch.js';
import { optionalProperty, property, textOrNull } from '../patch/rules.js';
import type { DomainName } from './domain-name.js';
import {
  privateOnly,
  readEndpointAccessMode,
  readEndpointType,
  readIpAddressType,
  readRoutingMode,
  readSecurityPolicy,
  refuseTruststore,
} from './domain-name-rules.js';

const NOTHING: Change<DomainName> = (domain) => domain;

/** UpdateDomainName; `checkDomainName` judges what comes out. */
export const domainNamePatchRules: PatchRules<DomainName> = {
  style: 'listsPaths',
  rules: [
    optionalProperty('/certificateName', 'certificateName', textOrNull, null),
    certificateArnRule(),
    optionalProperty('/regionalCertificateName', 'regionalCertificateName', textOrNull, null),
    optionalProperty('/regionalCertificateArn', 'regionalCertificateArn', textOrNull, null),
    optionalProperty('/ownershipVerificationCertificateArn', 'ownershipVerificationCertificateArn', textOrNull, null),
    {
      path: '/endpointConfiguration/types',
      add: ({ value }) => {
        const type = readEndpointType(value);
        return (domain) => (domain.types.includes(type) ? domain : { ...domain, types: [...domain.types, type] });
      },
      remove: ({ value }) => withoutType(value),
    },
    {
      // The last segment is an index (Terraform) or the old type (CLI).
      path: '/endpointConfiguration/types/{old}',
      replace: ({ key, value }) => {
        const type = readEndpointType(value);
        return (domain) => {
          const old = /^\d$/.test(key) ? domain.types[Number(key)] : key;
          if (old === undefined || old === type) return domain;
          const rest = withoutType(old)(domain);
          return { ...rest, types: [...new Set([...rest.types, type])] };
        };
      },
    },
    property('/endpointConfiguration/ipAddressType', 'ipAddressType', readIpAddressType),
    property('/securityPolicy', 'securityPolicy', readSecurityPolicy),
    property('/endpointAccessMode', 'endpointAccessMode', readEndpointAccessMode),
    { path: '/routingMode', replace: ({ value }) => (readRoutingMode(value), NOTHING) },
    ...['/managementPolicy', '/policy'].map((path): PatchRule<DomainName> => ({
      path,
      replace: ({ value }) => {
        if (value !== '') throw privateOnly(path);
        return NOTHING;
      },
    })),
    ...['/mutualTlsAuthentication/truststoreUri', '/mutualTlsAuthentication/truststoreVersion'].map(truststoreRule),
  ],
};

/** An ARN takes the place of a certificate that came with the domain name. */
function certificateArnRule(): PatchRule<DomainName> {
  const set =
    (arn: string | null): Change<DomainName> =>
    (domain) => ({ ...domain, certificateArn: arn, inlineCertificateId: null });
  return {
    path: '/certificateArn',
    add: ({ value }) => set(textOrNull(value)),
    replace: ({ value }) => set(textOrNull(value)),
    remove: () => set(null),
  };
}

/** With the certificates of the type: the calls that AWS documents for moving a domain name remove the type alone. */
function withoutType(type: string): Change<DomainName> {
  return (domain) => {
    const rest = { ...domain, types: domain.types.filter((other) => other !== type) };
    if (type === 'EDGE') return { ...rest, certificateArn: null, certificateName: null, inlineCertificateId: null };
    return type === 'REGIONAL' ? { ...rest, regionalCertificateArn: null, regionalCertificateName: null } : rest;
  };
}

/** Terraform switches mutual TLS off by an empty URI, also where it never was on. */
function truststoreRule(path: string): PatchRule<DomainName> {
  const set = ({ value }: { value: string }): Change<DomainName> => {
    refuseTruststore(value);
    return NOTHING;
  };
  return { path, add: set, replace: set, remove: () => NOTHING };
}
