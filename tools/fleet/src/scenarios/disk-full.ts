/** The disk of a node is full. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';

const WELL_MS = 60_000;
const KEYED = 50;

export const diskFull: Scenario = {
  name: 'disk-full',
  isLong: true,
  guarantee: 'a node whose disk is full serves what it has, loses no count, and has every change soon after there is room again',
  run: async (fleet, tell) => {
    const node = await fleet.guest('full');
    const fill = smallDisk(node, (undo) => fleet.atTheEnd.push(undo));
    if (fill === null) return tell('SKIPPED: only root may mount a small disk, and this is not root');
    tell('its disk is a tmpfs of 4 MB, mounted by this run; filled to the last byte');
    await node.part.start();
    await fleet.nodesServe(await fleet.deploy(fleet.planes[0]!), WELL_MS, [...fleet.nodes, node]);
    fill();
    const version = await fleet.deploy(fleet.planes[1]!);
    await fleet.nodesServe(version, WELL_MS);
    for (let count = 0; count < KEYED; count++)
      assert.equal((await fleet.call(node, '/keyed', { 'x-api-key': fleet.steady.apiKey })).status, 200);
    assert(await node.isReady(), 'ready as before');
    const served = await fleet.versionOf(node);
    assert.match(served, /^version \d+$/);
    tell(`full: all requests answered; the others serve version ${version}, it ${served}`);
    rmSync(path.join(node.folder, 'filler'));
    tell(`there is room again: it had the change after ${await fleet.nodesServe(version, WELL_MS, [node])} ms`);
    assert.equal(await node.part.terminate(), 0, 'exit code');
  },
};

/** Mounts a small disk in the node's folder; returns what fills it. `null` when that is not allowed. */
function smallDisk(node: FleetNode, atTheEnd: (undo: () => void) => void): (() => void) | null {
  if (process.getuid?.() !== 0) return null;
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', node.folder]);
  atTheEnd(() => execFileSync('umount', ['-l', node.folder]));
  return () => {
    const { bavail, bsize } = statfsSync(node.folder);
    writeFileSync(path.join(node.folder, 'filler'), Buffer.alloc(bavail * bsize));
    assert.throws(() => writeFileSync(path.join(node.folder, 'more'), Buffer.alloc(bsize)), /ENOSPC/);
    rmSync(path.join(node.folder, 'more'), { force: true });
  };
}
