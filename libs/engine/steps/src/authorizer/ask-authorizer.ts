/**
 * The step of a route with a Lambda authorizer. What it answered holds for all routes of the stage for as long as the authorizer says, and
 * is judged anew for each request. Two callers that come with the same new token at once are two questions.
 */
import { performance } from 'node:perf_hooks';
import type { StageSnapshot } from '@gatehouse/contracts';
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
import { ALLOWED, DENIED, type Policy } from '@gatehouse/lang';
import { decide, denialOf, type AuthorizerAnswer } from './authorizer-answer.js';
import { eitherAllows, evaluate } from '../iam/index.js';
import { AuthorizerMemories, AuthorizerMemory } from './authorizer-memory.js';
import { FunctionAuthorizer } from './function-authorizer.js';
import { settingsOf } from './settings.js';

/** Of all routes of this process. */
const memories = new AuthorizerMemories<AuthorizerAnswer>();

interface Linked {
  readonly authorizer: FunctionAuthorizer;
  readonly memory: AuthorizerMemory<AuthorizerAnswer>;
}

/** `resourcePolicy` of the API decides together with the answer; `null` for none. Throws LinkRefusal. */
export function askAuthorizer(
  { stage, route }: RouteSettings,
  authorizerId: string,
  functions: Connector,
  resourcePolicy: Policy | null,
): Step {
  const { authorizer, memory } = linkedOf(stage, authorizerId, functions);
  const ask = async (x: Exchange, identity: readonly string[], shown: string | null): Promise<Verdict> => {
    const startedAtMs = performance.now();
    const outcome = await authorizer.ask(x, route, identity);
    if (x.isCallerGone) return x.fail(FAULTS.CALLER_LEFT, null, 'asking the authorizer');
    const nowMs = performance.now();
    switch (outcome.kind) {
      case 'UNAUTHORIZED':
        return x.fail(FAULTS.UNAUTHORIZED, null, 'asking the authorizer, which does not know the caller');
      case 'FAILED':
        return x.fail(outcome.fault, outcome.cause, 'asking the authorizer');
      case 'ANSWERED':
        if (shown !== null) memory.keep(shown, shown, outcome.answer, nowMs);
        x.authorizerLatencyMs = Math.round(nowMs - startedAtMs);
        return judge(x, authorizer, resourcePolicy, outcome.answer, 'ASKED');
    }
  };
  return (x) => {
    const shown = memory.keeps ? authorizer.shown(x) : null;
    const known = shown === null ? null : knownTo(memory, shown);
    // Whoever is known has shown all that is asked for, in a form that may be asked about.
    if (known !== null && x.journal === null) return judge(x, authorizer, resourcePolicy, known, 'KEPT');
    const identity = authorizer.identify(x);
    if (identity === null) return x.fail(FAULTS.UNAUTHORIZED, null, 'looking for what identifies the caller');
    x.journal?.note({ type: 'IDENTIFIED', authorizerId, identity });
    return known === null ? ask(x, identity, shown) : judge(x, authorizer, resourcePolicy, known, 'KEPT');
  };
}

function judge(
  x: Exchange,
  authorizer: FunctionAuthorizer,
  resourcePolicy: Policy | null,
  answer: AuthorizerAnswer,
  source: 'KEPT' | 'ASKED',
): Verdict {
  x.authorizer = answer;
  x.authorizerSource = source === 'KEPT' ? AUTHORIZER_KEPT : AUTHORIZER_ASKED;
  if (answer.always === ALLOWED && resourcePolicy === null && x.journal === null) return CONTINUE;
  const methodArn = authorizer.methodArn(x);
  const own = decide(answer, x, methodArn);
  const decision = resourcePolicy === null ? own : eitherAllows(own, evaluate(resourcePolicy, x, methodArn));
  x.journal?.note({
    type: 'AUTHORIZED',
    authorizerId: authorizer.authorizerId,
    source,
    principalId: answer.principalId,
    isAllowed: decision === ALLOWED,
    reason: decision === ALLOWED ? '' : String(denialOf(answer, x, methodArn, decision)),
  });
  if (decision === ALLOWED) return CONTINUE;
  const message = `${FAULTS.ACCESS_DENIED.message}${decision === DENIED ? ' with an explicit deny' : ''}`;
  return x.fail(FAULTS.ACCESS_DENIED, denialOf(answer, x, methodArn, decision), "judging by the authorizer's policy", message);
}

function knownTo(memory: AuthorizerMemory<AuthorizerAnswer>, shown: string): AuthorizerAnswer | null {
  const nowMs = performance.now();
  return memory.recall(shown, nowMs) ?? memory.find(shown, shown, nowMs);
}

/** The routes of a stage share them; they live as long as the snapshot. */
const linked = new WeakMap<StageSnapshot, Map<string, Linked>>();

function linkedOf(stage: StageSnapshot, authorizerId: string, functions: Connector): Linked {
  let authorizers = linked.get(stage);
  if (authorizers === undefined) linked.set(stage, (authorizers = new Map()));
  const known = authorizers.get(authorizerId);
  if (known !== undefined) return known;
  const settings = settingsOf(stage, authorizerId);
  if (settings.type === 'USER_POOLS') throw new LinkRefusal(`authorizer ${authorizerId} is no function`);
  const authorizer = new FunctionAuthorizer({ authorizerId, settings, stage, functions });
  const made = { authorizer, memory: new AuthorizerMemory(memories, authorizer.scope, authorizer.ttlMs) };
  authorizers.set(authorizerId, made);
  return made;
}
