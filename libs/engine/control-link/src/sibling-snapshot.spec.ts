import { generateKeyPairSync, sign } from 'node:crypto';
import { entryDigestName, entryDigestText, EntryKind, NodeRole, sealText } from '@gatehouse/contracts';
import { SetDigest, sha256Hex } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import type { StoredSeal } from './change-log.js';
import { kindToWire, KNOWN_KINDS, type LinkEntry } from './manifest.js';
import { readSnapshot, SnapshotRefused, writeSnapshot, type SnapshotTerms } from './sibling-snapshot.js';

const NOW_MS = Date.UTC(2026, 0, 2);
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const otherKey = generateKeyPairSync('ed25519').privateKey;
const KEY = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
const terms: SnapshotTerms = {
  key: KEY,
  role: NodeRole.DATA_PLANE,
  pool: 'default',
  knownKinds: KNOWN_KINDS,
  nowMs: NOW_MS,
  ageMsMax: 3_600_000,
};
const blobs = new Map(['first stage', 'second stage'].map((text) => [sha256Hex(text), Buffer.from(text)]));
const [first, second] = [...blobs.keys()] as [string, string];
const stage = (id: string, digest: string): LinkEntry => ({
  kind: 'STAGE',
  id,
  tenant: '111122223333',
  revision: 3,
  digest,
  blobBytes: blobs.get(digest)!.length,
  inline: '',
});
const key: LinkEntry = {
  kind: 'API_KEY',
  id: 'k',
  tenant: '111122223333',
  revision: 4,
  digest: null,
  blobBytes: 0,
  inline: '{"enabled":false}',
};
const ENTRIES = [stage('a/dev', first), stage('b/dev', second), key];

function sealOf(entries: readonly LinkEntry[], changes: Partial<StoredSeal> = {}, signer = privateKey): StoredSeal {
  const digest = new SetDigest();
  for (const entry of entries) {
    const kind = kindToWire(entry.kind);
    digest.put(entryDigestName(kind, entry.id), entryDigestText({ ...entry, kind }));
  }
  const seal = {
    revision: 4,
    role: NodeRole.DATA_PLANE,
    kinds: [EntryKind.STAGE, EntryKind.USAGE_PLAN, EntryKind.API_KEY],
    pool: 'default',
    sealedAtMs: NOW_MS - 1_000,
    root: digest.root().toString('hex'),
    ...changes,
  };
  const text = sealText({ ...seal, root: Buffer.from(seal.root, 'hex') });
  return { ...seal, signature: sign(null, Buffer.from(text), signer).toString('hex') };
}

async function bytesOf(
  seal: StoredSeal,
  entries: readonly LinkEntry[],
  readBlob = async (digest: string) => blobs.get(digest) ?? null,
) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeSnapshot(seal, entries, readBlob)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

/** What came of it, and which blobs were written meanwhile. */
async function read(bytes: Uint8Array, given = terms, size = 1_000) {
  const kept: string[] = [];
  try {
    const { entries } = await readSnapshot(inChunks(bytes, size), given, async (digest) => kept.push(digest));
    return { entries: [...entries.values()].map(({ entry }) => entry), kept };
  } catch (cause) {
    if (!(cause instanceof SnapshotRefused)) throw cause;
    return { refused: cause.message, kept };
  }
}

test('a genuine snapshot is read as it was written, in whatever pieces it comes', async () => {
  const bytes = await bytesOf(sealOf(ENTRIES), ENTRIES);
  for (const size of [1, 2, 7, 64, bytes.length])
    expect(await read(bytes, terms, size)).toEqual({ entries: ENTRIES, kept: [first, second] });
});

test('cut short at any byte, or with any bit turned over, it is refused or is still the very same', async () => {
  const bytes = await bytesOf(sealOf(ENTRIES), ENTRIES);
  for (let length = 0; length < bytes.length; length++)
    expect(await read(bytes.subarray(0, length))).toMatchObject({ refused: expect.any(String) });
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    const outcome = await read(damaged);
    if ('entries' in outcome) expect(outcome.entries).toEqual(ENTRIES);
    for (const digest of outcome.kept) expect([first, second]).toContain(digest);
  }
});

const withEntry = (changes: Partial<LinkEntry>) => [ENTRIES[0]!, ENTRIES[1]!, { ...key, ...changes }];
for (const [what, seal, entries, given] of [
  ['signed by another key', sealOf(ENTRIES, {}, otherKey), ENTRIES, terms],
  ['not signed', { ...sealOf(ENTRIES), signature: '' }, ENTRIES, terms],
  ['of another revision than was signed', { ...sealOf(ENTRIES), revision: 5 }, ENTRIES, terms],
  ['with a key of a tenant switched on', sealOf(ENTRIES), withEntry({ inline: '{"enabled":true}' }), terms],
  ['with an entry of another tenant', sealOf(ENTRIES), withEntry({ tenant: '999988887777' }), terms],
  ['with an entry left out', sealOf(ENTRIES), ENTRIES.slice(1), terms],
  ['with an entry more', sealOf(ENTRIES), [...ENTRIES, { ...key, id: 'mine' }], terms],
  ['with entries of an older state', sealOf(ENTRIES), withEntry({ revision: 2 }), terms],
  ['with two blobs exchanged', sealOf(ENTRIES), [stage('a/dev', second), stage('b/dev', first), key], terms],
  ['of another pool', sealOf(ENTRIES, { pool: 'eu' }), ENTRIES, terms],
  ['of another role', sealOf(ENTRIES, { role: NodeRole.FUNCTION_RUNNER }), ENTRIES, terms],
  ['that is old', sealOf(ENTRIES, { sealedAtMs: NOW_MS - 3_600_001 }), ENTRIES, terms],
  ['of kinds this software does not know', sealOf(ENTRIES, { kinds: [1, 99 as EntryKind] }), ENTRIES, terms],
  ['checked without a key', sealOf(ENTRIES), ENTRIES, { ...terms, key: new Uint8Array() }],
] as const) {
  test(`refused before anything is written: a snapshot ${what}`, async () => {
    expect(await read(await bytesOf(seal, entries), given)).toEqual({
      refused: expect.stringContaining('snapshot refused'),
      kept: [],
    });
  });
}

test('a blob that no entry names is refused, and one that is missing leaves the rest good', async () => {
  const seal = sealOf(ENTRIES);
  const foreign = await bytesOf(seal, ENTRIES, async (digest) =>
    digest === first ? Buffer.from('something else') : blobs.get(digest)!,
  );
  expect(await read(foreign)).toEqual({ refused: 'snapshot refused: it holds a blob that no entry names', kept: [] });
  const lacking = await bytesOf(seal, ENTRIES, async (digest) => (digest === first ? null : blobs.get(digest)!));
  expect(await read(lacking)).toEqual({ entries: ENTRIES, kept: [second] });
});
