/**
 * Access keys, as nodes are told of them:
 *
 *   ACCESS_KEY  {accessKeyId}   its principal, the principal's identity policy, and signing keys
 *
 * Sessions are access keys with an end, whose signing keys lie beside the digest of their token: a node that knows of no sessions finds none.
 *
 * Only enabled keys of tenants that have callers: a stage with AWS_IAM, or a policy of a principal that calls APIs of others. The stage says so in
 * its entry (`signedStageInline`), so that its tenant's other entries need not be read. Nodes get keys of days and regions, never the
 * secret (ADR 0011); `refreshAccessKeys` sees to the days to come.
 */
import { isSigned, type AccessKeyEntry, type StageSnapshot } from '@gatehouse/contracts';
import {
  poolsField,
  type Credential,
  type EntryContent,
  type IdentityPolicy,
  type ManifestEntry,
  type Session,
  type Store,
  type TenantId,
  type TenantRepositories,
} from '@gatehouse/domain';
import { canonicalJson, type Secret } from '@gatehouse/kernel';
import { deriveSigningKey } from '@gatehouse/sigv4';
import { poolsOfFunctions } from './placement.js';

const SERVICE = 'execute-api';
const DAY_MS = 86_400_000;
/** A presigned request may be as old. */
const DAYS_BEFORE = 7;
/** How long nodes go on without a control plane. */
const DAYS_AHEAD = 7;
const PAGE_LIMIT = 1_000;
/** The longest that STS makes. */
const SESSION_MS_MAX = 129_600_000;
const HOUR_MS = 3_600_000;
/** So long after its end nodes know a session and say that it has expired; after that, it never was. */
const ENDED_KEPT_MS = HOUR_MS;

/** Inline part of a STAGE entry whose nodes check signatures. */
interface SignedStage {
  readonly signedIn: string;
}

/** Empty for a stage that no caller signs for. */
export function signedStageInline({ region, routes, canary }: StageSnapshot): string {
  const signed: SignedStage = { signedIn: region };
  const ofCanary = canary?.routes.filter((route) => typeof route !== 'number') ?? [];
  return [...routes, ...ofCanary].some(({ authorization }) => isSigned(authorization)) ? canonicalJson(signed) : '';
}

/** Puts what was read before anything was written: whoever holds the manifest waits for nobody. */
export type PutAccessKeys = () => Promise<void>;

/**
 * For a stage that is published with `inline`: `null` when the nodes know the tenant's keys already. The caller holds the placement, shared;
 * whoever changes keys or policies locks it.
 */
export async function accessKeysFor(tx: TenantRepositories, inline: string, nowMs: number): Promise<PutAccessKeys | null> {
  if (inline === '') return null;
  const { signedIn } = JSON.parse(inline) as SignedStage;
  const regions = await callerRegions(tx);
  return regions.includes(signedIn) ? null : readAccessKeys(tx, [...regions, signedIn].sort(), nowMs);
}

/** Brings the nodes up to date with all keys of the tenant. The caller has locked the placement, and written everything it changes. */
export async function publishAccessKeys(tx: TenantRepositories, nowMs: number): Promise<void> {
  const put = await readAccessKeys(tx, await callerRegions(tx), nowMs);
  await put();
}

/** Tells nodes of a new session, and of nothing else. The caller has locked the placement. */
export async function publishSession(tx: TenantRepositories, session: Session, key: Credential): Promise<void> {
  const regions = await callerRegions(tx);
  if (regions.length === 0) return;
  const policy = await tx.identityPolicies.find(key.principalArn);
  const pools = poolsField(await poolsOfFunctions(tx));
  await tx.manifest.put('ACCESS_KEY', session.accessKeyId, contentOf(sessionEntry(session, key, policy, regions), pools));
}

/** Takes a key that is no more from the nodes. */
export async function unpublishAccessKey(tx: TenantRepositories, accessKeyId: string): Promise<void> {
  const present = await tx.manifest.find('ACCESS_KEY', accessKeyId);
  if (present !== null && present.content !== null) await tx.manifest.remove('ACCESS_KEY', accessKeyId);
}

/** Where callers of this tenant sign for; sorted. */
async function callerRegions(tx: TenantRepositories): Promise<string[]> {
  const stages = (await tx.manifest.inlines('STAGE')).map((inline) => (JSON.parse(inline) as SignedStage).signedIn);
  const policies = (await tx.identityPolicies.all()).flatMap(({ region }) => (region === null ? [] : [region]));
  return [...new Set([...stages, ...policies])].sort();
}

async function readAccessKeys(tx: TenantRepositories, regions: readonly string[], nowMs: number): Promise<PutAccessKeys> {
  const keys = await tx.accessKeys.all();
  const policies = new Map((await tx.identityPolicies.all()).map((policy) => [policy.principalArn, policy]));
  const pools = poolsField(await poolsOfFunctions(tx));
  const sessions = Map.groupBy(await tx.sessions.all(), ({ madeBy }) => madeBy);
  const withdrawn: string[] = [];
  const served = new Map<string, EntryContent>();
  for (const key of keys) {
    const own = sessions.get(key.accessKeyId) ?? [];
    if (!key.enabled || regions.length === 0) withdrawn.push(key.accessKeyId, ...own.map(({ accessKeyId }) => accessKeyId));
    else {
      const policy = policies.get(key.principalArn) ?? null;
      served.set(key.accessKeyId, contentOf(accessKeyEntry(key, policy, regions, nowMs), pools));
      for (const session of own) served.set(session.accessKeyId, contentOf(sessionEntry(session, key, policy, regions), pools));
    }
  }
  return async () => {
    for (const [id, content] of served) await tx.manifest.put('ACCESS_KEY', id, content);
    for (const id of withdrawn) await unpublishAccessKey(tx, id);
  };
}

