import type { ApiGateway } from '@gatehouse/aws-api';
import type { ClientCertificate, TextMap, VpcLink } from '@gatehouse/domain';

export function clientCertificateToWire(certificate: ClientCertificate): ApiGateway.ClientCertificate {
  return {
    clientCertificateId: certificate.id,
    description: certificate.description ?? undefined,
    pemEncodedCertificate: certificate.certificatePem,
    createdDate: new Date(certificate.createdAtMs),
    expirationDate: new Date(certificate.expiresAtMs),
    tags: tagsUnlessNone(certificate.tags),
  };
}

/** As every answer but the first shows it: there is nothing to build, so it is ready when next somebody looks. */
export function vpcLinkToWire(link: VpcLink): ApiGateway.VpcLink {
  return {
    id: link.id,
    name: link.name,
    description: link.description ?? undefined,
    targetArns: link.targetArns,
    status: 'AVAILABLE',
    statusMessage: 'Your vpc link is ready for use',
    tags: tagsUnlessNone(link.tags),
  };
}

export function newVpcLinkToWire(link: VpcLink): ApiGateway.VpcLink {
  return { ...vpcLinkToWire(link), status: 'PENDING', statusMessage: undefined };
}

const tagsUnlessNone = (tags: TextMap): TextMap | undefined => (Object.keys(tags).length > 0 ? tags : undefined);
