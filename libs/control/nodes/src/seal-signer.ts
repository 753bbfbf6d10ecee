/**
 * Signs the state of a manifest, so that a node can take it from another node. The Ed25519 key is derived from the master
 * key, which all control planes share and no node has: every control plane signs alike, and nodes cannot. See ADR 0007.
 */
import { createPrivateKey, createPublicKey, hkdfSync, sign, type KeyObject } from 'node:crypto';
import { EntryKind as WireKind, NodeRole, sealText } from '@gatehouse/contracts';
import type { EntryKind, NodeRecord } from '@gatehouse/domain';
import type { Secret } from '@gatehouse/kernel';

const PURPOSE = 'gatehouse manifest seal key 1';
/** What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410 §7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_KEY_BYTES = 32;

export interface SealStatementOfView {
  readonly role: NodeRecord['role'];
  readonly kinds: readonly EntryKind[];
  readonly pool: string;
  readonly revision: number;
  readonly root: Uint8Array;
  readonly sealedAtMs: number;
}

export class SealSigner {
  private readonly key: KeyObject;
  /** 32 bytes; what nodes check with (`GATEHOUSE_SNAPSHOT_KEY` in hex). */
  readonly publicKey: Uint8Array;

  constructor(masterKey: Secret) {
    const seed = Buffer.from(hkdfSync('sha256', Buffer.from(masterKey.reveal(), 'hex'), Buffer.alloc(0), PURPOSE, 32));
    this.key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.key).export({ format: 'der', type: 'spki' });
    this.publicKey = new Uint8Array(spki.subarray(spki.length - PUBLIC_KEY_BYTES));
  }

  sign(statement: SealStatementOfView): Uint8Array {
    const text = sealText({ ...statement, role: NodeRole[statement.role], kinds: statement.kinds.map((kind) => WireKind[kind]) });
    return new Uint8Array(sign(null, Buffer.from(text), this.key));
  }
}
