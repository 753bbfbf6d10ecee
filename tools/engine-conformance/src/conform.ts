/**
 * `conform` is `test` for an engine: it knows the engine's deviations, gives the test gates, upstreams and callers, and closes them
 * at its end. The tests of one file run beside each other; nothing is shared between them.
 */
import {
  RawCaller,
  RawUpstream,
  ScriptedUpstream,
  type RawScript,
  type RawUpstreamOptions,
  type UpstreamCall,
} from '@gatehouse/testkit';
import { describe, test } from 'vitest';
import { ENGINES, type Engine, type Extras } from './engines.js';
import { Gate, type GateOptions } from './gate.js';

/** What one test opens. */
export class House {
  private readonly closing: (() => unknown)[] = [];

  constructor(readonly engine: Engine) {}

  async gate(options: GateOptions = {}): Promise<Gate> {
    const gate = await Gate.open(this.engine, options);
    this.atEnd(() => gate.close());
    return gate;
  }

  /** An upstream on node:http: the second parser of all that is forwarded. */
  async upstream(script?: (call: UpstreamCall) => void | Promise<void>): Promise<ScriptedUpstream> {
    const upstream = await ScriptedUpstream.start(script);
    this.atEnd(() => upstream.close());
    return upstream;
  }

  async rawUpstream(script?: RawScript, options?: RawUpstreamOptions): Promise<RawUpstream> {
    const upstream = await RawUpstream.start(script, options);
    this.atEnd(() => upstream.close());
    return upstream;
  }

  async caller(gate: Gate): Promise<RawCaller> {
    const caller = await RawCaller.connect(gate.port);
    this.atEnd(() => caller.close());
    return caller;
  }

  /** A gate in front of an upstream whose every byte is scripted. */
  async behind(script: RawScript, options: GateOptions = {}, over: object = {}): Promise<{ gate: Gate; up: RawUpstream }> {
    const up = await this.rawUpstream(script);
    const gate = await this.gate(options);
    await gate.proxyTo(up.url, over);
    return { gate, up };
  }

  atEnd(close: () => unknown): void {
    this.closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.closing.splice(0).reverse())
      await within(5_000, 'the end of what the test had opened', Promise.resolve(close()));
  }
}

/** `title` states the guarantee; `fault` is the line of faults.md. */
export function conform(engine: Engine, fault: number, title: string, body: (house: House) => Promise<void>): void {
  const deviation = engine.deviations.find(
    (known) => known.fault === fault && known.cases.some((known) => title.startsWith(known)),
  );
  const run = async (): Promise<void> => {
    const house = new House(engine);
    try {
      await body(house);
    } finally {
      await house.close();
    }
  };
  if (deviation === undefined) test.concurrent(`fault ${fault}: ${title}`, run);
  else test.concurrent.fails(`fault ${fault}: ${title} [known deviation: ${deviation.why}]`, run);
}

export function forEveryEngine(define: (engine: Engine) => void): void {
  for (const engine of ENGINES) describe(engine.name, () => define(engine));
}

/** A script that answers requests whose body comes to its end, and no others. */
export function afterBody(answer: (body: string) => string): RawScript {
  return (call) =>
    call.body.then(
      (body) => call.send(answer(body)),
      () => undefined,
    );
}

/** The engine's way to ask for a feature; without one the run says that its tests are missing. */
export function extra<K extends keyof Extras>(engine: Engine, name: K, fault: number): Extras[K] {
  const options = engine.extras[name];
  if (options === null) console.warn(`NOT SUPPORTED by ${engine.name}: ${name} (fault ${fault}); its tests did not run`);
  return options;
}

/** Fails with a sentence instead of a time-out of the whole test. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not happen within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For what no event announces. */
export async function eventually(what: string, isTrue: () => boolean, ms = 3_000): Promise<void> {
  const until = performance.now() + ms;
  while (!isTrue()) {
    if (performance.now() > until) throw new Error(`${what} did not happen within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
