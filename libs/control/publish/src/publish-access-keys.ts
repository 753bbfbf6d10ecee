/**
 * Access keys, as nodes are told of them:
 *
 *   ACCESS_KEY  {accessKeyId}   its principal, the principal's identity policy, and signing keys
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
  type Store,
  type TenantId,
  type TenantRepositories,
} from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { deriveSigningKey } from '@gatehouse/sigv4';
import { poolsOfFunctions } from './placement.js';

const SERVICE = 'execute-api';
const DAY_MS = 86_400_000;
/** A presigned request may be as old. */
const DAYS_BEFORE = 7;
/** How long nodes go on without a control plane. */
const DAYS_AHEAD = 7;
const PAGE_LIMIT = 1_000;

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
  const withdrawn: string[] = [];
  const served = new Map<string, EntryContent>();
  for (const key of keys) {
    if (!key.enabled || regions.length === 0) withdrawn.push(key.accessKeyId);
    else {
      const inline = canonicalJson(accessKeyEntry(key, policies.get(key.principalArn) ?? null, regions, nowMs));
      served.set(key.accessKeyId, { digest: null, blobBytes: 0, inline, ...pools });
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
  const signingKeys: Record<string, string> = {};
  for (let day = -DAYS_BEFORE; day <= DAYS_AHEAD; day++) {
    const date = dateText(nowMs + day * DAY_MS);
    for (const region of regions)
      signingKeys[`${date}/${region}`] = deriveSigningKey(secret.reveal(), date, region, SERVICE).toString('base64');
  }
  return {
    accessKeyId,
    tenant,
    principalArn,
    // As GetCallerIdentity says it: IAM's own unique ids are not ours to make.
    userId: principalArn.endsWith(':root') ? tenant : accessKeyId,
    policy: policy?.document ?? null,
    signingKeys,
  };
}

/** `yyyymmdd`. */
const dateText = (ms: number): string => new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');

/**
 * Gives nodes the keys of the day that lies `DAYS_AHEAD` from now, and withdraws those of tenants that have no callers any more. Safe to run
 * twice, and at any time; what is up to date is not touched. Returns how many tenants were seen to.
 */
export async function refreshAccessKeys(store: Pick<Store, 'manifest' | 'tenants'>, nowMs: number): Promise<number> {
  const lastDate = dateText(nowMs + DAYS_AHEAD * DAY_MS);
  const due = new Set<TenantId>();
  let after = 0;
  for (;;) {
    const entries: readonly ManifestEntry[] = await store.manifest.page(['ACCESS_KEY'], after, PAGE_LIMIT);
    for (const { tenant, content } of entries) if (!content!.inline.includes(`"${lastDate}/`)) due.add(tenant);
    if (entries.length < PAGE_LIMIT) break;
    after = entries.at(-1)!.revision;
  }
  for (const tenant of due) {
    await store.tenants.transact(tenant, async (tx) => {
      await tx.placement.lock();
      await publishAccessKeys(tx, nowMs);
    });
  }
  return due.size;
}
