/**
 * Where a service is, and what requests to it are signed for: what its tenant registered, else AWS itself.
 *
 *   {subdomain.}{service}   AWS                                              registered
 *   dynamodb                https://dynamodb.{region}.amazonaws.com          the endpoint
 *   runtime.sagemaker       https://runtime.sagemaker.{region}.amazonaws.com that of `runtime.sagemaker`, else that of `sagemaker`
 *   {bucket}.s3             https://{bucket}.s3.{region}.amazonaws.com       the endpoint, and the bucket as the first segment of the path
 */
import type { ServiceIntegrationSnapshot } from '@gatehouse/contracts';
import type { ServiceAccessView } from '@gatehouse/engine-exchange';

export interface ServiceEndpoint {
  /** Scheme and authority. */
  readonly origin: string;
  /** As the Host header has it. */
  readonly host: string;
  /** In front of the integration's path; no slash at its end. */
  readonly pathPrefix: string;
  readonly region: string;
}

/** Services with one endpoint for all regions of the partition `aws`, and the region that signatures for it name. */
const GLOBAL: Readonly<Record<string, string>> = {
  cloudfront: 'us-east-1',
  iam: 'us-east-1',
  organizations: 'us-east-1',
  route53: 'us-east-1',
  shield: 'us-east-1',
  waf: 'us-east-1',
};

/** Where the name in a signature is not that of the endpoint. */
const SIGNING_NAMES: Readonly<Record<string, string>> = {
  'bedrock-runtime': 'bedrock',
  email: 'ses',
  iot: 'iotdata',
  'runtime-v2-lex': 'lex',
};

export const signingName = (service: string): string =>
  Object.hasOwn(SIGNING_NAMES, service) ? SIGNING_NAMES[service]! : service;

/** A subdomain with its values in place: what they hold must lead to no other host. */
export function isHostName(text: string): boolean {
  return (
    text.length <= 200 &&
    /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/.test(text)
  );
}

export function serviceEndpoint(
  { partition, region, service }: Pick<ServiceIntegrationSnapshot, 'partition' | 'region' | 'service'>,
  subdomain: string | null,
  access: ServiceAccessView | null,
): ServiceEndpoint {
  const registered =
    (subdomain === null ? null : access?.endpoint(`${subdomain}.${service}`)) ?? access?.endpoint(service) ?? null;
  if (registered === null) return endpointOfAws(partition, region, service, subdomain);
  const { origin, host, pathname } = new URL(registered.endpoint);
  const bucket = service === 's3' && subdomain !== null ? `/${subdomain}` : '';
  return { origin, host, pathPrefix: `${pathname.replace(/\/$/, '')}${bucket}`, region: registered.region ?? region };
}

function endpointOfAws(partition: string, region: string, service: string, subdomain: string | null): ServiceEndpoint {
  const prefix = subdomain === null ? '' : `${subdomain}.`;
  const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  const globalRegion = partition === 'aws' && Object.hasOwn(GLOBAL, service) ? GLOBAL[service]! : null;
  const host = `${prefix}${service}${globalRegion === null ? `.${region}` : ''}.${suffix}`;
  return { origin: `https://${host}`, host, pathPrefix: '', region: globalRegion ?? region };
}
