/**
 * TestInvokeAuthorizer: one question to a Lambda authorizer, by the code that asks for live traffic. Nothing is judged by the policy
 * that comes back: whoever tests wants to read it.
 */
import { Buffer } from 'node:buffer';
import type { StageSnapshot } from '@gatehouse/contracts';
import { LinkRefusal, type Exchange, type FaultKind } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { masked, type ExecutionLog } from '@gatehouse/engine-logs';
import {
  FunctionAuthorizer,
  UserPoolAuthorizer,
  type AuthorizerConnectors,
  type AuthorizerOutcome,
} from '@gatehouse/engine-steps';
import { unreachable } from '@gatehouse/kernel';

export interface AuthorizerRun {
  /** What a caller would get; 0 when the authorizer answered. */
  readonly status: number;
  readonly body: Buffer;
}

/** What AWS puts in the place of a resource. */
const ROUTE = { resourceId: 'test-invoke-resource-id', path: '/', operationName: null };

/** `x` has a journal. */
export async function runAuthorizer(
  x: Exchange,
  stage: StageSnapshot,
  authorizerId: string,
  connectors: Pick<AuthorizerConnectors, 'functions' | 'http'>,
  log: ExecutionLog,
  shownUri: (url: string) => string,
): Promise<AuthorizerRun> {
  const settings = stage.authorizers?.[authorizerId];
  if (settings === undefined) throw new Error(`the snapshot has no authorizer ${authorizerId}`);
  if (settings.type === 'REFUSE') return ended(FAULTS.UNAUTHORIZED, `configuration error: ${settings.reason}`, log);
  const authorizer = linked(() =>
    settings.type === 'USER_POOLS'
      ? new UserPoolAuthorizer(settings, stage, connectors.http)
      : new FunctionAuthorizer({ authorizerId, settings, stage, functions: connectors.functions }),
  );
  if (authorizer instanceof LinkRefusal) {
    return ended(FAULTS.AUTHORIZER_CONFIGURATION_ERROR, `configuration error: ${authorizer.message}`, log);
  }
  if (authorizer instanceof UserPoolAuthorizer) return checkToken(authorizer, x, log);
  const identity = authorizer.identify(x);
  if (identity === null) return unauthorized(x, log);
  log.add(`Incoming identity: ${identity.map(masked).join(', ')}`);
  log.hide(identity);
  log.learn(x);
  const outcome = await authorizer.ask(x, ROUTE, identity);
  log.addCalls(x.journal!, shownUri);
  return answered(outcome, x, log);
}

function linked<T>(link: () => T): T | LinkRefusal {
  try {
    return link();
  } catch (cause) {
    if (cause instanceof LinkRefusal) return cause;
    throw cause;
  }
}

/** Without scopes: those are of methods. */
async function checkToken(authorizer: UserPoolAuthorizer, x: Exchange, log: ExecutionLog): Promise<AuthorizerRun> {
  const token = authorizer.identify(x);
  if (token === null) return unauthorized(x, log);
  log.add(`Incoming identity: ${masked(token)}`);
  const outcome = await authorizer.check(token, [], x.receivedAtMs);
  switch (outcome.kind) {
    case 'KNOWN':
      log.add('Successfully completed authorizer execution');
      return { status: 0, body: Buffer.from(JSON.stringify({ claims: outcome.caller.claims }), 'utf8') };
    case 'FAILED':
      return ended(FAULTS.AUTHORIZER_FAILURE, outcome.reason, log);
    case 'EXPIRED':
      log.add('The incoming token has expired');
      return unauthorized(x, log);
    case 'UNAUTHORIZED':
      log.add(`The token is not accepted: ${outcome.reason}`);
      return unauthorized(x, log);
  }
}

function answered(outcome: AuthorizerOutcome, x: Exchange, log: ExecutionLog): AuthorizerRun {
  switch (outcome.kind) {
    case 'UNAUTHORIZED':
      return unauthorized(x, log);
    case 'FAILED': {
      const { fault, reason } = outcome;
      return ended(fault, fault.source === 'owner' ? `configuration error: ${reason}` : reason, log);
    }
    case 'ANSWERED': {
      const { principalId, policyDocument, context } = outcome.answer;
      log.add(`Using valid authorizer policy for principal: ${masked(principalId)}`);
      log.add('Successfully completed authorizer execution');
      const body = Buffer.from(JSON.stringify({ principalId, policyDocument, context: Object.fromEntries(context) }), 'utf8');
      return { status: 0, body };
    }
    default:
      return unreachable(outcome);
  }
}

function unauthorized({ requestId }: Exchange, log: ExecutionLog): AuthorizerRun {
  log.add(`Unauthorized request: ${requestId}`);
  return { status: FAULTS.UNAUTHORIZED.status, body: Buffer.alloc(0) };
}

function ended({ status }: FaultKind, reason: string, log: ExecutionLog): AuthorizerRun {
  log.add(`Execution failed due to ${reason}`);
  return { status, body: Buffer.alloc(0) };
}
