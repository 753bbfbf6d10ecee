/**
 * The publish protocol with both ends as they are and everything between them made up: a network that loses, doubles and
 * delays messages, disks that lose what was not yet written, time that is moved by hand. One schedule is one seed.
 *
 * Run one again with GATEHOUSE_SEED=<seed>; more of them with GATEHOUSE_SCHEDULES=<count>.
 */
import { fromBinary, toBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { ControlMessageSchema, NodeMessageSchema, type ControlMessage, type NodeMessage } from '@gatehouse/contracts';
import { NodeLinkServer, type SessionCall } from '@gatehouse/control-nodes';
import { InMemoryStore, type ManifestLog } from '@gatehouse/domain';
import { ControlLink, type ControlTransport, type StreamCall } from '@gatehouse/engine-control-link';
import { MemoryFiles } from '@gatehouse/engine-control-link/fakes';
import { systemClock } from '@gatehouse/kernel';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { publishBlob, publishInline, quiet, TextWorld, TOKEN, TENANT, unpublish } from './harness.js';
import { seeded } from './lossy-network.js';

const FIRST_SEED = Number(process.env.GATEHOUSE_SEED ?? 1);
const SCHEDULES = process.env.GATEHOUSE_SEED === undefined ? Number(process.env.GATEHOUSE_SCHEDULES ?? 2_000) : 1;
const SCHEDULES_PER_TEST = 250;
const STEPS = 40;
const ADDRESSES = ['one', 'two'] as const;
/** Of the first and of the second node. */
const POOLS = ['default', 'eu'] as const;
/** Long enough for every node to have looked after its disk, once per check. */
const SETTLE_STEPS_MIN = 24;
const SETTLE_STEPS_MAX = 400;

const realImmediate = setImmediate;
beforeAll(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] }));
afterAll(() => void vi.useRealTimers());

/** Lets everything run that does not wait for time to pass. */
async function breathe(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => realImmediate(resolve));
}
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    vi.advanceTimersByTime(10);
    await breathe();
  }
}

type Listener = (value: never) => void;

/** One call between a node and a control plane; each direction is a list of messages that are on their way. */
class SimulatedCall {
  readonly toServer: NodeMessage[] = [];
  readonly toClient: ControlMessage[] = [];
  private readonly clientListeners = new Map<string, Listener[]>();
  private readonly serverListeners = new Map<string, Listener[]>();
  private readonly arrived: NodeMessage[] = [];
  private wake: () => void = () => {};
  isOver = false;

  readonly client: StreamCall<NodeMessage, ControlMessage> = {
    on: (event: string, listener: Listener) => void listen(this.clientListeners, event, listener),
    write: (message) => void (this.isOver || this.toServer.push(copyOf(NodeMessageSchema, message))),
    cancel: () => this.breakOff(),
  };
  readonly server: SessionCall & AsyncIterable<NodeMessage> = {
    writableLength: 0,
    on: (event: string, listener: Listener) => void listen(this.serverListeners, event, listener),
    once: () => {},
    emit: () => this.breakOff(),
    write: (message) => (this.isOver || this.toClient.push(copyOf(ControlMessageSchema, message)), true),
    end: () => this.breakOff(),
    [Symbol.asyncIterator]: () => this.messages(),
  };

  /** The next message in this direction arrives: once, twice, or after the one behind it. */
  deliver(direction: 'toServer' | 'toClient', how: 'as sent' | 'dropped' | 'doubled' | 'overtaken'): void {
    const queue = this[direction] as (NodeMessage | ControlMessage)[];
    const message = queue.shift();
    if (message === undefined || how === 'dropped') return;
    if (how === 'overtaken' && queue.length > 0) queue.splice(1, 0, message);
    else {
      this.arrive(direction, message);
      if (how === 'doubled') this.arrive(direction, message);
    }
  }

  breakOff(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.wake();
    fire(this.serverListeners, 'close', undefined);
    fire(this.clientListeners, 'error', new Error('broken off'));
  }

  private arrive(direction: 'toServer' | 'toClient', message: NodeMessage | ControlMessage): void {
    if (this.isOver) return;
    if (direction === 'toClient') return fire(this.clientListeners, 'data', message);
    this.arrived.push(message as NodeMessage);
    this.wake();
  }

