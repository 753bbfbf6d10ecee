import type { ApiGateway } from '@gatehouse/aws-api';
import { badRequest, showBasePath, type BasePathMapping, type CertificateText, type DomainName } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';

/** The certificate of CreateDomainName itself, an older form than an ARN; `null` when it brings none. For edge domain names only. */
export function inlineCertificateFromWire(input: ApiGateway.CreateDomainNameRequest): CertificateText | null {
  const { certificateName, certificateBody, certificatePrivateKey, certificateChain } = input;
  if (certificateBody === undefined && certificatePrivateKey === undefined && certificateChain === undefined) return null;
  if (input.certificateArn !== undefined)
    throw badRequest('Either certificateArn or certificateBody can be specified, not both.');
  if (certificateName === undefined || certificateName === '') throw badRequest('Certificate name must be specified');
  if (certificateBody === undefined || certificatePrivateKey === undefined)
    throw badRequest('Certificate body and certificate private key must be specified');
  return { certificate: certificateBody, chain: certificateChain ?? '', privateKey: new Secret(certificatePrivateKey) };
}

/**
 * Hosted zones of AWS's own DNS (AWS General Reference, "Amazon API Gateway endpoints and quotas"). Of no use here, but clients that
 * make DNS records want one.
 */
const DISTRIBUTION_ZONE = 'Z2FDTNDATAQYW2';
const REGIONAL_ZONES: Readonly<Record<string, string>> = {
  'us-east-1': 'Z1UJRXOUMOOFQ8',
  'us-east-2': 'ZOJJZC49E0EPZ',
  'us-west-1': 'Z2MUQ32089INYE',
  'us-west-2': 'Z2OJLYMUO9EFXC',
  'eu-west-1': 'ZLY8HYME6SFDD',
  'eu-central-1': 'Z1U9ULNL0V5AJ3',
};

export function domainNameToWire(domain: DomainName): ApiGateway.DomainName {
  const { name, region, types, targetId } = domain;
  const isEdge = types.includes('EDGE');
  const isRegional = types.includes('REGIONAL');
  return {
    domainName: name,
    domainNameArn: `arn:aws:apigateway:${region}::/domainnames/${name}`,
    certificateName: domain.certificateName ?? undefined,
    certificateArn: domain.certificateArn ?? undefined,
    certificateUploadDate: new Date(domain.certificateUploadedAtMs),
    ...(isRegional && {
      regionalDomainName: `d-${targetId}.execute-api.${region}.amazonaws.com`,
      regionalHostedZoneId: REGIONAL_ZONES[region] ?? REGIONAL_ZONES['us-east-1'],
      regionalCertificateName: domain.regionalCertificateName ?? undefined,
      regionalCertificateArn: domain.regionalCertificateArn ?? undefined,
    }),
    ...(isEdge && {
      distributionDomainName: `d${targetId}.cloudfront.net`,
      distributionHostedZoneId: DISTRIBUTION_ZONE,
    }),
    endpointConfiguration: {
      types: types as readonly ApiGateway.EndpointType[],
      ipAddressType: domain.ipAddressType as ApiGateway.IpAddressType,
    },
    // Nodes hear of it like of any change: within moments, and there is no state in between.
    domainNameStatus: 'AVAILABLE',
    securityPolicy: domain.securityPolicy as ApiGateway.SecurityPolicy,
    endpointAccessMode: (domain.endpointAccessMode as ApiGateway.EndpointAccessMode | null) ?? undefined,
    ownershipVerificationCertificateArn: domain.ownershipVerificationCertificateArn ?? undefined,
    routingMode: 'BASE_PATH_MAPPING_ONLY',
    tags: Object.keys(domain.tags).length > 0 ? domain.tags : undefined,
  };
}

export function basePathMappingToWire({ basePath, restApiId, stage }: BasePathMapping): ApiGateway.BasePathMapping {
  return { basePath: showBasePath(basePath), restApiId, stage: stage ?? undefined };
}
