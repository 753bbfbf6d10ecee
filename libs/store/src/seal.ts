// Secrets at rest: AES-256-GCM under a key derived from the installation's master key. A sealed value is bound to the row it stands in, so a
// copy in another row does not open.
//
//   | version 1 | key id, 4 bytes | nonce, 12 bytes | tag, 16 bytes | ciphertext |
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { Secret } from '@gatehouse/kernel';

const VERSION = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;

export class Sealer {
  readonly #sealKey: Buffer;
  readonly #digestKey: Buffer;
  readonly #keyId: Buffer;

  /** `masterKey`: 64 hex digits. */
  constructor(masterKey: Secret) {
    const hex = masterKey.reveal();
    if (!/^[0-9a-f]{64}$/i.test(hex)) throw new Error('the master key must be 64 hexadecimal digits (GATEHOUSE_MASTER_KEY)');
    const derive = (purpose: string) =>
      Buffer.from(hkdfSync('sha256', Buffer.from(hex, 'hex'), '', `gatehouse/store/${purpose}`, 32));
    this.#sealKey = derive('seal');
    this.#digestKey = derive('digest');
    this.#keyId = createHash('sha256').update(this.#sealKey).digest().subarray(0, KEY_ID_BYTES);
  }

  /** `place` names the row and the column; opening needs the same. */
  seal(secret: Secret, place: string): Uint8Array<ArrayBuffer> {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, nonce).setAAD(Buffer.from(place));
    const ciphertext = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
    return Uint8Array.from(Buffer.concat([Buffer.of(VERSION), this.#keyId, nonce, cipher.getAuthTag(), ciphertext]));
  }

  /** Throws when the value was sealed with another master key, for another place, or was changed. */
  open(sealed: Uint8Array, place: string): Secret {
    const bytes = Buffer.from(sealed);
    if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION)
      throw new Error(`the sealed value of ${place} has an unknown format`);
    if (!bytes.subarray(1, 1 + KEY_ID_BYTES).equals(this.#keyId)) {
      throw new Error(`the sealed value of ${place} belongs to another master key; was GATEHOUSE_MASTER_KEY changed?`);
    }
    const nonce = bytes.subarray(1 + KEY_ID_BYTES, 1 + KEY_ID_BYTES + NONCE_BYTES);
    const tag = bytes.subarray(HEADER_BYTES - TAG_BYTES, HEADER_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, nonce).setAAD(Buffer.from(place)).setAuthTag(tag);
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES)), decipher.final()]).toString('utf8');
      return new Secret(text);
    } catch (cause) {
      throw new Error(`the sealed value of ${place} was changed or moved`, { cause });
    }
  }

  /** Finds a row by its secret: equal secrets of one scope give equal digests, and a digest alone tells nothing. */
  digest(secret: string, scope: string): Uint8Array<ArrayBuffer> {
    const hmac = createHmac('sha256', this.#digestKey).update(JSON.stringify([scope, secret]));
    return Uint8Array.from(hmac.digest());
  }
}
