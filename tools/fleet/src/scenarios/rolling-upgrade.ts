/**
 * A fleet is upgraded process by process, under load. Who is not upgraded yet runs the same program as the others, behind a filter that
 * lets nothing through that the release before does not know.
 */
import assert from 'node:assert/strict';
import { PROTOCOL } from '@gatehouse/contracts';
import { readRelease, releaseNames } from '@gatehouse/contracts/testing';
import { ReleaseFilter } from '@gatehouse/testkit';
import { listNodes, type NodeView } from '../admin.js';
import type { ControlPlane, Fleet, FleetNode } from '../fleet.js';
import type { Scenario } from '../scenario.js';
import { eventually } from '../wait.js';
import { endAndRestart } from './rolling-restart.js';

const WELL_MS = 30_000;
const OLD_PROTOCOL = 0;

export const rollingUpgrade: Scenario = {
  name: 'rolling-upgrade',
  isLong: true,
  guarantee:
    'from the release before to this one, control planes first and nodes first: no request is lost, and at every step each change reaches all',
  run: async (fleet, tell) => {
    for (const order of ['control planes', 'nodes'] as const) {
      const upgrade = await Upgrade.begin(fleet);
      tell(`all on release ${upgrade.release}: ${await fleet.isWell(WELL_MS)}`);
      const planes = fleet.planes.map((plane) => () => upgrade.plane(plane));
      const nodes = fleet.nodes.map((node) => () => upgrade.node(node));
      for (const step of order === 'nodes' ? [...nodes, ...planes] : [...planes, ...nodes])
        tell(`${await step()} upgraded: ${await fleet.isWell(WELL_MS)}; protocols ${await upgrade.spoken()}`);
      await upgrade.end();
      tell(`${order} first: done`);
    }
  },
};

interface Way {
  readonly node: FleetNode;
  readonly plane: ControlPlane;
  readonly filter: ReleaseFilter;
}

class Upgrade {
  private readonly upgraded = new Set<FleetNode | ControlPlane>();

  private constructor(
    readonly release: string,
    private readonly fleet: Fleet,
    private readonly ways: readonly Way[],
  ) {}

  /** Everybody is of the release before. */
  static async begin(fleet: Fleet): Promise<Upgrade> {
    const release = readRelease(releaseNames().at(-1)!);
    const ways: Way[] = [];
    for (const node of fleet.nodes) {
      for (const [index, plane] of fleet.planes.entries()) {
        const filter = await ReleaseFilter.open(release, plane.grpcPort);
        ways.push({ node, plane, filter });
        node.wires[index]!.leadTo(filter.port);
        node.wires[index]!.cut();
      }
    }
    const upgrade = new Upgrade(release.name, fleet, ways);
    await upgrade.isSpoken();
    return upgrade;
  }

  async plane(plane: ControlPlane): Promise<string> {
    const ended = plane.part.terminate();
    this.upgrade(plane);
    assert.equal(await ended, 0, `exit code of ${plane.name}`);
    await plane.part.start();
    return plane.name;
  }

  async node(node: FleetNode): Promise<string> {
    await endAndRestart(this.fleet, node, () => this.upgrade(node));
    await this.isSpoken();
    return node.name;
  }

  private upgrade(part: FleetNode | ControlPlane): void {
    this.upgraded.add(part);
    for (const { node, plane, filter } of this.ways) filter.isOn = !(this.upgraded.has(node) && this.upgraded.has(plane));
  }

  /** What a node speaks follows from where it is connected; what it may speak, from who is upgraded. */
  private async isSpoken(): Promise<void> {
    const { fleet, upgraded } = this;
    const arePlanesUpgraded = fleet.planes.map((plane) => upgraded.has(plane));
    await eventually('every node speaks what it can', WELL_MS, async () => {
      const nodes = await this.nodes();
      return nodes.every(({ adminUrl, protocol }) => {
        const node = fleet.nodes.find(({ adminPort }) => adminUrl?.endsWith(`:${adminPort}`));
        if (node === undefined) return true; // a guest of another scenario
        if (!upgraded.has(node) || !arePlanesUpgraded.includes(true)) return protocol === OLD_PROTOCOL;
        return protocol === PROTOCOL.newest || arePlanesUpgraded.includes(false);
      });
    });
  }

  private nodes(): Promise<NodeView[]> {
    return listNodes(this.fleet.planes[0]!.adminPort);
  }

  async spoken(): Promise<string> {
    const nodes = await this.nodes();
    return nodes
      .filter(({ connected }) => connected)
      .map(({ protocol }) => protocol)
      .join(', ');
  }

  /** Nothing stands between them any more. */
  async end(): Promise<void> {
    await this.isSpoken();
    for (const { node, plane } of this.ways) {
      const wire = node.wires[this.fleet.planes.indexOf(plane)]!;
      wire.leadTo(plane.grpcPort);
      wire.cut();
    }
    for (const { filter } of this.ways) filter.close();
    await this.isSpoken();
  }
}
