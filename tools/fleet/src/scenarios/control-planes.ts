/** Each control plane in turn is killed and stopped for a while. */
import assert from 'node:assert/strict';
import { refusal } from '../admin.js';
import type { ControlPlane, Fleet } from '../fleet.js';
import type { Scenario } from '../scenario.js';

/** Long enough for a node that has to notice 15 s of silence first. */
const NOTICED_MS = 40_000;

const otherThan = ({ planes }: Fleet, plane: ControlPlane): ControlPlane => planes.find((other) => other !== plane)!;

export const killControlPlanes: Scenario = {
  name: 'kill-control-planes',
  guarantee: 'kill -9 of a control plane: the other one deploys to all nodes, and its own clients hear that nobody is there',
  run: async (fleet, tell) => {
    for (const plane of fleet.planes) {
      await plane.part.kill();
      assert.match((await refusal(plane.api.getRestApis({}))) ?? 'done', /^no answer: ECONNREFUSED/);
      const tookMs = await fleet.nodesServe(await fleet.deploy(otherThan(fleet, plane)), NOTICED_MS);
      await plane.part.start();
      tell(`${plane.name} killed: served on all nodes after ${tookMs} ms; restarted: ${await fleet.isWell(NOTICED_MS)}`);
    }
  },
};

export const pauseControlPlanes: Scenario = {
  name: 'pause-control-planes',
  isLong: true,
  guarantee: 'a control plane that hangs with its streams open: its nodes turn to the other one, which deploys to all of them',
  run: async (fleet, tell) => {
    for (const plane of fleet.planes) {
      plane.part.pause();
      const waiting = refusal(plane.api.getRestApis({}));
      const tookMs = await fleet.nodesServe(await fleet.deploy(otherThan(fleet, plane)), NOTICED_MS);
      plane.part.resume();
      assert.equal(await waiting, null, 'what was asked of it while it hung is answered');
      tell(`${plane.name} hung: served on all nodes after ${tookMs} ms; went on: ${await fleet.isWell(NOTICED_MS)}`);
    }
  },
};
