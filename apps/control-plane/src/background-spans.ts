/**
 * Spans of what no request waits for: jobs, and changes on their way to nodes. A job is a trace of its own. All pushes of one revision are
 * one trace, whichever control plane sends them: its id comes from the revision, so nobody tells anybody.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FinishedJob } from '@gatehouse/control-metering';
import type { FinishedPush } from '@gatehouse/control-nodes';
import type { FinishedSpan, Tracing } from '@gatehouse/telemetry';

export interface BackgroundSpans {
  readonly onJob: (job: FinishedJob) => void;
  readonly onPush: (push: FinishedPush) => void;
}

/** `installation`: makes its revisions differ from those of another one in the same collector. */
export function backgroundSpans(tracing: Tracing, installation: Uint8Array): BackgroundSpans {
  const record = (span: Omit<FinishedSpan, 'spanId' | 'parent'>): void => {
    if (tracing.isSampled(span.traceId, null)) tracing.record({ ...span, spanId: randomBytes(8).toString('hex'), parent: null });
  };
  return {
    onJob: ({ name, id, startMs, endMs, done }) =>
      record({
        name: `job ${name}`,
        kind: 'CONSUMER',
        traceId: randomBytes(16).toString('hex'),
        startMs,
        endMs,
        attributes: {
          'gatehouse.job.id': id,
          ...Object.fromEntries(Object.entries(done ?? {}).map(([what, count]) => [`gatehouse.job.${what}`, count])),
        },
        isError: done === null,
      }),
    onPush: ({ nodeId, revision, entryCount, isFull, startMs, endMs, refusedCount }) =>
      record({
        name: isFull ? 'push manifest' : 'push change',
        kind: 'CLIENT',
        traceId: traceIdOf(installation, revision),
        startMs,
        endMs,
        attributes: {
          'gatehouse.node': nodeId,
          'gatehouse.revision': revision,
          'gatehouse.entries': entryCount,
          'gatehouse.acknowledged': refusedCount !== null,
          'gatehouse.refused': refusedCount ?? 0,
        },
        isError: refusedCount !== 0,
      }),
  };
}

/** 32 hex digits; never all zero, but for once in 2^128. */
const traceIdOf = (installation: Uint8Array, revision: number): string =>
  createHash('sha256').update(installation).update(`revision ${revision}`).digest('hex').slice(0, 32);