  private async *messages(): AsyncGenerator<NodeMessage, undefined> {
    while (!this.isOver) {
      const message = this.arrived.shift();
      if (message !== undefined) yield message;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
    return undefined;
  }
}

function listen(listeners: Map<string, Listener[]>, event: string, listener: Listener): void {
  listeners.set(event, [...(listeners.get(event) ?? []), listener]);
}
function fire(listeners: Map<string, Listener[]>, event: string, value: unknown): void {
  for (const listener of listeners.get(event) ?? []) listener(value as never);
}
/** Over the wire and back, so that neither end holds the other's objects. */
function copyOf<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  return fromBinary(schema, toBinary(schema, message));
}

const noLeases = {
  answerQuota: async () => null,
  answerRates: async () => [],
  drained: async () => {},
  state: { fastAvailable: true, strictAvailable: true },
  watch: () => () => {},
};

/** A world that remembers which revision it is at, and what it would have shown a request at any moment. */
class CheckedWorld extends TextWorld {
  constructor(private readonly seen: (key: string, text: string) => void) {
    super();
  }
  readonly checkedApply: TextWorld['apply'] = async (change, getBlob) => {
    const refusals = await this.apply(change, getBlob);
    for (const [key, text] of this.texts) this.seen(key, text);
    expect(this.texts.get('API_KEY pair'), 'one transaction, one moment').toBe(this.texts.get('USAGE_PLAN pair'));
    return refusals;
  };
}

class Simulation {
  readonly random: () => number;
  readonly store = new InMemoryStore();
  readonly calls = new Set<SimulatedCall>();
  readonly planes = new Map<string, NodeLinkServer>();
  readonly nodes: { link: ControlLink; world: CheckedWorld; files: MemoryFiles }[] = [];
  /** Every text an entry ever had. */
  private readonly published = new Map<string, Set<string>>();
  /** As it should be served once all is quiet. */
  readonly wanted = { default: new Map<string, string>(), eu: new Map<string, string>() };
  isCalm = false;
  isHarmed = false;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  async start(): Promise<void> {
    for (const address of ADDRESSES) await this.startPlane(address);
    for (const index of [0, 1]) await this.startNode(index, new MemoryFiles());
  }

  async stop(): Promise<void> {
    for (const { link, files } of this.nodes) {
      files.crash(1);
      void link.close();
    }
    for (const address of ADDRESSES) this.killPlane(address);
    await breathe();
  }

  async step(number: number): Promise<void> {
    const dice = this.random();
    if (dice < 0.45) this.deliverSome();
    else if (dice < 0.75) await this.publish(number);
    else if (dice < 0.8) await this.crashNode(this.below(this.nodes.length));
    else if (dice < 0.85) await this.restartPlane(ADDRESSES[this.below(2)]!);
    else if (dice < 0.88) for (const call of this.calls) call.breakOff();
    else if (dice < 0.9) this.harm();
    else if (dice < 0.92) this.nodes[this.below(this.nodes.length)]!.files.isFull = this.random() < 0.5;
    else await pass(10 * (1 + this.below(30)));
    if (this.random() < 0.7) await breathe();
  }

  /** Every message that is on its way now arrives. */
  async deliverAll(): Promise<void> {
    for (const call of this.calls) {
      if (call.isOver) this.calls.delete(call);
      while (call.toServer.length > 0) call.deliver('toServer', 'as sent');
      while (call.toClient.length > 0) call.deliver('toClient', 'as sent');
    }
    await breathe();
  }

  private deliverSome(): void {
    for (const call of this.calls) {
      if (call.isOver) this.calls.delete(call);
      for (const direction of ['toServer', 'toClient'] as const) {
        const dice = this.random();
        const how = dice < 0.05 ? 'dropped' : dice < 0.1 ? 'doubled' : dice < 0.15 ? 'overtaken' : 'as sent';
        for (let count = this.below(4); count > 0; count--) call.deliver(direction, how);
      }
    }
  }

