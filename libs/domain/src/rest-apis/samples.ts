/** Entities for specs of any room: `@gatehouse/domain/samples`. Each is complete and plain; a spec states what it is about. */
import type { RestApi } from './rest-api.js';

export function sampleRestApi(about: Partial<RestApi> = {}): RestApi {
  return {
    id: 'api1234567',
    name: 'pets',
    description: null,
    version: null,
    createdAtMs: 0,
    region: 'us-east-1',
    rootResourceId: 'root',
    binaryMediaTypes: [],
    minimumCompressionSize: null,
    apiKeySource: 'HEADER',
    endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'ipv4', vpcEndpointIds: [] },
    policy: null,
    disableExecuteApiEndpoint: false,
    securityPolicy: null,
    endpointAccessMode: null,
    tags: {},
    ...about,
  };
}

export { sampleCertificate, sampleDomainName } from '../domain-names/samples.js';
