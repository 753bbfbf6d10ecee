import { SNAPSHOT_FORMAT, type StageSnapshot } from '@gatehouse/contracts';
import { LinkRefusal } from '@gatehouse/engine-exchange';
import { sha256Hex } from '@gatehouse/kernel';
import { checkStage } from './shapes.js';

/** What the manifest says a blob is. */
export interface SnapshotName {
  readonly tenant: string;
  readonly apiId: string;
  readonly stage: string;
  readonly digest: string;
}

/**
 * The snapshot in a blob. Cut short, changed, of another stage or tenant, or of another format: LinkRefusal, because serving the
 * wrong one is worse than serving the last good one.
 */
export function readSnapshot(bytes: Uint8Array, name: SnapshotName): StageSnapshot {
  if (sha256Hex(bytes) !== name.digest) throw new LinkRefusal(`snapshot ${name.digest}: its bytes have another digest`);
  let snapshot: Partial<StageSnapshot> | null;
  try {
    snapshot = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<StageSnapshot> | null;
  } catch (cause) {
    throw new LinkRefusal(`snapshot ${name.digest}: ${(cause as Error).message}`);
  }
  if (snapshot === null || typeof snapshot !== 'object') throw new LinkRefusal(`snapshot ${name.digest}: not an object`);
  if (snapshot.format !== SNAPSHOT_FORMAT)
    throw new LinkRefusal(`snapshot ${name.digest}: format ${snapshot.format}, this node links ${SNAPSHOT_FORMAT}`);
  for (const member of ['tenant', 'apiId', 'stage'] as const) {
    if (snapshot[member] !== name[member])
      throw new LinkRefusal(`snapshot ${name.digest}: ${member} is ${snapshot[member]}, the manifest says ${name[member]}`);
  }
  checkStage(snapshot, `snapshot ${name.digest}`);
  return snapshot as StageSnapshot;
}
