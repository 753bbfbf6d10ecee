/** What TCP can do to the stream between a node and its control planes. Repeated and reordered messages: tools/node-link. */
import type { FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { sleep } from '../wait.js';

/** A node has to notice 15 s of silence, and may meet it at the next control plane too. */
const NOTICED_MS = 50_000;
const WELL_MS = 20_000;
const CUTS = 20;
const SILENT_MS = 17_000;

export const cutStreams: Scenario = {
  name: 'cut-streams',
  isLong: true,
  guarantee:
    'streams cut in the middle of messages, held, and swallowed by a dead router: traffic goes on, and every node has every change',
  run: async (fleet, tell) => {
    const [cut, held, swallowed] = fleet.nodes as [FleetNode, FleetNode, FleetNode];
    for (const wire of held.wires) wire.hold();
    for (const wire of swallowed.wires) wire.swallow();
    const silentUntilMs = performance.now() + SILENT_MS;
    for (let count = 1; count <= CUTS; count++) {
      // The sizes of frames are anything: so are these.
      for (const wire of cut.wires) wire.cutAfter(1 + ((count * 61) % 500));
      await fleet.deploy(fleet.planes[count % 2]!);
    }
    for (const wire of cut.wires) wire.release();
    let version = await fleet.deploy(fleet.planes[0]!);
    tell(`${cut.name}: cut ${CUTS} times in messages; whole again after ${await fleet.nodesServe(version, WELL_MS, [cut])} ms`);
    await sleep(Math.max(0, silentUntilMs - performance.now()));
    for (const node of [held, swallowed]) for (const wire of node.wires) wire.release();
    tell(
      `${held.name}: held for ${SILENT_MS} ms; has everything after ${await fleet.nodesServe(version, NOTICED_MS, [held])} ms`,
    );
    tell(
      `${swallowed.name}: after as long behind a dead router, after ${await fleet.nodesServe(version, NOTICED_MS, [swallowed])} ms`,
    );
    version = await fleet.deploy(fleet.planes[1]!);
    await fleet.nodesServe(version, WELL_MS);
  },
};
