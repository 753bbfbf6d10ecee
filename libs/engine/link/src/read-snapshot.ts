import { SNAPSHOT_FORMAT, type RouteSnapshot, type StageSnapshot } from '@gatehouse/contracts';
import { LinkRefusal } from '@gatehouse/engine-exchange';
import { sha256Hex } from '@gatehouse/kernel';
import { readRoutes, splitSnapshot, type ReadRoutes } from './routes-text.js';
import { checkRoute, checkStage, checkStageAround } from './shapes.js';
import type { Turns } from './turns.js';

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
  checkDigest(bytes, name);
  return readWhole(bytes, name);
}

export interface SnapshotRead {
  readonly snapshot: StageSnapshot;
  /** For whoever reads the stage's next snapshot; `null` when nothing can be shared with it. */
  readonly read: ReadRoutes | null;
}

/** The same, in turns with requests. Routes that are in `former`, word for word, are that one's objects and were checked with it. */
export async function readSnapshotInTurns(
  bytes: Uint8Array,
  name: SnapshotName,
  former: ReadRoutes | null,
  turns: Turns,
): Promise<SnapshotRead> {
  checkDigest(bytes, name);
  if (turns.isOver) await turns.next();
  const split = splitSnapshot(bytes);
  if (split === null) return { snapshot: readWhole(bytes, name), read: null };
  const where = `snapshot ${name.digest}`;
  checkName(split.head, name);
  const check = (route: unknown, index: number): void => checkRoute(route, `${where}.routes[${index}]`);
  const read = await readRoutes(split.routes, former, check, turns);
  if (read === null) return { snapshot: readWhole(bytes, name), read: null };
  const snapshot = split.head as { routes: readonly RouteSnapshot[] };
  snapshot.routes = read.routes;
  checkStageAround(snapshot, where);
  return { snapshot: snapshot as StageSnapshot, read };
}

function checkDigest(bytes: Uint8Array, { digest }: SnapshotName): void {
  if (sha256Hex(bytes) !== digest) throw new LinkRefusal(`snapshot ${digest}: its bytes have another digest`);
}

function readWhole(bytes: Uint8Array, name: SnapshotName): StageSnapshot {
  let snapshot: Record<string, unknown> | null;
  try {
    snapshot = JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown> | null;
  } catch (cause) {
    throw new LinkRefusal(`snapshot ${name.digest}: ${(cause as Error).message}`);
  }
  if (snapshot === null || typeof snapshot !== 'object') throw new LinkRefusal(`snapshot ${name.digest}: not an object`);
  checkName(snapshot, name);
  checkStage(snapshot, `snapshot ${name.digest}`);
  return snapshot as unknown as StageSnapshot;
}

function checkName(snapshot: Record<string, unknown>, name: SnapshotName): void {
  if (snapshot.format !== SNAPSHOT_FORMAT)
    throw new LinkRefusal(`snapshot ${name.digest}: format ${String(snapshot.format)}, this node links ${SNAPSHOT_FORMAT}`);
  for (const member of ['tenant', 'apiId', 'stage'] as const) {
    if (snapshot[member] !== name[member])
      throw new LinkRefusal(
        `snapshot ${name.digest}: ${member} is ${String(snapshot[member])}, the manifest says ${name[member]}`,
      );
  }
}
