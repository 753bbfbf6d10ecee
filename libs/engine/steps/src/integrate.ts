import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import {
  BodyTooLarge,
  CONTINUE,
  noteCall,
  noteOutcome,
  PENDING,
  proceed,
  type Connector,
  type Exchange,
  type FailureReason,
  type FaultKind,
  type Step,
  type UpstreamAnswer,
  type UpstreamFailure,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { isCorruptCoding } from './decode-body.js';

/** Calls the backend; the answer's body is not read here. */
export function integrate(connector: Connector): Step {
  if (connector.start !== undefined) {
    return (x) => {
      x.integrationStartedAtMs = performance.now();
      if (x.journal !== null) noteCall(x.journal, 'backend', x.upstreamRequest!);
      connector.start!(x.upstreamRequest!, x, x.integrationStartedAtMs, settledLater);
      return PENDING;
    };
  }
  return async (x) => {
    x.integrationStartedAtMs = performance.now();
    if (x.journal !== null) noteCall(x.journal, 'backend', x.upstreamRequest!);
    return settled(await connector.call(x.upstreamRequest!, x), x);
  };
}

function settledLater(outcome: UpstreamAnswer | UpstreamFailure, x: Exchange): void {
  proceed(x, settled(outcome, x));
}

function settled(outcome: UpstreamAnswer | UpstreamFailure, x: Exchange): Verdict {
  x.integrationLatencyMs = performance.now() - x.integrationStartedAtMs;
  if (x.journal !== null) noteOutcome(x.journal, 'backend', outcome, x.integrationLatencyMs);
  if ('failure' in outcome) return failed(x, outcome);
  x.upstreamAnswer = outcome;
  return CONTINUE;
}

/** Data-plane reference §3.13, §4.4. */
const FAULT_OF: Readonly<Record<FailureReason, FaultKind>> = {
  TIMEOUT: FAULTS.INTEGRATION_TIMEOUT,
  NETWORK: FAULTS.INTEGRATION_FAILURE,
  ADDRESS: FAULTS.INVALID_ENDPOINT,
  FORBIDDEN_ADDRESS: FAULTS.INVALID_ENDPOINT,
  UNAVAILABLE: FAULTS.UPSTREAM_UNAVAILABLE,
  ABORTED: FAULTS.CALLER_LEFT,
  PERMISSION: FAULTS.INTEGRATION_NOT_PERMITTED,
  REFUSED: FAULTS.INTEGRATION_NOT_PERMITTED,
  REQUEST_TOO_LARGE: FAULTS.REQUEST_TOO_LARGE,
  FUNCTION_ERROR: FAULTS.FUNCTION_FAILED,
};

function failed(x: Exchange, { failure, cause, retryAfterMs }: UpstreamFailure): Verdict {
  if (retryAfterMs !== undefined) x.retryAfterMs = retryAfterMs;
  const { body } = x.upstreamRequest!;
  // The backend call broke because the caller's body did: say what the caller did wrong, not what the backend saw.
  if (body !== null && !Buffer.isBuffer(body) && body.errored instanceof BodyTooLarge)
    return x.fail(FAULTS.REQUEST_TOO_LARGE, cause, 'sending the body');
  if (body !== null && !Buffer.isBuffer(body) && isCorruptCoding(body.errored))
    return x.fail(FAULTS.UNSUPPORTED_MEDIA_TYPE, cause, 'decoding the body');
  if (x.isCallerGone) return x.fail(FAULTS.CALLER_LEFT, cause, 'calling the backend');
  return x.fail(FAULT_OF[failure], cause, 'calling the backend');
}
