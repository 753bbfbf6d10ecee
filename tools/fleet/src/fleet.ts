/**
 * Two control planes, three nodes, PostgreSQL, Redis, HAProxy and a backend, as processes of this machine.
 *
 *   callers -> HAProxy -> nodes -> backend
 *                           | a wire for each node and control plane
 *                       control planes -> wire -> PostgreSQL
 *                                      -> wire -> Redis
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { APIGateway } from '@aws-sdk/client-api-gateway';
import { freePorts, startPostgres, startRedis, type TestPostgres, type TestRedis } from '@gatehouse/testkit';
import {
  clientOf,
  createChangingApi,
  createSteadyApi,
  deployVersion,
  refusal,
  TENANT,
  type ChangingApi,
  type SteadyApi,
} from './admin.js';
import { Backend } from './backend.js';
import { Balancer, findHaproxy } from './balancer.js';
import { Load, request, type Answer } from './load.js';
import { Part, ROOT } from './part.js';
import { eventually } from './wait.js';
import { Wire } from './wire.js';

const CONTROL_PLANES = 2;
const NODES = 3;

export class FleetNode {
  /** Direct callers know that it takes no requests and leave it alone. */
  isDown = false;
  /** It was killed: what was under way in it may break. */
  isKilled = false;

  constructor(
    readonly part: Part,
    readonly port: number,
    readonly adminPort: number,
    readonly folder: string,
    readonly accessLog: string,
    /** To each control plane. */
    readonly wires: readonly Wire[],
  ) {}

  get name(): string {
    return this.part.name;
  }

  async isReady(): Promise<boolean> {
    return (await this.readiness()).status === 200;
  }

  readiness(): Promise<Answer> {
    return request({ port: this.adminPort, path: '/readyz' });
  }

  async metrics(): Promise<string> {
    return (await request({ port: this.adminPort, path: '/metrics' })).body;
  }

  /** Sum over all labels; 0 when it has none. */
  async metric(name: string): Promise<number> {
    return sumOf(await this.metrics(), name);
  }
}

