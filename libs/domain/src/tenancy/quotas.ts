import { badRequest, limitExceeded } from '../errors.js';

/** How much of everything a tenant may have. An operator can give more, or less. */
export interface Quotas {
  readonly restApis: number;
  /** Of one API, the root included. */
  readonly resources: number;
  /** Of one API. */
  readonly stages: number;
  /** Of one stage. */
  readonly stageVariables: number;
  /** Of one API. */
  readonly authorizers: number;
  /** Of one API. */
  readonly documentationParts: number;
  /** Of one request to an API. */
  readonly payloadBytes: number;
  readonly integrationTimeoutMsMax: number;
  /** One mapping template, as UTF-8. */
  readonly templateBytes: number;
  /** The schema of one model, as UTF-8. */
  readonly modelBytes: number;
  readonly policyChars: number;
  readonly accessLogFormatBytes: number;
  readonly apiKeys: number;
  readonly usagePlans: number;
  readonly usagePlansPerKey: number;
  /** Of one stage in one usage plan. */
  readonly methodThrottles: number;
  readonly domainNames: number;
  /** Of one domain name. */
  readonly basePathMappings: number;
  readonly certificates: number;
  readonly clientCertificates: number;
  readonly vpcLinks: number;
}

export type QuotaName = keyof Quotas;

/**
 * API Gateway guide, "Quotas for configuring and running a REST API". AWS counts Regional (600), edge-optimized (120) and
 * private APIs (600) apart; here one number stands for all.
 */
export const AWS_QUOTAS: Quotas = {
  restApis: 600,
  resources: 300,
  stages: 10,
  stageVariables: 100,
  authorizers: 10,
  documentationParts: 2_000,
  payloadBytes: 10 * 1024 * 1024,
  integrationTimeoutMsMax: 29_000,
  templateBytes: 300 * 1024,
  modelBytes: 400 * 1024,
  policyChars: 8192,
  accessLogFormatBytes: 3 * 1024,
  apiKeys: 10_000,
  usagePlans: 300,
  usagePlansPerKey: 10,
  methodThrottles: 20,
  domainNames: 120,
  basePathMappings: 200,
  certificates: 2_500,
  clientCertificates: 60,
  vpcLinks: 20,
};

/** What the operator said of a tenant; the rest is AWS's. */
export type OwnQuotas = Readonly<Partial<Record<QuotaName, number>>>;

/** Names that this release does not know are of no effect: a newer one may have written them. */
export function withDefaults(own: OwnQuotas): Quotas {
  const known = Object.entries(own).filter(([name]) => isQuotaName(name));
  return { ...AWS_QUOTAS, ...Object.fromEntries(known) };
}

/** A quota is a number that JavaScript counts exactly, and 0 closes what it is about. */
const QUOTA_MAX = 2 ** 31 - 1;

/** What the operator asks for; `null` returns a quota to AWS's. Throws BadRequest with all that is wrong. */
export function changeQuotas(own: OwnQuotas, changes: Readonly<Record<string, unknown>>): OwnQuotas {
  const problems = Object.entries(changes).flatMap(([name, value]) => {
    if (!isQuotaName(name)) return [`Unknown quota "${name}". There are ${Object.keys(AWS_QUOTAS).join(', ')}`];
    const fits = value === null || (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= QUOTA_MAX);
    return fits ? [] : [`Invalid value for quota ${name}: expected a whole number from 0 to ${QUOTA_MAX}, or null`];
  });
  if (problems.length > 0) throw badRequest(problems.join('; '));
  const changed = { ...own, ...changes } as Record<string, number | null>;
  return Object.fromEntries(Object.entries(changed).filter(([, value]) => value !== null)) as OwnQuotas;
}

/** Throws LimitExceeded when there are as many as may be. */
export function checkRoom(quotas: Quotas, name: QuotaName, count: number, text: string): void {
  if (count >= quotas[name]) throw limitExceeded(`${text}${quotaNote(quotas, name)}`);
}

/** Like `checkRoom`, for a text that is AWS's word for word: nothing is added to it while the quota is AWS's, too. */
export function checkRoomAsAws(quotas: Quotas, name: QuotaName, count: number, text: string): void {
  if (count >= quotas[name]) throw limitExceeded(`${text}${ownQuotaNote(quotas, name)}`);
}

/** At the end of an error's message: what the operator would have to raise. */
export const quotaNote = (quotas: Quotas, name: QuotaName): string => ` (quota ${name}: ${quotas[name]})`;

/** At the end of a text that is AWS's word for word. */
export const ownQuotaNote = (quotas: Quotas, name: QuotaName): string =>
  quotas[name] === AWS_QUOTAS[name] ? '' : quotaNote(quotas, name);

const isQuotaName = (name: string): name is QuotaName => Object.hasOwn(AWS_QUOTAS, name);
