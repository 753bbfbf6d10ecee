/** Access keys of a World: whose signature a request carries. */
import { Buffer } from 'node:buffer';
import type { AccessKeyEntry, AccessKeySession } from '@gatehouse/contracts';
import type { AccessKeyView, SessionView } from '@gatehouse/engine-exchange';

/** A key as it was published; another object may be another principal, or have another policy. */
export class LinkedAccessKey implements AccessKeyView {
  readonly accessKeyId: string;
  readonly tenant: string;
  readonly principalArn: string;
  readonly userId: string;
  readonly policy: string | null;
  readonly session: SessionView | null;
  /** Private: whoever prints the key prints none of them. */
  readonly #signingKeys: Readonly<Record<string, string>>;
  /** The one asked for last, as bytes: signatures are of today, and of one region. */
  #scope = '';
  #key: Buffer | null = null;

  constructor({ accessKeyId, tenant, principalArn, userId, policy, signingKeys, session }: AccessKeyEntry) {
    this.accessKeyId = accessKeyId;
    this.tenant = tenant;
    this.principalArn = principalArn;
    this.userId = userId;
    this.policy = policy;
    this.session = session === undefined ? null : termsOf(session);
    this.#signingKeys = session?.signingKeys ?? signingKeys;
  }

  signingKey(date: string, region: string): Uint8Array | null {
    const scope = `${date}/${region}`;
    if (scope === this.#scope) return this.#key;
    if (!Object.hasOwn(this.#signingKeys, scope)) return null;
    this.#scope = scope;
    return (this.#key = Buffer.from(this.#signingKeys[scope]!, 'base64'));
  }
}

const termsOf = ({ tokenDigest, expiresAtMs, madeBy }: AccessKeySession): SessionView => ({ tokenDigest, expiresAtMs, madeBy });
