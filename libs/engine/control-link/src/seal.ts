import { createPublicKey, verify } from 'node:crypto';
import { sealText } from '@gatehouse/contracts';
import type { StoredSeal } from './change-log.js';

/** What stands before the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410 §4). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
export const SEAL_KEY_BYTES = 32;

/** Whether a control plane with this key signed it. */
export function isSealGenuine(seal: StoredSeal, key: Uint8Array): boolean {
  if (key.length !== SEAL_KEY_BYTES) return false;
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEAD, key]), format: 'der', type: 'spki' });
  const text = sealText({ ...seal, root: Buffer.from(seal.root, 'hex') });
  return verify(null, Buffer.from(text), publicKey, Buffer.from(seal.signature, 'hex'));
}
