/**
 * The manifest and its blobs from one node to another, so that a node with an empty disk can join while no control plane
 * answers. The sibling is not trusted: what it sends counts only if it adds up to the state that a control plane signed.
 *
 *   frame = type (1 byte) | length (4 bytes, big-endian) | payload
 *
 *   S  the seal, as JSON               first, once
 *   E  entries, a JSON array of them   any number
 *   B  the bytes of a blob             any number, after the entries, each at most once
 *   Z  nothing                         last: without it the snapshot was cut short
 *
 * Nothing is written to disk before the entries are all here and their digest is the signed one; a blob is written only if
 * an entry names its digest.
 */
import { entryDigestName, entryDigestText, type EntryKind, type NodeRole } from '@gatehouse/contracts';
import { SetDigest, sha256Hex } from '@gatehouse/kernel';
import type { StoredSeal } from './change-log.js';
import { DIGEST, entryKey, inSlices, kindToWire, type EntryName, type LinkEntry } from './manifest.js';
import { isSealGenuine } from './seal.js';

export const SNAPSHOT_PATH = '/snapshot';

/** A snapshot that does not count; the message says why. */
export class SnapshotRefused extends Error {
  constructor(reason: string) {
    super(`snapshot refused: ${reason}`);
    this.name = 'SnapshotRefused';
  }
}

export interface SnapshotTerms {
  /** Public key of the control planes. */
  readonly key: Uint8Array;
  readonly role: NodeRole;
  readonly pool: string;
  readonly knownKinds: readonly EntryKind[];
  readonly nowMs: number;
  /** Older seals are refused: a sibling that was cut off long ago may not know of keys that were withdrawn. */
  readonly ageMsMax: number;
}

export interface ReceivedManifest {
  readonly seal: StoredSeal;
  /** By entry key. */
  readonly entries: ReadonlyMap<string, { readonly name: EntryName; readonly entry: LinkEntry }>;
}

const FRAME_HEAD_BYTES = 5;
const ENTRIES_PER_FRAME = 500;
/** Far above the largest function package. */
const FRAME_BYTES_MAX = 512 * 1024 * 1024;
const [SEAL, ENTRIES, BLOB, END] = ['S', 'E', 'B', 'Z'].map((letter) => letter.charCodeAt(0)) as [number, number, number, number];

/** `entries` must be those the seal is of. A blob that is not there is left out; the receiver fetches it later. */
export async function* writeSnapshot(
  seal: StoredSeal,
  entries: Iterable<LinkEntry>,
  readBlob: (digest: string) => Promise<Uint8Array | null>,
): AsyncGenerator<Uint8Array> {
  yield frame(SEAL, Buffer.from(JSON.stringify(seal)));
  const digests = new Set<string>();
  for (const some of inSlices(entries, ENTRIES_PER_FRAME)) {
    for (const { digest } of some) if (digest !== null) digests.add(digest);
    yield frame(ENTRIES, Buffer.from(JSON.stringify(some)));
  }
  for (const digest of digests) {
    const bytes = await readBlob(digest);
    if (bytes !== null) yield frame(BLOB, bytes);
  }
  yield frame(END, Buffer.alloc(0));
}

/** Hands each blob to `keepBlob` and resolves with what adds up to a genuine seal; else rejects with `SnapshotRefused`. */
export async function readSnapshot(
  source: AsyncIterable<Uint8Array>,
  terms: SnapshotTerms,
  keepBlob: (digest: string, bytes: Uint8Array) => Promise<unknown>,
): Promise<ReceivedManifest> {
  let seal: StoredSeal | null = null;
  let isProven = false;
  const entries = new Map<string, { name: EntryName; entry: LinkEntry }>();
  const digest = new SetDigest();
  const wanted = new Map<string, number>();
  const prove = () => {
    if (seal === null) throw new SnapshotRefused('it has no seal');
    if (digest.root().toString('hex') !== seal.root) throw new SnapshotRefused('its entries are not those of its seal');
    isProven = true;
  };
  for await (const { type, payload } of frames(source)) {
    if (type === SEAL && seal === null) {
      seal = readSeal(payload, terms);
    } else if (type === ENTRIES && seal !== null && !isProven) {
      for (const entry of readEntries(payload)) {
        const kind = kindToWire(entry.kind);
        entries.set(entryKey(entry), { name: { kind: entry.kind, id: entry.id }, entry });
        digest.put(entryDigestName(kind, entry.id), entryDigestText({ ...entry, kind }));
        if (entry.digest !== null) wanted.set(entry.digest, entry.blobBytes);
      }
    } else if (type === BLOB) {
      if (!isProven) prove();
      const name = sha256Hex(payload);
      if (!wanted.delete(name)) throw new SnapshotRefused('it holds a blob that no entry names');
      await keepBlob(name, payload);
    } else if (type === END) {
      if (!isProven) prove();
      return { seal: seal!, entries };
    } else throw new SnapshotRefused('its parts are not in order');
  }
  throw new SnapshotRefused('it was cut short');
}

