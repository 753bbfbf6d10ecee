/**
 * A Cognito user pool, or another OpenID Connect issuer, that vouches for callers (data-plane reference §6.5).
 *
 *   without scopes   an ID token
 *   with scopes      an access token that has one of them
 */
import type { StageSnapshot, UserPoolAuthorizerSnapshot } from '@gatehouse/contracts';
import { LinkRefusal, type AuthorizedCaller, type Connector, type Exchange } from '@gatehouse/engine-exchange';
import type { SelectionPattern } from '@gatehouse/lang';
import { compilePattern, identitySource, type IdentitySource } from './identity.js';
import { keysOf } from './issuer-keys.js';
import { isSignedBy, readToken, type Claims } from './json-web-token.js';

export interface KnownCaller extends AuthorizedCaller {
  /** Of the token. */
  readonly bytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

export type PoolOutcome =
  | { readonly kind: 'KNOWN'; readonly caller: KnownCaller }
  | { readonly kind: 'UNAUTHORIZED'; readonly reason: string }
  | { readonly kind: 'EXPIRED' }
  /** The issuer's keys could not be read. */
  | { readonly kind: 'FAILED'; readonly reason: string };

const NO_CONTEXT: ReadonlyMap<string, string> = new Map();
/** Clocks of issuers may be ahead of ours, as far as a token's beginning is concerned. */
const SKEW_MS = 60_000;
const TOKEN_CHARS_MAX = 16 * 1024;

export class UserPoolAuthorizer {
  /** What the caller shows, a token or not; `null` for nothing. */
  readonly shown: IdentitySource;
  private readonly pattern: SelectionPattern | null;

  /** Throws LinkRefusal. */
  constructor(
    private readonly settings: UserPoolAuthorizerSnapshot,
    private readonly stage: StageSnapshot,
    private readonly http: Connector,
  ) {
    if (settings.issuers.length === 0) throw new LinkRefusal('a user pool authorizer without an issuer');
    this.shown = identitySource(settings.identitySource, stage);
    this.pattern = settings.validationExpression === null ? null : compilePattern(settings.validationExpression);
  }

  /** The token, without what stands before it; `null` when the caller shows none. */
  identify(x: Exchange): string | null {
    const shown = this.shown(x);
    return shown === null ? null : this.tokenIn(shown);
  }

  /** As `identify`, of what `shown` returned. */
  tokenIn(shown: string): string | null {
    const token = shown.replace(/^Bearer +/i, '');
    return token === '' || token.length > TOKEN_CHARS_MAX ? null : token;
  }

  /** `scopes` of the route, `nowMs` since the Unix epoch. */
  async check(text: string, scopes: readonly string[], nowMs: number): Promise<PoolOutcome> {
    const token = readToken(text);
    if (token === null) return unauthorized('it is no signed token');
    const issuer = this.settings.issuers.find((name) => name === token.claims['iss']);
    if (issuer === undefined) return unauthorized('its issuer is none of those that are named');
    const key = await keysOf(issuer, this.stage.tenant, this.http).find(token.keyId);
    if (key === 'UNKNOWN') return { kind: 'FAILED', reason: `the keys of ${issuer} cannot be read` };
    if (key === null || !isSignedBy(token, key)) return unauthorized('its signature is not of its issuer');
    return this.judge(token.claims, scopes, nowMs, text.length);
  }

  private judge(claims: Claims, scopes: readonly string[], nowMs: number, bytes: number): PoolOutcome {
    const { exp, nbf, iat, aud, token_use: use } = claims;
    if (typeof exp !== 'number') return unauthorized('it does not say when it expires');
    const expiresAtMs = exp * 1000;
    if (nowMs >= expiresAtMs) return { kind: 'EXPIRED' };
    for (const begin of [nbf, iat]) {
      if (begin !== undefined && !(typeof begin === 'number' && begin * 1000 <= nowMs + SKEW_MS))
        return unauthorized('it is not valid yet');
    }
    const wanted = scopes.length === 0 ? 'id' : 'access';
    if (use !== undefined && use !== wanted) return unauthorized(`it is no ${wanted} token`);
    if (scopes.length > 0 && !scopesOf(claims).some((scope) => scopes.includes(scope)))
      return unauthorized('it has no scope of the method');
    const audiences = [aud].flat().filter((name) => typeof name === 'string');
    if (this.pattern !== null && !audiences.some((name) => this.pattern!.matches(name)))
      return unauthorized('its audience does not match');
    const texts = textsOf(claims);
    const caller = {
      principalId: texts['sub'] ?? '',
      context: NO_CONTEXT,
      usageIdentifierKey: null,
      claims: texts,
      bytes,
      expiresAtMs,
    };
    return { kind: 'KNOWN', caller };
  }
}

const unauthorized = (reason: string): PoolOutcome => ({ kind: 'UNAUTHORIZED', reason });

function scopesOf({ scope, scp }: Claims): readonly string[] {
  if (typeof scope === 'string') return scope.split(' ').filter((name) => name !== '');
  return Array.isArray(scp) ? scp.filter((name) => typeof name === 'string') : [];
}

/** All claims are texts to whoever reads them. */
function textsOf(claims: Claims): Readonly<Record<string, string>> {
  const texts: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(claims)) {
    if (value === null || value === undefined) continue;
    const isPlainList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    texts[name] = typeof value === 'object' && !isPlainList ? JSON.stringify(value) : String(value);
  }
  return texts;
}
