/**
 * What a Lambda authorizer answers (data-plane reference §6.3): who calls, a policy that says what the caller may do, and values for the
 * backend. Anything else than this shape admits nobody.
 */
import type { Buffer } from 'node:buffer';
import { DENIED, Policy, PolicyError, type PolicyDecision } from '@gatehouse/lang';
import { PolicyDenial, type AuthorizedCaller, type Exchange } from '@gatehouse/engine-exchange';
import { denyingStatement, evaluate, INVOKE } from '../iam/index.js';

export interface AuthorizerAnswer extends AuthorizedCaller {
  readonly policy: Policy;
  /** What it says of every method and path; `null` when it makes differences. */
  readonly always: PolicyDecision | null;
  /** As the function wrote it. */
  readonly policyDocument: unknown;
  /** That it came in. */
  readonly bytes: number;
}

export class AuthorizerAnswerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AuthorizerAnswerError';
  }
}

/** Ours: what is longer would be parsed, and kept, for every caller. */
const ANSWER_BYTES_MAX = 64 * 1024;
const RESOURCE_CHARS_MAX = 512;

/** Throws AuthorizerAnswerError. `apiArn` as in PolicySettings. */
export function readAnswer(body: Buffer, apiArn: string): AuthorizerAnswer {
  if (body.length > ANSWER_BYTES_MAX) throw new AuthorizerAnswerError(`it has more than ${ANSWER_BYTES_MAX} bytes`);
  const members = readObject(parse(body), 'it');
  const { principalId, policyDocument, usageIdentifierKey = null } = members;
  if (typeof principalId !== 'string' || principalId === '') throw new AuthorizerAnswerError('principalId is no text');
  if (usageIdentifierKey !== null && typeof usageIdentifierKey !== 'string')
    throw new AuthorizerAnswerError('usageIdentifierKey is no text');
  const policy = compilePolicy(policyDocument, apiArn);
  return {
    principalId,
    policy,
    always: policy.evaluateAll(INVOKE),
    policyDocument,
    bytes: body.length,
    context: readContext(members['context'] ?? {}),
    usageIdentifierKey,
    claims: null,
  };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new AuthorizerAnswerError('it is no JSON');
  }
}

function compilePolicy(document: unknown, apiArn: string): Policy {
  const { Statement: given } = readObject(document, 'policyDocument');
  for (const statement of Array.isArray(given) ? given : [given]) checkResources(statement);
  try {
    return Policy.compile(document, { kind: 'identity', apiArn });
  } catch (error) {
    if (error instanceof PolicyError) throw new AuthorizerAnswerError(`policyDocument: ${error.message}`);
    throw error;
  }
}

/** What is no statement at all, the policy's own compiler refuses. */
function checkResources(statement: unknown): void {
  const { Resource: own, NotResource: others } = (statement ?? {}) as { Resource?: unknown; NotResource?: unknown };
  for (const resource of [own, others].flat(1)) {
    if (typeof resource === 'string' && resource.length > RESOURCE_CHARS_MAX)
      throw new AuthorizerAnswerError(`policyDocument: a resource has more than ${RESOURCE_CHARS_MAX} characters`);
  }
}

function readContext(value: unknown): AuthorizedCaller['context'] {
  const context = new Map<string, string | number | boolean>();
  for (const [name, member] of Object.entries(readObject(value, 'context'))) {
    if (typeof member !== 'string' && typeof member !== 'number' && typeof member !== 'boolean')
      throw new AuthorizerAnswerError(`context.${name} is no text, number, true or false`);
    context.set(name, member);
  }
  return context;
}

function readObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
  throw new AuthorizerAnswerError(`${what} is no object`);
}

/** An answer that was kept is asked again for each request: it names methods. */
export function decide({ policy }: AuthorizerAnswer, x: Exchange, methodArn: string): PolicyDecision {
  return evaluate(policy, x, methodArn);
}

/** After `decide` said no, for whoever asks why. */
export function denialOf(answer: AuthorizerAnswer, x: Exchange, methodArn: string, decision: PolicyDecision): PolicyDenial {
  const { policy, policyDocument } = answer;
  return new PolicyDenial(decision === DENIED, methodArn, policyDocument, () => denyingStatement(policy, x, methodArn));
}
