/** The step of a route with user pools. A token that was checked is not checked again for as long as the authorizer says. */
import { performance } from 'node:perf_hooks';
import type { StageSnapshot, UserPoolAuthorization } from '@gatehouse/contracts';
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
import { AuthorizerMemories, AuthorizerMemory } from './authorizer-memory.js';
import { settingsOf } from './settings.js';
import { UserPoolAuthorizer, type KnownCaller } from './user-pool-authorizer.js';

/** Of all routes of this process. */
const memories = new AuthorizerMemories<KnownCaller>();
const NO_TOKEN = 'looking for a token';
const EXPIRED = 'The incoming token has expired';

/** Throws LinkRefusal. */
export function checkToken({ stage }: RouteSettings, { authorizerId, scopes }: UserPoolAuthorization, http: Connector): Step {
  const { authorizer, memory } = linkedOf(stage, authorizerId, scopes, http);
  const check = async (x: Exchange, token: string, shown: string): Promise<Verdict> => {
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
        memory.keep(token, shown, outcome.caller, performance.now());
        accept(x, authorizerId, outcome.caller, 'ASKED');
        return CONTINUE;
    }
  };
  return (x) => {
    const shown = authorizer.shown(x);
    if (shown === null) return x.fail(FAULTS.UNAUTHORIZED, null, NO_TOKEN);
    const recent = x.journal === null ? memory.recall(shown, performance.now()) : null;
    if (recent !== null && x.receivedAtMs < recent.expiresAtMs) {
      accept(x, authorizerId, recent, 'KEPT');
      return CONTINUE;
    }
    const token = authorizer.tokenIn(shown);
    if (token === null) return x.fail(FAULTS.UNAUTHORIZED, null, NO_TOKEN);
    x.journal?.note({ type: 'IDENTIFIED', authorizerId, identity: [token] });
    const known = memory.find(token, shown, performance.now());
    if (known === null || x.receivedAtMs >= known.expiresAtMs) return check(x, token, shown);
    accept(x, authorizerId, known, 'KEPT');
    return CONTINUE;
  };
}

interface Linked {
  readonly authorizer: UserPoolAuthorizer;
  readonly memory: AuthorizerMemory<KnownCaller>;
}

/** The routes of a stage share them; they live as long as the snapshot. By authorizer and scopes: a token that one method takes, another may not. */
const linked = new WeakMap<StageSnapshot, Map<string, Linked>>();

function linkedOf(stage: StageSnapshot, authorizerId: string, scopes: readonly string[], http: Connector): Linked {
  let authorizers = linked.get(stage);
  if (authorizers === undefined) linked.set(stage, (authorizers = new Map()));
  const name = JSON.stringify([authorizerId, scopes]);
  const known = authorizers.get(name);
  if (known !== undefined) return known;
  const settings = settingsOf(stage, authorizerId);
  if (settings.type !== 'USER_POOLS') throw new LinkRefusal(`authorizer ${authorizerId} is no user pool`);
  const epoch = stage.cacheEpochs?.authorizers ?? 0;
  const scope = sha256Hex(JSON.stringify([stage.tenant, stage.apiId, stage.stage, epoch, authorizerId, settings, scopes]));
  const made = {
    authorizer: new UserPoolAuthorizer(settings, stage, http),
    memory: new AuthorizerMemory(memories, scope, settings.ttlSeconds * 1_000),
  };
  authorizers.set(name, made);
  return made;
}

function accept(x: Exchange, authorizerId: string, caller: KnownCaller, source: 'KEPT' | 'ASKED'): void {
  x.authorizer = caller;
  x.authorizerSource = source === 'KEPT' ? AUTHORIZER_KEPT : AUTHORIZER_ASKED;
  const { principalId } = caller;
  x.journal?.note({ type: 'AUTHORIZED', authorizerId, source, principalId, isAllowed: true, reason: '' });
}
