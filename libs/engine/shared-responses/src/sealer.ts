/**
 * Answers as bytes that only nodes can read and write: AES-256-GCM by a key that nodes derive from their token (RFC 5869), with the name
 * under which they are kept, so that whoever can write to the store cannot put one answer in the place of another.
 *
 *   version (1)  nonce (12)  tag (16)  sealed: length of head (4)  head, JSON  body
 */
import { Buffer } from 'node:buffer';
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { HeaderBlock } from '@gatehouse/engine-exchange';
import { RESPONSE, VARIES, type StoredResponse } from '@gatehouse/engine-response-cache';

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_AT = 1 + NONCE_BYTES + TAG_BYTES;

/** What does not belong to one process's clock. */
export type SealedResponse = Omit<StoredResponse, 'startedAtMs' | 'expiresAtMs'>;

interface Head {
  readonly kind: typeof RESPONSE | typeof VARIES;
  readonly status: number;
  readonly fields: readonly string[];
  readonly bodyBytes: number;
  readonly isTraced: boolean;
  readonly variesOn: readonly string[];
  readonly hasBody: boolean;
}

export class Sealer {
  private readonly key: Buffer;

  constructor(nodeToken: string) {
    this.key = Buffer.from(hkdfSync('sha256', nodeToken, 'gatehouse', 'responses 1', 32));
  }

  seal(name: string, { kind, status, block, body, bodyBytes, isTraced, variesOn }: SealedResponse): Buffer {
    const head = Buffer.from(
      JSON.stringify({ kind, status, fields: block.fields, bodyBytes, isTraced, variesOn, hasBody: body !== null }),
      'utf8',
    );
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    cipher.setAAD(Buffer.from(name, 'utf8'));
    const parts = [cipher.update(length), cipher.update(head)];
    if (body !== null) parts.push(cipher.update(body));
    parts.push(cipher.final());
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), ...parts]);
  }

  /** `null` for what this did not seal under that name. */
  open(name: string, sealed: Buffer): SealedResponse | null {
    if (sealed.length < HEAD_AT + 4 || sealed[0] !== VERSION) return null;
    const decipher = createDecipheriv('aes-256-gcm', this.key, sealed.subarray(1, 1 + NONCE_BYTES));
    decipher.setAAD(Buffer.from(name, 'utf8'));
    decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_AT));
    let opened: Buffer;
    try {
      opened = Buffer.concat([decipher.update(sealed.subarray(HEAD_AT)), decipher.final()]);
    } catch {
      return null; // of other nodes, with another token, or not of nodes at all
    }
    return responseIn(opened);
  }
}

/** A node sealed it: it is what it says. */
function responseIn(opened: Buffer): SealedResponse {
  const bodyAt = 4 + opened.readUInt32BE(0);
  const { fields, hasBody, ...head } = JSON.parse(opened.toString('utf8', 4, bodyAt)) as Head;
  let body: Buffer | null = null;
  if (hasBody) {
    body = Buffer.allocUnsafeSlow(opened.length - bodyAt); // memory of its own: what is counted is what it holds
    opened.copy(body, 0, bodyAt);
  }
  return { ...head, block: new HeaderBlock(fields), body };
}