function readSeal(payload: Buffer, { key, role, pool, knownKinds, nowMs, ageMsMax }: SnapshotTerms): StoredSeal {
  const seal = parse<Partial<StoredSeal>>(payload);
  const isWhole =
    Number.isSafeInteger(seal.revision) &&
    Number.isSafeInteger(seal.sealedAtMs) &&
    Array.isArray(seal.kinds) &&
    [seal.pool, seal.root, seal.signature].every((text) => typeof text === 'string');
  if (!isWhole || !isSealGenuine(seal as StoredSeal, key)) throw new SnapshotRefused('its seal is not of our control plane');
  const { kinds, sealedAtMs } = seal as StoredSeal;
  if (seal.role !== role || seal.pool !== pool) throw new SnapshotRefused('it is of nodes of another role or pool');
  if (!kinds.every((kind) => knownKinds.includes(kind))) throw new SnapshotRefused('it is of newer software');
  if (nowMs - sealedAtMs > ageMsMax) throw new SnapshotRefused(`it is older than ${Math.floor(ageMsMax / 3_600_000)} hours`);
  return seal as StoredSeal;
}

/** What they say is checked by what they add up to; their form here, so that one text has one meaning. */
function readEntries(payload: Buffer): LinkEntry[] {
  const entries = parse<LinkEntry[]>(payload);
  if (!Array.isArray(entries)) throw new SnapshotRefused('its entries cannot be read');
  return entries.map((entry) => {
    const { kind, id, tenant, revision, digest, blobBytes, inline } = entry ?? {};
    const isWellFormed =
      kindToWire(kind) !== undefined &&
      [id, tenant, inline].every((text) => typeof text === 'string') &&
      [revision, blobBytes].every(Number.isSafeInteger) &&
      (digest === null || (typeof digest === 'string' && DIGEST.test(digest)));
    if (!isWellFormed) throw new SnapshotRefused('its entries cannot be read');
    return { kind, id, tenant, revision, digest, blobBytes, inline };
  });
}

function parse<T>(payload: Buffer): T {
  try {
    return JSON.parse(payload.toString('utf8')) as T;
  } catch {
    throw new SnapshotRefused('it cannot be read');
  }
}

function frame(type: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES + payload.length);
  bytes[0] = type;
  bytes.writeUInt32BE(payload.length, 1);
  bytes.set(payload, FRAME_HEAD_BYTES);
  return bytes;
}

async function* frames(source: AsyncIterable<Uint8Array>): AsyncGenerator<{ type: number; payload: Buffer }> {
  let chunks: Uint8Array[] = [];
  let length = 0;
  let needed = FRAME_HEAD_BYTES;
  for await (const chunk of source) {
    chunks.push(chunk);
    length += chunk.length;
    while (length >= needed) {
      const bytes = Buffer.concat(chunks);
      const end = FRAME_HEAD_BYTES + bytes.readUInt32BE(1);
      if (end > FRAME_BYTES_MAX) throw new SnapshotRefused('a part of it is too large');
      if (length < end) {
        chunks = [bytes];
        needed = end;
        break;
      }
      yield { type: bytes[0]!, payload: bytes.subarray(FRAME_HEAD_BYTES, end) };
      chunks = [bytes.subarray(end)];
      length -= end;
      needed = FRAME_HEAD_BYTES;
    }
  }
}
