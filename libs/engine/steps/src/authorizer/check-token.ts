/** The step of a route with user pools. A token that was checked is not checked again for as long as the authorizer says. */
import { performance } from 'node:perf_hooks';
import type { UserPoolAuthorization } from '@gatehouse/contracts';
import {
  AUTHORIZER_ASKED,
  AUTHORIZER_KEPT,
  CONTINUE,
  LinkRefusal,
  type Connector,
  type Exchange,
  type RouteSettings,
  type Step,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { sha256Hex } from '@gatehouse/kernel';
import { Decisions } from './decisions.js';
import { settingsOf } from './settings.js';
import { UserPoolAuthorizer, type KnownCaller } from './user-pool-authorizer.js';

/** Of all routes of this process. */
const decisions = new Decisions<KnownCaller>();
const EXPIRED = 'The incoming token has expired';

/** Throws LinkRefusal. */
export function checkToken({ stage }: RouteSettings, { authorizerId, scopes }: UserPoolAuthorization, http: Connector): Step {
  const settings = settingsOf(stage, authorizerId);
  if (settings.type !== 'USER_POOLS') throw new LinkRefusal(`authorizer ${authorizerId} is no user pool`);
  const authorizer = new UserPoolAuthorizer(settings, stage, http);
  const ttlMs = settings.ttlSeconds * 1000;
  const epoch = stage.cacheEpochs?.authorizers ?? 0;
  const scope = sha256Hex(JSON.stringify([stage.tenant, stage.apiId, stage.stage, epoch, authorizerId, settings, scopes]));
  const check = async (x: Exchange, token: string, key: string | null): Promise<Verdict> => {
    const outcome = await authorizer.check(token, scopes, x.receivedAtMs);
    if (x.isCallerGone) return x.fail(FAULTS.CALLER_LEFT, null, 'checking the token');
    switch (outcome.kind) {
      case 'UNAUTHORIZED':
        return x.fail(FAULTS.UNAUTHORIZED, null, `checking the token: ${outcome.reason}`);
      case 'EXPIRED':
        return x.fail(FAULTS.UNAUTHORIZED, null, 'checking the token', EXPIRED);
      case 'FAILED':
        return x.fail(FAULTS.AUTHORIZER_FAILURE, null, `checking the token: ${outcome.reason}`);
      case 'KNOWN':
        if (key !== null) decisions.keep(key, outcome.caller, performance.now() + ttlMs);
        accept(x, authorizerId, outcome.caller, 'ASKED');
        return CONTINUE;
    }
  };
  return (x) => {
    const token = authorizer.identify(x);
    if (token === null) return x.fail(FAULTS.UNAUTHORIZED, null, 'looking for a token');
    x.journal?.note({ type: 'IDENTIFIED', authorizerId, identity: [token] });
    const key = ttlMs === 0 ? null : sha256Hex(scope + token);
    const known = key === null ? null : decisions.find(key, performance.now());
    if (known === null || x.receivedAtMs >= known.expiresAtMs) return check(x, token, key);
    accept(x, authorizerId, known, 'KEPT');
    return CONTINUE;
  };
}

function accept(x: Exchange, authorizerId: string, caller: KnownCaller, source: 'KEPT' | 'ASKED'): void {
  x.authorizer = caller;
  x.authorizerSource = source === 'KEPT' ? AUTHORIZER_KEPT : AUTHORIZER_ASKED;
  const { principalId } = caller;
  x.journal?.note({ type: 'AUTHORIZED', authorizerId, source, principalId, isAllowed: true, reason: '' });
}