export function sumOf(page: string, name: string): number {
  const lines = page.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

export class ControlPlane {
  readonly api: APIGateway;
  constructor(
    readonly part: Part,
    readonly adminPort: number,
    readonly grpcPort: number,
  ) {
    this.api = clientOf(adminPort);
  }

  get name(): string {
    return this.part.name;
  }

  /** Which of its checks fail; function runners are none of this fleet's. */
  async failing(): Promise<string[]> {
    const { body } = await request({ port: this.adminPort, path: '/readyz' });
    const { checks = [] } = JSON.parse(body) as { checks?: { name: string; ok: boolean }[] };
    return checks.filter(({ name, ok }) => !ok && name !== 'function-runner').map(({ name }) => name);
  }
}

export class Fleet {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'gatehouse-fleet-'));
  readonly nodes: FleetNode[] = [];
  readonly planes: ControlPlane[] = [];
  readonly secrets = { masterKey: randomBytes(32).toString('hex'), nodeToken: randomBytes(16).toString('hex') };
  backend!: Backend;
  postgres!: TestPostgres;
  redis!: TestRedis;
  postgresWire!: Wire;
  redisWire!: Wire;
  balancer: Balancer | null = null;
  steady!: SteadyApi;
  changing!: ChangingApi;
  load!: Load;
  private lastKillMs = Number.NEGATIVE_INFINITY;
  private version = 0;
  killedNodes = 0;
  /** Nodes of one scenario; they count too. */
  readonly guests: FleetNode[] = [];

  constructor(private readonly tell: (text: string) => void) {}

  async start(): Promise<void> {
    mkdirSync(path.join(this.folder, 'logs'));
    this.backend = await Backend.start();
    // What a session was told is committed must outlive a kill -9.
    this.postgres = await startPostgres({ settings: { synchronous_commit: 'on' } });
    this.redis = await startRedis();
    const { port: postgresPort } = new URL(this.postgres.url);
    this.postgresWire = await Wire.open(Number(postgresPort));
    const redisUrl = new URL(this.redis.url);
    this.redisWire = await Wire.open(Number(redisUrl.port || 6379), redisUrl.hostname);
    const ports = await freePorts(CONTROL_PLANES * 2 + NODES * 2 + 1);
    const take = (): number => ports.pop()!;

    const control = this.controlEnvironment();
    await promisify(execFile)(process.execPath, [path.join(ROOT, 'apps/control-plane/dist/prepare.js')], {
      env: { PATH: process.env['PATH'], ...control, ...TENANT },
    });
    for (let index = 0; index < CONTROL_PLANES; index++) {
      const [adminPort, grpcPort] = [take(), take()];
      const own = { ...control, GATEHOUSE_ADMIN_PORT: String(adminPort), GATEHOUSE_GRPC_PORT: String(grpcPort) };
      const name = `control-plane-${index + 1}`;
      this.planes.push(
        new ControlPlane(new Part(name, 'apps/control-plane/dist/main.js', own, this.logOf(name)), adminPort, grpcPort),
      );
    }
    await Promise.all(this.planes.map(({ part }) => part.start()));
    for (let index = 0; index < NODES; index++) this.nodes.push(await this.makeNode(`node-${index + 1}`, take(), take()));
    await Promise.all(this.nodes.map(({ part }) => part.start()));
    const [plane] = this.planes;
    this.steady = await createSteadyApi(plane!.api, this.backend.url);
    this.changing = await createChangingApi(plane!.api);
    await this.nodesServe(0, 30_000);
    await eventually('the key is live on all nodes', 20_000, async () => {
      for (const { port } of this.nodes) {
        const path = `/_aws/execute-api/${this.steady.apiId}/dev/keyed`;
        const { status, requestId } = await request({ port, path, headers: { 'x-api-key': this.steady.apiKey } });
        if (status !== 200) return false;
        this.keyedBefore.push(requestId);
      }
      return true;
    });
    const haproxy = await findHaproxy();
    if (haproxy === null) this.tell('no HAProxy here, and it cannot be installed: callers go to the nodes directly only');
    else {
      this.balancer = await Balancer.start(haproxy, this.folder, take(), this.nodes);
      await eventually('HAProxy sees all nodes', 15_000, async () => (await this.balancer!.upCount()) === NODES);
    }
    this.tell(`Redis: ${this.redis.engine}; balancer: ${haproxy ?? 'none'}; state in ${this.folder}`);
  }

  /** Ids of keyed requests that were answered before the load began. */
  readonly keyedBefore: string[] = [];

  startLoad(): void {
    this.load = new Load({
      balancerPort: this.balancer?.port ?? null,
      nodePorts: this.nodes.map(({ port }) => port),
      apiId: this.steady.apiId,
      apiKey: this.steady.apiKey,
      isDown: (node) => this.nodes[node]!.isDown,
      isKilled: (node) => this.nodes[node]!.isKilled,
      lastKillMs: () => this.lastKillMs,
    });
    this.load.start();
  }

  controlEnvironment(): Record<string, string> {
    const through = (url: string, wire: Wire): string => {
      const changed = new URL(url);
      changed.host = `127.0.0.1:${wire.port}`;
      return changed.href;
    };
    return {
      DATABASE_URL: through(this.postgres.url, this.postgresWire),
      REDIS_URL: through(this.redis.url, this.redisWire),
      GATEHOUSE_MASTER_KEY: this.secrets.masterKey,
      GATEHOUSE_NODE_TOKEN: this.secrets.nodeToken,
    };
  }

  nodeEnvironment(wires: readonly Wire[], port: number, adminPort: number, folder: string): Record<string, string> {
    return {
      GATEHOUSE_NODE_TOKEN: this.secrets.nodeToken,
      GATEHOUSE_PORT: String(port),
      GATEHOUSE_NODE_ADMIN_PORT: String(adminPort),
      GATEHOUSE_CONTROL_ADDRESS: wires.map((wire) => `127.0.0.1:${wire.port}`).join(','),
      GATEHOUSE_DATA_DIR: folder,
      GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: '1',
      // As deploy/compose.yaml has it: the balancer looks once a second and believes the second time.
      GATEHOUSE_LINGER_MS: '3000',
    };
  }

  /** A further node with an empty disk, which no balancer knows; not started. */
  async guest(name: string, extra: Record<string, string> = {}): Promise<FleetNode> {
    const [port, adminPort] = await freePorts(2);
    const node = await this.makeNode(name, port!, adminPort!);
    Object.assign(node.part.extra, extra);
    this.guests.push(node);
    return node;
  }

  /** `kill -9` of a node that callers know to be down from now on. */
  async killNode(node: FleetNode): Promise<void> {
    node.isDown = true;
    node.isKilled = true;
    this.lastKillMs = Number.POSITIVE_INFINITY;
    await node.part.kill();
    this.lastKillMs = performance.now();
  }

  /** Starts it and waits until it and the balancer say that it takes requests. */
  async bringBack(node: FleetNode): Promise<void> {
    await node.part.start();
    await eventually(`${node.name} is ready`, 20_000, () => node.isReady());
    node.isDown = false;
    node.isKilled = false;
    await this.balancerSeesAll();
  }

  async balancerSeesAll(): Promise<void> {
    const up = this.nodes.filter(({ isDown }) => !isDown).length;
    if (this.balancer !== null)
      await eventually('the balancer sees all nodes', 15_000, async () => (await this.balancer!.upCount()) === up);
  }

  /** Deploys the next version through `plane`; returns it. */
  async deploy(plane: ControlPlane): Promise<number> {
    const version = ++this.version;
    await deployVersion(plane.api, this.changing, version);
    return version;
  }

  /** Of the API that nobody changes. */
  async call({ port }: FleetNode, route: string, headers: Record<string, string> = {}): Promise<Answer> {
    return request({ port, path: `/_aws/execute-api/${this.steady.apiId}/dev${route}`, headers });
  }

  /** Resolves with the milliseconds until every node that is up answers `version`. */
  async nodesServe(version: number, deadlineMs: number, nodes: readonly FleetNode[] = this.nodes): Promise<number> {
    return eventually(`version ${version} on ${nodes.map(({ name }) => name).join(', ')}`, deadlineMs, async () => {
      const bodies = await Promise.all(nodes.map((node) => this.versionOf(node)));
      if (bodies.every((body) => body === `version ${version}`)) return true;
      throw new Error(bodies.join(' | '));
    });
  }

  async versionOf({ port }: FleetNode): Promise<string> {
    return (await request({ port, path: `/_aws/execute-api/${this.changing.apiId}/dev/version` })).body;
  }

  /** A new deployment through each control plane is taken and seen on all nodes, within the deadline each. */
  async isWell(deadlineMs: number): Promise<string> {
    const took: number[] = [];
    for (const plane of this.planes) {
      const startMs = performance.now();
      await eventually(`${plane.name} takes a deployment`, deadlineMs, async () => {
        const refused = await refusal(this.deploy(plane));
        if (refused === null) return true;
        throw new Error(refused);
      });
      await this.nodesServe(this.version, deadlineMs);
      took.push(Math.round(performance.now() - startMs));
    }
    return `deployed and served on all nodes within ${took.join(' and ')} ms`;
  }

  /** Ends everything, whatever state it is in. May be called twice. */
  async stop(): Promise<void> {
    this.killNow();
    this.load?.abandon();
    this.backend?.close();
    for (const { wires } of [...this.nodes, ...this.guests]) for (const wire of wires) wire.close();
    this.postgresWire?.close();
    this.redisWire?.close();
    for (const { api } of this.planes) api.destroy();
    await this.redis?.stop();
    await this.postgres?.stop();
  }

  /** What a scenario did to the machine is undone by these, once no process is left. */
  readonly atTheEnd: (() => void)[] = [];

  /** Of what was started here; synchronous, for the very end of this process. */
  killNow(): void {
    for (const { part } of [...this.nodes, ...this.guests, ...this.planes]) part.killNow();
    this.balancer?.killNow();
    for (const undo of this.atTheEnd.splice(0)) undo();
  }

  discard(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private logOf(name: string): string {
    return path.join(this.folder, 'logs', `${name}.log`);
  }

  private async makeNode(name: string, port: number, adminPort: number): Promise<FleetNode> {
    const wires = await Promise.all(this.planes.map(({ grpcPort }) => Wire.open(grpcPort)));
    const folder = path.join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    const accessLog = path.join(this.folder, 'logs', `${name}-access.log`);
    const environment = { ...this.nodeEnvironment(wires, port, adminPort, folder), GATEHOUSE_ACCESS_LOG: accessLog };
    const part = new Part(name, 'apps/data-plane/dist/main.js', environment, this.logOf(name));
    return new FleetNode(part, port, adminPort, folder, accessLog, wires);
  }
}