  private async publish(number: number): Promise<void> {
    const id = `api${this.below(4)}/dev`;
    const dice = this.random();
    if (dice < 0.1) return this.publishPair(`${number}`);
    if (dice < 0.2) {
      await unpublish(this.store, 'STAGE', id);
      this.want(`STAGE ${id}`, '', []);
      return;
    }
    const isBad = dice < 0.35;
    const text = `${isBad ? 'BAD ' : ''}${number}`;
    const kind = dice < 0.6 ? 'API_KEY' : 'STAGE';
    const key = `${kind} ${id}`;
    // Now and then an entry moves between the pools, is in both, or in one that no node serves.
    const pools = ([['default'], ['eu'], ['default', 'eu'], ['mars']] as const)[this.below(4)]!;
    await (kind === 'STAGE' ? publishBlob(this.store, id, text, kind, pools) : publishInline(this.store, kind, id, text, pools));
    this.want(key, text, pools);
    if (!isBad) {
      this.published.set(key, (this.published.get(key) ?? new Set()).add(text));
    }
    if (this.random() < 0.02) await this.store.manifest.clean(systemClock.nowMs() + 1);
  }

  /** Two entries that must never be seen in different states. */
  private async publishPair(text: string): Promise<void> {
    const pools = ['default', 'eu'] as const;
    const content = { digest: null, blobBytes: 0, inline: text, pools };
    await this.store.tenants.transact(TENANT, async (tx) => {
      await tx.manifest.put('API_KEY', 'pair', content);
      await tx.manifest.put('USAGE_PLAN', 'pair', content);
    });
    for (const key of ['API_KEY pair', 'USAGE_PLAN pair']) {
      this.want(key, text, pools);
      this.published.set(key, (this.published.get(key) ?? new Set()).add(text));
    }
  }

  private want(key: string, text: string, pools: readonly string[]): void {
    for (const pool of POOLS) {
      if (pools.includes(pool)) this.wanted[pool].set(key, text);
      else this.wanted[pool].delete(key);
    }
  }

  /** What a bug might do: a node loses an entry of its table. */
  private harm(): void {
    this.isHarmed = true;
    const { link, world } = this.nodes[this.below(this.nodes.length)]!;
    const { table } = (link as unknown as { keeper: { table: { withdraw(name: object): boolean } } }).keeper;
    const id = `api${this.below(4)}/dev`;
    table.withdraw({ kind: 'API_KEY', id });
    world.texts.delete(`API_KEY ${id}`);
  }

  private async crashNode(index: number): Promise<void> {
    const { link, files } = this.nodes[index]!;
    const left = files.crash(this.random());
    void link.close();
    await this.startNode(index, left);
  }

  private async startNode(index: number, files: MemoryFiles): Promise<void> {
    const world = new CheckedWorld((key, text) =>
      expect(this.published.get(key)?.has(text), `${key} = ${text} was never published`).toBe(true),
    );
    const link = await ControlLink.open({
      address: ADDRESSES.join(),
      token: TOKEN,
      role: 'DATA_PLANE',
      dataDir: '',
      snapshotFormats: [1],
      softwareVersion: 'simulated',
      labels: index === 0 ? {} : { pool: POOLS[index]! },
      apply: world.checkedApply,
      clock: systemClock,
      log: quiet,
      silenceMs: 500,
      answerMs: 200,
      checkMs: 400,
      returnMs: 1_000,
      spreadMs: index === 0 ? 0 : 30,
      backOff: { minMs: 10, maxMs: 100 },
      random: this.random,
      files,
      openTransport: (address) => this.transportTo(address),
    });
    this.nodes[index] = { link, world, files };
    link.connect();
  }

  private transportTo(address: string): ControlTransport {
    const calls = new Set<SimulatedCall>();
    return {
      session: () => {
        const call = new SimulatedCall();
        calls.add(call);
        const plane = this.planes.get(address);
        if (plane === undefined) setTimeout(() => call.breakOff(), 1);
        else {
          this.calls.add(call);
          plane.serve(call.server, call.server);
        }
        return call.client;
      },
      report: () => ({ on: () => {}, write: () => {}, cancel: () => {} }),
      isReachable: async () => this.planes.has(address),
      close: () => calls.forEach((call) => call.breakOff()),
    };
  }

  private async restartPlane(address: string): Promise<void> {
    this.killPlane(address);
    await breathe();
    if (this.random() < 0.3) await pass(10 * this.below(50));
    await this.startPlane(address);
  }

  private killPlane(address: string): void {
    const plane = this.planes.get(address);
    this.planes.delete(address);
    // Not asked to close: its streams end, and nobody is told to go away.
    const { running } = plane as unknown as { running: Set<{ end(refusal: object): void; sendAway: () => boolean }> };
    for (const session of running) {
      session.sendAway = () => false;
      session.end({ code: 14, details: 'killed' });
    }
    void plane?.close();
  }

