import type { FunctionEntry } from '@gatehouse/contracts';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import type { EntryName, GetBlob, ManifestChange, Refusal } from '@gatehouse/engine-control-link';

/** One version of a function as published, with what names its code. */
export interface PublishedFunction {
  /** Entry id: `{account}:{name}:{version}`. */
  readonly id: string;
  readonly revision: number;
  /** Hex SHA-256 of the package. */
  readonly codeDigest: string;
  readonly entry: FunctionEntry;
  /** Equal for what may share execution environments: same code, same configuration. */
  readonly environmentKey: string;
}

/** Which functions there are; the runner asks nobody else. */
export interface FunctionCatalog {
  /** `qualifier`: version, alias, or `null` for `$LATEST`. An alias with weights chooses at random, per call. */
  find(tenant: string, functionName: string, qualifier: string | null): PublishedFunction | null;
  get(id: string): PublishedFunction | null;
  /** False when `revision` was not reached in time. */
  reached(revision: number, timeoutMs: number): Promise<boolean>;
  /** The package's bytes; `null` when they cannot be had now. */
  readonly code: GetBlob;
  /** Calls back after each change, with the ids of what changed or went. */
  onChange(listener: (ids: readonly string[]) => void): void;
  /** Does any function refer to this package? */
  hasCode(digest: string): boolean;
}

/** The catalog as the control stream fills it. */
export class ManifestCatalog implements FunctionCatalog {
  private readonly byId = new Map<string, PublishedFunction>();
  /** `{tenant}:{name}` to its versions. */
  private readonly versions = new Map<string, Map<string, PublishedFunction>>();
  private readonly listeners: ((ids: readonly string[]) => void)[] = [];
  private waiting: { readonly revision: number; readonly resolve: (reached: boolean) => void }[] = [];
  private revision = 0;
  code: GetBlob = async () => null;

  constructor(private readonly random: () => number = Math.random) {}

  /** For `ControlLinkOptions.apply`. */
  apply(change: ManifestChange, getBlob: GetBlob): Refusal[] {
    this.code = getBlob;
    const refusals: Refusal[] = [];
    const changed: string[] = [];
    for (const { kind, id, revision, digest, inline } of change.entries) {
      if (kind !== 'FUNCTION') continue;
      if (digest === null) {
        refusals.push({ kind, id, reason: 'a function without code' });
        continue;
      }
      const entry = JSON.parse(inline) as FunctionEntry;
      this.put({ id, revision, codeDigest: digest, entry, environmentKey: environmentKey(id, digest, entry) });
      changed.push(id);
    }
    for (const name of change.removed) if (this.remove(name)) changed.push(name.id);
    this.revision = Math.max(this.revision, change.revision);
    if (changed.length > 0) for (const listener of this.listeners) listener(changed);
    for (const { revision, resolve } of this.waiting) if (revision <= this.revision) resolve(true);
    this.waiting = this.waiting.filter(({ revision }) => revision > this.revision);
    return refusals;
  }

  get(id: string): PublishedFunction | null {
    return this.byId.get(id) ?? null;
  }

  find(tenant: string, functionName: string, qualifier: string | null): PublishedFunction | null {
    const versions = this.versions.get(`${tenant}:${functionName}`);
    if (versions === undefined) return null;
    const version = versions.get(qualifier ?? '$LATEST');
    if (version !== undefined || qualifier === null) return version ?? null;
    return this.behindAlias(versions, qualifier);
  }

  reached(revision: number, timeoutMs: number): Promise<boolean> {
    if (revision <= this.revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((other) => other !== waiter);
        resolve(false);
      }, timeoutMs);
      const waiter = {
        revision,
        resolve: (reached: boolean) => {
          clearTimeout(timer);
          resolve(reached);
        },
      };
      this.waiting.push(waiter);
    });
  }

  onChange(listener: (ids: readonly string[]) => void): void {
    this.listeners.push(listener);
  }

  hasCode(digest: string): boolean {
    for (const { codeDigest } of this.byId.values()) if (codeDigest === digest) return true;
    return false;
  }

  private behindAlias(versions: ReadonlyMap<string, PublishedFunction>, alias: string): PublishedFunction | null {
    let primary: PublishedFunction | null = null;
    let draw = this.random();
    for (const version of versions.values()) {
      if (version.entry.aliases.includes(alias)) primary = version;
      const share = version.entry.weightedAliases[alias];
      if (share === undefined) continue;
      if (draw < share) return version;
      draw -= share;
    }
    return primary;
  }

  private put(published: PublishedFunction): void {
    this.remove(published);
    this.byId.set(published.id, published);
    const key = ownerKey(published.entry);
    const versions = this.versions.get(key) ?? new Map<string, PublishedFunction>();
    versions.set(published.entry.version, published);
    this.versions.set(key, versions);
  }

  private remove({ id }: Pick<EntryName, 'id'>): boolean {
    const present = this.byId.get(id);
    if (present === undefined) return false;
    this.byId.delete(id);
    const key = ownerKey(present.entry);
    const versions = this.versions.get(key);
    versions?.delete(present.entry.version);
    if (versions?.size === 0) this.versions.delete(key);
    return true;
  }
}

const ownerKey = ({ tenant, functionName }: FunctionEntry): string => `${tenant}:${functionName}`;

/** Who may call, and under which alias, changes nothing inside an environment. */
function environmentKey(id: string, codeDigest: string, entry: FunctionEntry): string {
  const { region, runtime, handler, timeoutMs, memoryMb, environment } = entry;
  return sha256Hex(canonicalJson({ id, codeDigest, region, runtime, handler, timeoutMs, memoryMb, environment }));
}
