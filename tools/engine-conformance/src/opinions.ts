/**
 * What different readers make of the same bytes: our engines and nginx, each in front of an upstream of its own, and node:http. The
 * upstreams are node:http with its strict settings: whatever reaches one has been read by a second parser.
 */
import { ScriptedUpstream } from '@gatehouse/testkit';
import { connect, type Socket } from 'node:net';
import type { Engine } from './engines.js';
import { Gate } from './gate.js';
import type { Nginx } from './nginx.js';

/** A message as its upstream read it; only whole ones count. */
export interface Message {
  readonly httpMethod: string;
  readonly target: string;
  readonly body: string;
  readonly rawHeaders: readonly string[];
}

export const textOf = ({ httpMethod, target, body }: Message): string => `${httpMethod} ${target} ${JSON.stringify(body)}`;

/** One way to read bytes. To be asked one thing at a time. */
export class Reader {
  private messages: Message[] = [];

  private constructor(
    readonly name: string,
    /** Whether it must take nothing that nginx refuses. */
    readonly isStrict: boolean,
    private readonly up: ScriptedUpstream,
    private readonly open: () => Socket,
    private readonly end: () => Promise<unknown>,
  ) {
    up.does(async ({ httpMethod, url, rawHeaders, body, response }) => {
      const { messages } = this;
      const bytes = await body.catch(() => null);
      if (bytes === null) return;
      messages.push({ httpMethod, target: originForm(url), body: bytes.toString('latin1'), rawHeaders });
      response.end('ok');
    });
  }

  static async node(): Promise<Reader> {
    const up = await ScriptedUpstream.start();
    return new Reader(
      'node:http',
      false,
      up,
      () => connect(up.port, '127.0.0.1'),
      () => up.close(),
    );
  }

  static async engine(engine: Engine): Promise<Reader> {
    const up = await ScriptedUpstream.start();
    const gate = await Gate.open(engine);
    await gate.proxyTo(`${up.url}/dev`); // so that targets are the same as without us
    const reader = new Reader(
      engine.name,
      engine.isStrict,
      up,
      () => connect(gate.port, '127.0.0.1'),
      async () => {
        await gate.close();
        await up.close();
        if (gate.bugs.length > 0) throw new Error(`bugs: ${String(gate.bugs[0])}`);
      },
    );
    return reader;
  }

  /** `ports` to be given to nginx, in the order of their fronts. */
  static behindNginx(ups: readonly ScriptedUpstream[], nginx: Nginx): Reader[] {
    return ups.map(
      (up, front) =>
        new Reader(
          'nginx',
          true,
          up,
          () => nginx.connect(front),
          () => up.close(),
        ),
    );
  }

  /** Messages that `bytes` on a new connection become. Waits until nothing happens for `quietMs`, or the connection ends. */
  async read(bytes: Buffer, quietMs: number): Promise<readonly Message[]> {
    this.messages = [];
    const { messages } = this;
    await sendAndWait(this.open(), bytes, quietMs);
    return messages;
  }

  /** What the upstream could not read: must stay empty for what we forward. */
  get unreadable(): readonly string[] {
    return this.up.unreadable;
  }

  close(): Promise<unknown> {
    return this.end();
  }
}

/** Resolves when the connection ends, or when nothing more comes: after an answer soon, before one later. */
export function sendAndWait(socket: Socket, bytes: Buffer, quietMs: number): Promise<void> {
  return new Promise((resolve) => {
    let timer = setTimeout(() => socket.destroy(), quietMs * 4);
    socket.on('data', () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.destroy(), quietMs);
    });
    socket.on('end', () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.write(bytes);
  });
}

/**
 * Without scheme and authority, in one spelling: path parameters are decoded and written anew segment by segment, a slash at the end
 * of a greedy one and the mark of an empty query are left out.
 */
export function originForm(target: string): string {
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(target);
  const rest = match === null ? target : match[1]!.startsWith('/') ? match[1]! : `/${match[1]!}`;
  const [, path, query] = /^([^?]*)\??([^]*)$/.exec(rest)!;
  const segments = path!.split('/').map((segment) => encodeURIComponent(decoded(segment)));
  if (segments.at(-1) === '') segments.pop();
  return `${segments.join('/')}?${query!.replace(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase())}`;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // no UTF-8: nothing we forward
  }
}

/** Messages of `ours` that are not among `theirs`, each counted. */
export function beyond(ours: readonly Message[], theirs: readonly Message[]): Message[] {
  const left = theirs.map(textOf);
  return ours.filter((message) => {
    const at = left.indexOf(textOf(message));
    if (at === -1) return true;
    left.splice(at, 1);
    return false;
  });
}
