/**
 * A Lambda authorizer (data-plane reference §6.2, §6.3).
 *
 *   identify   what the caller shows; nothing is asked for a caller who does not show all of it
 *   ask        the function, once; what it answers is judged for each request by `decide`
 *
 * Unknown means deny: whatever is neither an answer nor the word `Unauthorized` is a failure.
 */
import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import type { FunctionAuthorizerSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  FunctionError,
  LinkRefusal,
  noteCall,
  noteOutcome,
  readAll,
  type Connector,
  type Exchange,
  type FailureReason,
  type FaultKind,
  type UpstreamFailure,
  type UpstreamRequest,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { sha256Hex } from '@gatehouse/kernel';
import type { SelectionPattern } from '@gatehouse/lang';
import { apiArnOf, methodArnOf } from '../iam/index.js';
import { compileDescription, type EventRoute } from '../function-event.js';
import { invokeHeaders } from '../function-caller.js';
import { compilePattern, identitySource, type IdentitySource } from './identity.js';
import { AuthorizerAnswerError, readAnswer, type AuthorizerAnswer } from './authorizer-answer.js';

export type AuthorizerOutcome =
  | { readonly kind: 'ANSWERED'; readonly answer: AuthorizerAnswer }
  | { readonly kind: 'UNAUTHORIZED' }
  /** `reason` for the API's owner, `fault` for the caller. */
  | { readonly kind: 'FAILED'; readonly fault: FaultKind; readonly reason: string; readonly cause: unknown };

export interface FunctionAuthorizerOptions {
  readonly authorizerId: string;
  readonly settings: FunctionAuthorizerSnapshot;
  readonly stage: StageSnapshot;
  readonly functions: Connector;
}

/** As long as an integration may take on AWS. */
const TIMEOUT_MS = 29_000;
const ANSWER_BYTES_MAX = 6 * 1024 * 1024;
/** What a function throws to say that the caller is not known; any other text is a failure. */
const UNAUTHORIZED = 'Unauthorized';

export class FunctionAuthorizer {
  private readonly sources: readonly IdentitySource[];
  private readonly pattern: SelectionPattern | null;
  private readonly invokeHeaders: readonly string[];
  private readonly apiArn: string;
  /** What a policy has to allow. */
  readonly methodArn: (x: Exchange) => string;
  /** Another one after a flush, and for other settings: no two have the same decisions. */
  readonly scope: string;
  readonly ttlMs: number;
  readonly authorizerId: string;

  /** Throws LinkRefusal. */
  constructor(private readonly options: FunctionAuthorizerOptions) {
    const { authorizerId, settings, stage } = options;
    const { identitySources, validationExpression } = settings;
    if (settings.type === 'TOKEN' && identitySources.length !== 1) throw new LinkRefusal('a token has one identity source');
    this.sources = identitySources.map((source) => identitySource(source, stage));
    this.pattern = validationExpression === null ? null : compilePattern(validationExpression);
    this.apiArn = apiArnOf(stage);
    this.methodArn = methodArnOf(stage);
    this.ttlMs = settings.ttlSeconds * 1000;
    this.authorizerId = authorizerId;
    const epoch = stage.cacheEpochs?.authorizers ?? 0;
    this.scope = sha256Hex(JSON.stringify([stage.tenant, stage.apiId, stage.stage, epoch, authorizerId, settings]));
    this.invokeHeaders = invokeHeaders(`${this.apiArn}/authorizers/${authorizerId}`, stage.tenant, settings.account ?? null);
  }

  /** The values of the identity sources, in their order; `null` when one has none, or is no token that may be asked about. */
  identify(x: Exchange): readonly string[] | null {
    const values: string[] = [];
    for (const source of this.sources) {
      const value = source(x);
      if (value === null && this.needsAll) return null;
      values.push(value ?? '');
    }
    return this.pattern === null || this.pattern.matches(values[0] ?? '') ? values : null;
  }

  /** All of it as one text, that two callers have in common only when they show the same; `null` when something is missing, or nothing is asked for. */
  shown(x: Exchange): string | null {
    const { sources } = this;
    if (sources.length === 1) return sources[0]!(x);
    let shown = '';
    for (const source of sources) {
      const value = source(x);
      if (value === null) return null;
      shown += `${value.length}:${value}`;
    }
    return shown === '' ? null : shown;
  }

  /** A request whose decisions are not kept is the function's to judge, whatever it lacks. */
  private get needsAll(): boolean {
    return this.options.settings.type === 'TOKEN' || this.ttlMs > 0;
  }

  /** One call of the function; `identity` as `identify` returned it. */
  async ask(x: Exchange, route: EventRoute, identity: readonly string[]): Promise<AuthorizerOutcome> {
    const { settings, stage, functions } = this.options;
    const request: UpstreamRequest = {
      httpMethod: 'POST',
      url: settings.functionArn,
      tenant: stage.tenant,
      traceId: x.traceId,
      block: null,
      headers: [...this.invokeHeaders, ...(x.trace === null ? [] : ['traceparent', x.trace.traceparent])],
      body: Buffer.from(JSON.stringify(this.event(x, route, identity)), 'utf8'),
      timeoutMs: TIMEOUT_MS,
    };
    const { journal } = x;
    if (journal !== null) noteCall(journal, 'authorizer', request);
    const startedAtMs = performance.now();
    const answer = await functions.call(request, x);
    if ('failure' in answer) {
      if (journal !== null) noteOutcome(journal, 'authorizer', answer, performance.now() - startedAtMs);
      return failed(answer);
    }
    const given = answer.body ?? Buffer.alloc(0);
    const body = Buffer.isBuffer(given) ? given : await readAll(given, ANSWER_BYTES_MAX);
    if (journal !== null) noteOutcome(journal, 'authorizer', { ...answer, body }, performance.now() - startedAtMs);
    return this.judge(body);
  }

  private event(x: Exchange, route: EventRoute, identity: readonly string[]): object {
    const methodArn = this.methodArn(x);
    const { settings, stage } = this.options;
    if (settings.type === 'TOKEN') return { type: 'TOKEN', methodArn, authorizationToken: identity[0]! };
    return { type: 'REQUEST', methodArn, ...compileDescription(stage, route)(x) };
  }

  private judge(body: Buffer): AuthorizerOutcome {
    try {
      return { kind: 'ANSWERED', answer: readAnswer(body, this.apiArn) };
    } catch (cause) {
      if (!(cause instanceof AuthorizerAnswerError)) throw cause;
      const reason = `Invalid JSON in response: ${cause.message}`;
      return { kind: 'FAILED', fault: FAULTS.AUTHORIZER_CONFIGURATION_ERROR, reason, cause };
    }
  }
}

/** What only the API's owner can mend is a configuration error; what may be over soon, a failure. */
const FAILURES: Readonly<Record<FailureReason, readonly [fault: FaultKind, reason: string]>> = {
  TIMEOUT: [FAULTS.AUTHORIZER_FAILURE, 'the function did not answer in time'],
  NETWORK: [FAULTS.AUTHORIZER_FAILURE, 'a network error communicating with the function'],
  UNAVAILABLE: [FAULTS.AUTHORIZER_FAILURE, 'the function is not available'],
  ABORTED: [FAULTS.CALLER_LEFT, 'the caller left'],
  ADDRESS: [FAULTS.AUTHORIZER_CONFIGURATION_ERROR, 'Invalid endpoint address'],
  FORBIDDEN_ADDRESS: [FAULTS.AUTHORIZER_CONFIGURATION_ERROR, 'Invalid endpoint address'],
  PERMISSION: [FAULTS.AUTHORIZER_CONFIGURATION_ERROR, 'Invalid permissions on Lambda function'],
  REFUSED: [FAULTS.AUTHORIZER_CONFIGURATION_ERROR, 'the function cannot be invoked'],
  REQUEST_TOO_LARGE: [FAULTS.AUTHORIZER_CONFIGURATION_ERROR, 'the request is larger than the function takes'],
  FUNCTION_ERROR: [FAULTS.AUTHORIZER_CONFIGURATION_ERROR, 'the function failed'],
};

function failed({ failure, cause }: UpstreamFailure): AuthorizerOutcome {
  const said = cause instanceof FunctionError ? cause.errorMessage : null;
  if (failure === 'FUNCTION_ERROR' && said === UNAUTHORIZED) return { kind: 'UNAUTHORIZED' };
  const [fault, reason] = FAILURES[failure];
  return { kind: 'FAILED', fault, reason: said === null ? reason : `${reason}: ${said}`, cause };
}