  private async startPlane(address: string): Promise<void> {
    const { store } = this;
    const manifest: ManifestLog = {
      head: () => store.manifest.head(),
      since: (revision, kinds) => store.manifest.since(revision, kinds),
      all: (kinds) => store.manifest.all(kinds),
      page: (kinds, after, limit) => store.manifest.page(kinds, after, limit),
      inBuckets: (kinds, buckets) => store.manifest.inBuckets(kinds, buckets),
      blob: (digest) => store.manifest.blob(digest),
      compressedBlob: (digest) => store.manifest.compressedBlob(digest),
      clean: (beforeMs) => store.manifest.clean(beforeMs),
      // Some notifications are lost, some come twice, some say no more than that there is something.
      subscribe: (onPublished) =>
        store.manifest.subscribe((entries) => {
          const luck = this.isCalm ? 0.5 : this.random();
          if (luck < 0.7) onPublished(luck < 0.1 ? null : entries);
          if (luck < 0.2) onPublished(entries);
        }),
    };
    const plane = new NodeLinkServer({
      manifest,
      nodes: store.nodes,
      token: TOKEN,
      leases: noLeases,
      applyReport: async () => {},
      clock: systemClock,
      log: quiet,
      heartbeatMs: 100,
      pollMs: 200,
    });
    await plane.start();
    this.planes.set(address, plane);
  }
}

async function runSchedule(seed: number): Promise<void> {
  const simulation = new Simulation(seed);
  await simulation.start();
  try {
    for (let number = 0; number < STEPS; number++) await simulation.step(number);
    simulation.isCalm = true;
    for (const { files } of simulation.nodes) files.isFull = false;
    const head = await simulation.store.manifest.head();
    const differences = () =>
      simulation.nodes.flatMap(({ link, world }, index) => {
        const wanted = simulation.wanted[POOLS[index]!];
        const good = [...wanted].filter(([, text]) => !text.startsWith('BAD'));
        return [
          ...(link.status.revision === head ? [] : [`node ${index} is at revision ${link.status.revision}, not ${head}`]),
          ...(link.status.entryCount === wanted.size ? [] : [`node ${index} has ${link.status.entryCount} entries`]),
          ...good.filter(([key, text]) => world.texts.get(key) !== text).map(([key]) => `node ${index} serves an old ${key}`),
          ...[...world.texts.keys()].filter((key) => !wanted.has(key)).map((key) => `node ${index} still serves ${key}`),
        ];
      });
    for (let step = 0; step < SETTLE_STEPS_MAX && (differences().length > 0 || step < SETTLE_STEPS_MIN); step++) {
      await simulation.deliverAll();
      await pass(20);
    }
    expect(differences(), `seed ${seed}`).toEqual([]);
    for (const [index, { link, world, files }] of simulation.nodes.entries()) {
      // A node that was harmed may have forgotten the last good form of what is refused now; nothing else.
      const kept = (texts: Record<string, string>) =>
        Object.entries(texts).filter(
          ([key]) => !simulation.isHarmed || simulation.wanted[POOLS[index]!].get(key)?.startsWith('BAD') === false,
        );
      const served = kept(world.content);
      files.crash(0);
      void link.close();
      const again = new TextWorld();
      await ControlLink.open({
        address: 'nobody',
        token: TOKEN,
        role: 'DATA_PLANE',
        dataDir: '',
        snapshotFormats: [1],
        softwareVersion: 'simulated',
        apply: again.apply,
        clock: systemClock,
        log: quiet,
        files: new MemoryFiles(files.files),
        openTransport: () => Object.create(null) as ControlTransport,
      });
      expect(kept(again.content), `seed ${seed}: what was served is served again from disk`).toEqual(served);
    }
  } finally {
    await simulation.stop();
  }
}

for (let from = 0; from < SCHEDULES; from += SCHEDULES_PER_TEST) {
  const count = Math.min(SCHEDULES_PER_TEST, SCHEDULES - from);
  test(`whatever is lost, doubled, overtaken or killed, nodes serve only what was published and end up alike (schedules ${from + 1} to ${from + count})`, async () => {
    for (let index = 0; index < count; index++) await runSchedule(FIRST_SEED + from + index);
  }, 120_000);
}
