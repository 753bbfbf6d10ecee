/**
 * Nodes of other control planes are asked by those: a question goes to all of them over the database, and who has nodes answers.
 *
 *   plane A   {ask, tenant, requestId} ─> all     its own nodes meanwhile
 *   plane B   asks its nodes ─> {reply, part, parts, text}, since messages are short
 */
import { randomUUID } from 'node:crypto';
import {
  PLANE_MESSAGE_BYTES_MAX,
  tenantId,
  type PlaneChannel,
  type RequestExplainer,
  type RequestMemory,
  type TenantId,
} from '@gatehouse/domain';
import type { NodesLog } from './log.js';

/** Of base64, so that a part is a message whatever is in it. */
const PART_CHARS = PLANE_MESSAGE_BYTES_MAX - 200;
/** What one plane may make another one hold; an explanation has a tenth of it. */
const PARTS_MAX = 64;
/** Questions of others under way at once; more are not answered. */
const ASKED_BY_OTHERS_MAX = 32;
/** For a reply to come back before the asker stops waiting. */
const WAY_BACK_MS = 300;

interface Ask {
  readonly ask: string;
  readonly tenant: string;
  readonly requestId: string;
  readonly timeoutMs: number;
}

interface Reply {
  readonly reply: string;
  /** Of one plane. */
  readonly from: string;
  readonly part: number;
  readonly parts: number;
  readonly text: string;
}

/** Who waits for what others know. */
class Waiting {
  private readonly parts = new Map<string, string[]>();
  readonly memories: RequestMemory[] = [];
  private onMemory: () => void = () => undefined;

  add({ from, part, parts, text }: Reply): void {
    if (parts > PARTS_MAX) return;
    const texts = this.parts.get(from) ?? [];
    this.parts.set(from, texts);
    texts[part] = text;
    if (texts.filter((each) => each !== undefined).length < parts) return;
    this.memories.push(JSON.parse(Buffer.from(texts.join(''), 'base64').toString('utf8')) as RequestMemory);
    this.onMemory();
  }

  /** Resolves when one of them has found it, when all of `nodeIds` are spoken for, or when the time is over. */
  settled(nodeIds: readonly string[], timeoutMs: number): Promise<void> {
    const isSettled = (): boolean => {
      const known = new Set(this.memories.flatMap(nodesOf));
      return this.memories.some(({ found }) => found !== null) || nodeIds.every((nodeId) => known.has(nodeId));
    };
    if (isSettled()) return Promise.resolve();
    return new Promise((resolve) => {
      const timeout = setTimeout(resolve, Math.max(0, timeoutMs));
      this.onMemory = () => {
        if (!isSettled()) return;
        clearTimeout(timeout);
        resolve();
      };
    });
  }
}

const nodesOf = ({ asked, silent }: RequestMemory): string[] => [
  ...asked,
  ...silent.filter(({ reason }) => reason !== 'ELSEWHERE').map(({ nodeId }) => nodeId),
];

export interface FleetExplainerOptions {
  /** Asks the nodes that are connected here. */
  readonly own: RequestExplainer;
  readonly channel: PlaneChannel;
  readonly log: NodesLog;
}

export class FleetExplainer implements RequestExplainer {
  private readonly name = randomUUID();
  private readonly waiting = new Map<string, Waiting>();
  private answeringCount = 0;
  private stop: () => Promise<void> = async () => undefined;

  constructor(private readonly options: FleetExplainerOptions) {}

  /** Answers others from here on. */
  async start(): Promise<void> {
    this.stop = await this.options.channel.subscribe((message) => this.heard(message));
  }

  close(): Promise<void> {
    return this.stop();
  }

  async explain(tenant: TenantId, requestId: string, timeoutMs: number): Promise<RequestMemory> {
    const startedAtMs = performance.now();
    const ask = randomUUID();
    const waiting = new Waiting();
    this.waiting.set(ask, waiting);
    try {
      void this.send({ ask, tenant, requestId, timeoutMs: timeoutMs - WAY_BACK_MS });
      const own = await this.options.own.explain(tenant, requestId, timeoutMs);
      const elsewhere = own.silent.filter(({ reason }) => reason === 'ELSEWHERE').map(({ nodeId }) => nodeId);
      if (own.found !== null || elsewhere.length === 0) return own;
      await waiting.settled(elsewhere, timeoutMs - (performance.now() - startedAtMs));
      return joined(own, waiting.memories);
    } finally {
      this.waiting.delete(ask);
    }
  }

  private heard(message: string): void {
    try {
      const said = JSON.parse(message) as Ask | Reply;
      if ('reply' in said) this.waiting.get(said.reply)?.add(said);
      else if ('ask' in said && !this.waiting.has(said.ask)) void this.answer(said);
    } catch (cause) {
      this.options.log.warn({ err: cause }, 'another control plane said what nobody understands');
    }
  }

  private async answer({ ask, tenant, requestId, timeoutMs }: Ask): Promise<void> {
    if (this.answeringCount >= ASKED_BY_OTHERS_MAX) return;
    this.answeringCount++;
    try {
      const memory = await this.options.own.explain(tenantId(tenant), requestId, Math.max(0, timeoutMs));
      if (nodesOf(memory).length === 0) return;
      const text = Buffer.from(JSON.stringify(memory), 'utf8').toString('base64');
      const parts = Math.ceil(text.length / PART_CHARS);
      for (let part = 0; part < parts; part++) {
        const piece = text.slice(part * PART_CHARS, (part + 1) * PART_CHARS);
        await this.send({ reply: ask, from: this.name, part, parts, text: piece });
      }
    } catch (cause) {
      this.options.log.warn({ err: cause }, 'a question of another control plane could not be answered');
    } finally {
      this.answeringCount--;
    }
  }

  /** What cannot be sent is not waited for longer than the deadline. */
  private async send(message: Ask | Reply): Promise<void> {
    await this.options.channel.send(JSON.stringify(message)).catch((cause: unknown) => {
      this.options.log.warn({ err: cause }, 'other control planes could not be asked');
    });
  }
}

function joined(own: RequestMemory, others: readonly RequestMemory[]): RequestMemory {
  const all = [own, ...others];
  const spokenFor = new Set(others.flatMap(nodesOf));
  const found = all.find((memory) => memory.found !== null)?.found ?? null;
  const silent = [
    ...own.silent.filter(({ nodeId }) => !spokenFor.has(nodeId)),
    ...others.flatMap((memory) => memory.silent.filter(({ reason }) => reason !== 'ELSEWHERE')),
  ];
  const samples = all.map(({ sampleEvery }) => sampleEvery).filter((every) => every > 0);
  return {
    found,
    asked: all.flatMap(({ asked }) => asked),
    silent: found === null ? silent : [],
    keepMinutes: Math.max(...all.map(({ keepMinutes }) => keepMinutes)),
    sampleEvery: samples.length === 0 ? 0 : Math.min(...samples),
  };
}