function accessKeyEntry(
  { accessKeyId, tenant, principalArn, secret }: Credential,
  policy: IdentityPolicy | null,
  regions: readonly string[],
  nowMs: number,
): AccessKeyEntry {
  return {
    accessKeyId,
    tenant,
    principalArn,
    userId: userIdOf({ principalArn, tenant, accessKeyId }),
    policy: policy?.document ?? null,
    signingKeys: signingKeysOf(secret, nowMs - DAYS_BEFORE * DAY_MS, nowMs + DAYS_AHEAD * DAY_MS, regions),
  };
}

/** All its days at once, so it need not be sent again. */
function sessionEntry(
  { accessKeyId, secret, tokenDigest, expiresAtMs, madeBy }: Session,
  key: Credential,
  policy: IdentityPolicy | null,
  regions: readonly string[],
): AccessKeyEntry {
  const { tenant, principalArn } = key;
  const signingKeys = signingKeysOf(secret, expiresAtMs - SESSION_MS_MAX - HOUR_MS, expiresAtMs, regions);
  return {
    accessKeyId,
    tenant,
    principalArn,
    userId: userIdOf(key),
    policy: policy?.document ?? null,
    signingKeys: {},
    session: { tokenDigest, expiresAtMs, madeBy, signingKeys },
  };
}

const contentOf = (entry: AccessKeyEntry, pools: Pick<EntryContent, 'pools'>): EntryContent => ({
  digest: null,
  blobBytes: 0,
  inline: canonicalJson(entry),
  ...pools,
});

/** As GetCallerIdentity says it: IAM's own unique ids are not ours to make. */
const userIdOf = ({ principalArn, tenant, accessKeyId }: Pick<Credential, 'principalArn' | 'tenant' | 'accessKeyId'>): string =>
  principalArn.endsWith(':root') ? tenant : accessKeyId;

/** Of the days that these two lie in, and of all between. */
function signingKeysOf(secret: Secret, firstMs: number, lastMs: number, regions: readonly string[]): Record<string, string> {
  const keys: Record<string, string> = {};
  for (let ms = firstMs - (firstMs % DAY_MS); ms <= lastMs; ms += DAY_MS) {
    const date = dateText(ms);
    for (const region of regions)
      keys[`${date}/${region}`] = deriveSigningKey(secret.reveal(), date, region, SERVICE).toString('base64');
  }
  return keys;
}

/** `yyyymmdd`. */
const dateText = (ms: number): string => new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');

/**
 * Gives nodes the keys of the day that lies `DAYS_AHEAD` from now, and withdraws those of tenants that have no callers any more, and sessions that
 * ended. Safe to run twice, and at any time; what is up to date is not touched. Returns how many tenants were seen to.
 */
export async function refreshAccessKeys(
  store: Pick<Store, 'directory' | 'manifest' | 'tenants'>,
  nowMs: number,
): Promise<number> {
  const lastDate = dateText(nowMs + DAYS_AHEAD * DAY_MS);
  const endedBeforeMs = nowMs - ENDED_KEPT_MS;
  /** With the entries of sessions that ended. */
  const due = new Map<TenantId, string[]>();
  for (const tenant of await store.directory.tenantsOfEndedSessions(endedBeforeMs)) due.set(tenant, []);
  let after = 0;
  for (;;) {
    const entries: readonly ManifestEntry[] = await store.manifest.page(['ACCESS_KEY'], after, PAGE_LIMIT);
    for (const { tenant, id, content } of entries) {
      if (content!.inline.includes(`"${lastDate}/`)) continue;
      const { session } = JSON.parse(content!.inline) as AccessKeyEntry;
      if (session !== undefined && session.expiresAtMs >= endedBeforeMs) continue;
      const ended = due.get(tenant) ?? [];
      due.set(tenant, session === undefined ? ended : [...ended, id]);
    }
    if (entries.length < PAGE_LIMIT) break;
    after = entries.at(-1)!.revision;
  }
  for (const [tenant, ended] of due) {
    await store.tenants.transact(tenant, async (tx) => {
      await tx.placement.lock();
      await removeEndedSessions(tx, endedBeforeMs);
      for (const id of ended) await unpublishAccessKey(tx, id);
      await publishAccessKeys(tx, nowMs);
    });
  }
  return due.size;
}

async function removeEndedSessions(tx: TenantRepositories, endedBeforeMs: number): Promise<void> {
  const ended = (await tx.sessions.all()).filter(({ expiresAtMs }) => expiresAtMs < endedBeforeMs);
  for (const { accessKeyId } of ended) await unpublishAccessKey(tx, accessKeyId);
  await tx.sessions.removeAll(ended.map(({ accessKeyId }) => accessKeyId));
}
