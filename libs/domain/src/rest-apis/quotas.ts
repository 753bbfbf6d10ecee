/** How much of everything a tenant may have. An operator can raise it. */
export interface Quotas {
  readonly restApis: number;
  /** Of one API, the root included. */
  readonly resources: number;
  readonly integrationTimeoutMsMax: number;
  /** One mapping template, as UTF-8. */
  readonly templateBytes: number;
  readonly policyChars: number;
  readonly domainNames: number;
  /** Of one domain name. */
  readonly basePathMappings: number;
  readonly certificates: number;
}

/**
 * API Gateway guide, "Quotas for configuring and running a REST API". AWS counts Regional (600), edge-optimized (120) and
 * private APIs (600) apart; here one number stands for all.
 */
export const AWS_QUOTAS: Quotas = {
  restApis: 600,
  resources: 300,
  integrationTimeoutMsMax: 29_000,
  templateBytes: 300 * 1024,
  policyChars: 8192,
  domainNames: 120,
  basePathMappings: 200,
  certificates: 2_500,
};
