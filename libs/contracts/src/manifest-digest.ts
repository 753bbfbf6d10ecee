import { EntryKind, type NodeRole } from './gen/gatehouse/node/v1/node_link_pb.js';

/** One present manifest entry, as the set digest sees it. */
export interface DigestedEntry {
  readonly kind: EntryKind;
  readonly id: string;
  readonly tenant: string;
  readonly revision: number;
  /** Hex; `null` or empty when everything is inline. */
  readonly digest: string | null;
  readonly blobBytes: number;
  readonly inline: string;
}

/** Name of an entry in the set digest over a manifest, e.g. `STAGE a1b2c3/prod`. */
export const entryDigestName = (kind: EntryKind, id: string): string => `${EntryKind[kind]} ${id}`;

/** Says all of the entry, so that two texts are equal only when the entries are. */
export const entryDigestText = ({ kind, id, tenant, revision, digest, blobBytes, inline }: DigestedEntry): string =>
  JSON.stringify([kind, id, tenant, revision, digest ?? '', blobBytes, inline]);

/** Nodes that say nothing of a pool, and what is bound to none. */
export const DEFAULT_POOL = 'default';

/** The pool a node serves, by its labels. */
export const poolOfLabels = (labels: Readonly<Record<string, string>>): string => labels.pool || DEFAULT_POOL;

/** What a seal says. */
export interface SealStatement {
  readonly role: NodeRole;
  readonly kinds: readonly EntryKind[];
  readonly pool: string;
  readonly revision: number;
  readonly root: Uint8Array;
  readonly sealedAtMs: number;
}

/** The text under a seal's signature. It starts with its purpose: the key's signature under another text is no seal. */
export const sealText = ({ role, kinds, pool, revision, root, sealedAtMs }: SealStatement): string =>
  JSON.stringify([
    'gatehouse manifest seal 1',
    role,
    [...kinds].sort((a, b) => a - b),
    pool,
    revision,
    Buffer.from(root).toString('hex'),
    sealedAtMs,
  ]);
