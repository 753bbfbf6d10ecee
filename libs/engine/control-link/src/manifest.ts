import { EntryKind, type ManifestEntry } from '@gatehouse/contracts';

/** The newest state of one published thing, as the manifest tells it. */
export interface LinkEntry {
  readonly kind: LinkEntryKind;
  readonly id: string;
  /** Account id of the owner. */
  readonly tenant: string;
  readonly revision: number;
  /** Hex SHA-256 of the blob; `null` when everything is inline. */
  readonly digest: string | null;
  readonly blobBytes: number;
  /** Canonical JSON; empty when everything is in the blob. */
  readonly inline: string;
}

export type LinkEntryKind =
  | 'STAGE'
  | 'USAGE_PLAN'
  | 'API_KEY'
  | 'FUNCTION'
  | 'DOMAIN_NAME'
  | 'CERTIFICATE'
  | 'ACCESS_KEY'
  | 'SERVICE_ACCESS';

export interface EntryName {
  readonly kind: LinkEntryKind;
  readonly id: string;
}

/** What to do to move from what is served to what the manifest says. Entries and removals never name the same thing. */
export interface ManifestChange {
  readonly revision: number;
  /** New or changed. Their blobs lie in the disk store. */
  readonly entries: readonly LinkEntry[];
  readonly removed: readonly EntryName[];
}

/** One entry that was not taken over; its last good form goes on being served. */
export interface Refusal extends EntryName {
  readonly reason: string;
}

/** The blob's bytes, checked; `null` when they cannot be had now. May be kept and called at any later time. */
export type GetBlob = (digest: string) => Promise<Uint8Array | null>;

/** Pino's shape. */
export interface LinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const entryKey = (name: EntryName): string => `${name.kind} ${name.id}`;

/** The name in an entry key: kinds have no space in them. */
export function nameOfKey(key: string): EntryName {
  const space = key.indexOf(' ');
  return { kind: key.slice(0, space) as LinkEntryKind, id: key.slice(space + 1) };
}

export const sameEntry = (a: LinkEntry | undefined, b: LinkEntry): boolean =>
  a !== undefined &&
  a.revision === b.revision &&
  a.digest === b.digest &&
  a.inline === b.inline &&
  a.tenant === b.tenant &&
  a.blobBytes === b.blobBytes;

export function* inSlices<T>(things: Iterable<T>, count: number): Generator<T[]> {
  let slice: T[] = [];
  for (const thing of things) {
    slice.push(thing);
    if (slice.length < count) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

const KINDS = {
  STAGE: EntryKind.STAGE,
  USAGE_PLAN: EntryKind.USAGE_PLAN,
  API_KEY: EntryKind.API_KEY,
  FUNCTION: EntryKind.FUNCTION,
  DOMAIN_NAME: EntryKind.DOMAIN_NAME,
  CERTIFICATE: EntryKind.CERTIFICATE,
  ACCESS_KEY: EntryKind.ACCESS_KEY,
  SERVICE_ACCESS: EntryKind.SERVICE_ACCESS,
} as const satisfies Record<LinkEntryKind, EntryKind>;

/** Told to the control plane, which sends no others. */
export const KNOWN_KINDS: readonly EntryKind[] = Object.values(KINDS);

export const kindToWire = (kind: LinkEntryKind): EntryKind => KINDS[kind];

/** `null` for a kind this software does not know: a newer control plane may send one, and it is none of ours. */
export function kindFromWire(kind: EntryKind): LinkEntryKind | null {
  for (const name of Object.keys(KINDS) as LinkEntryKind[]) if (KINDS[name] === kind) return name;
  return null;
}

/** Hex SHA-256. */
export const DIGEST = /^[0-9a-f]{64}$/;
const utf8 = new TextDecoder();

/** A present entry, or its removal; `null` when it is of an unknown kind or names no proper digest. */
export function entryFromWire(message: ManifestEntry): { name: EntryName; entry: LinkEntry | null } | null {
  const kind = kindFromWire(message.kind);
  if (kind === null) return null;
  const name = { kind, id: message.id };
  if (message.state.case !== 'content') return { name, entry: null };
  const { digest, blobBytes, inline } = message.state.value;
  if (digest !== '' && !DIGEST.test(digest)) return null;
  return {
    name,
    entry: {
      ...name,
      tenant: message.tenant,
      revision: Number(message.revision),
      digest: digest === '' ? null : digest,
      blobBytes: Number(blobBytes),
      inline: utf8.decode(inline),
    },
  };
}
