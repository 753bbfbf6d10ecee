import type { ReportBatch } from '@gatehouse/contracts';
import type { MeteringLog } from '@gatehouse/domain';
import type { MeteringLogger } from './log.js';
import { reportFromWire } from './report.wire.js';

/**
 * Puts a node's batch into the sums, once however often it comes: its name (node, epoch, sequence) is recorded in the
 * transaction that adds. Resolves when it is in, now or earlier; rejects when the node is to send it again.
 */
export function createReportSink(dependencies: {
  readonly metering: MeteringLog;
  readonly log: MeteringLogger;
}): (batch: ReportBatch) => Promise<void> {
  const { metering, log } = dependencies;
  return async (batch) => {
    const { report, droppedCount } = reportFromWire(batch);
    const { nodeId, epoch, sequence } = report;
    if (droppedCount > 0)
      log.error({ node: nodeId, epoch, sequence, droppedCount }, 'report lines make no sense and were dropped');
    await metering.apply(report);
  };
}
