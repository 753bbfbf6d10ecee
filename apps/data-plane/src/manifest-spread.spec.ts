import type { LinkEntry, ManifestChange, Refusal } from '@gatehouse/engine-control-link';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManifestSpread, type Taker } from './manifest-spread.js';

let revision = 0;
const entry = (id: string, inline: string): LinkEntry => ({
  kind: 'STAGE',
  id,
  tenant: 't',
  revision: ++revision,
  digest: null,
  blobBytes: 0,
  inline,
});
const change = (entries: readonly LinkEntry[], removed: readonly string[] = []): ManifestChange => ({
  revision: ++revision,
  entries,
  removed: removed.map((id) => ({ kind: 'STAGE', id })),
});

/** Takes a change over when told to; refuses what `refuses` says. */
class FakeWorker implements Taker {
  readonly content = new Map<string, string>();
  readonly mail: { id: number; change: ManifestChange }[] = [];

  constructor(
    readonly worker: number,
    private readonly refuses: (text: string) => boolean = () => false,
  ) {}

  sendChange(id: number, sent: ManifestChange): void {
    this.mail.push({ id, change: structuredClone(sent) });
  }

  work(spread: ManifestSpread): void {
    const next = this.mail.shift();
    if (next === undefined) return;
    const refusals: Refusal[] = [];
    for (const { id } of next.change.removed) this.content.delete(id);
    for (const { kind, id, inline } of next.change.entries) {
      if (this.refuses(inline)) refusals.push({ kind, id, reason: `worker ${this.worker} refuses ${inline}` });
      else this.content.set(id, inline);
    }
    spread.applied(this, next.id, refusals);
  }
}

function setUp(workerCount: number) {
  const current: Taker[] = [];
  const logged: object[] = [];
  const spread = new ManifestSpread({
    workerCount,
    onCurrent: (taker) => current.push(taker),
    log: { error: (fields: object) => void logged.push(fields) },
  });
  return { spread, current, logged };
}
const isOpen = async (promise: Promise<unknown>) =>
  (await Promise.race([promise.then(() => 'done'), new Promise((resolve) => setImmediate(resolve, 'open'))])) === 'open';

test('a change is applied when every live worker has it, and one that dies with it blocks nobody', async () => {
  const { spread } = setUp(3);
  const workers = [1, 2, 3].map((number) => new FakeWorker(number));
  for (const worker of workers) spread.joined(worker);
  const applied = spread.apply(change([entry('a', 'one')]));
  workers[0]!.work(spread);
  workers[1]!.work(spread);
  expect(await isOpen(applied)).toBe(true);
  spread.left(workers[2]!);
  expect(await applied).toEqual([]);
});

test('a worker that starts has everything before it may serve, the change on its way included', async () => {
  const { spread, current } = setUp(2);
  const first = new FakeWorker(1);
  spread.joined(first);
  expect(current, 'nothing to wait for').toEqual([first]);
  const done = spread.apply(change([entry('a', 'one'), entry('b', 'one')]));
  first.work(spread);
  await done;
  const next = spread.apply(change([entry('c', 'two')], ['b']));
  const second = new FakeWorker(2);
  spread.joined(second);
  first.work(spread);
  second.work(spread);
  expect(current, 'it has what was served, not what is coming').toEqual([first]);
  expect(await isOpen(next)).toBe(true);
  second.work(spread);
  expect(current).toEqual([first, second]);
  expect(await next).toEqual([]);
  expect(Object.fromEntries(second.content)).toEqual({ a: 'one', c: 'two' });
});

test('what one worker refuses no worker serves: those that took it go back to the form before', async () => {
  const { spread } = setUp(2);
  const easy = new FakeWorker(1);
  const strict = new FakeWorker(2, (text) => text.startsWith('BAD'));
  for (const worker of [easy, strict]) spread.joined(worker);
  const first = spread.apply(change([entry('a', 'one')]));
  for (const worker of [easy, strict]) worker.work(spread);
  await first;
  const second = spread.apply(change([entry('a', 'BAD'), entry('new', 'BAD'), entry('c', 'two')]));
  for (const worker of [easy, strict]) worker.work(spread);
  expect((await second).map(({ id }) => id)).toEqual(['a', 'new']);
  easy.work(spread);
  for (const worker of [easy, strict]) expect(Object.fromEntries(worker.content)).toEqual({ a: 'one', c: 'two' });
});

test('a change that kills every worker that takes it is refused, and the node goes on with what it has', async () => {
  const { spread } = setUp(2);
  const first = new FakeWorker(1);
  spread.joined(first);
  const good = spread.apply(change([entry('a', 'one')]));
  first.work(spread);
  await good;
  const deadly = spread.apply(change([entry('a', 'deadly')]));
  let worker = first;
  for (let deaths = 0; deaths < 3; deaths++) {
    expect(await isOpen(deadly), 'the next one tries').toBe(true);
    spread.left(worker);
    worker = new FakeWorker(2 + deaths);
    spread.joined(worker);
    if (deaths < 2) worker.work(spread); // what is served; the deadly one is next
  }
  expect(await deadly).toEqual([{ kind: 'STAGE', id: 'a', reason: 'every worker process ended while it took this over' }]);
  worker.work(spread);
  expect(Object.fromEntries(worker.content)).toEqual({ a: 'one' });
});

test('a worker that cannot take over what the node serves says so, serves the rest and tries again', async () => {
  const { spread, current, logged } = setUp(2);
  const first = new FakeWorker(1);
  spread.joined(first);
  const done = spread.apply(change([entry('a', 'one'), entry('b', 'one')]));
  first.work(spread);
  await done;
  let isDamaged = true;
  const second = new FakeWorker(2, () => isDamaged);
  spread.joined(second);
  second.work(spread);
  expect(current).toContain(second);
  expect(logged).toMatchObject([{ entry: 'a' }, { entry: 'b' }]);
  isDamaged = false;
  spread.retry();
  second.work(spread);
  expect(Object.fromEntries(second.content)).toEqual({ a: 'one', b: 'one' });
  spread.retry();
  expect(second.mail, 'nothing is missing any more').toEqual([]);
});

test('whoever starts, dies, refuses or is slow: at rest all workers serve the same, and what was not refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(20), fc.nat(3)), { minLength: 10, maxLength: 120 }),
      async (steps) => {
        const { spread } = setUp(3);
        const workers: FakeWorker[] = [];
        let number = 0;
        const expected = new Map<string, string>();
        const join = () => {
          const own = ++number;
          const worker = new FakeWorker(own, (text) => text === `BAD ${own % 2}`);
          workers.push(worker);
          spread.joined(worker);
        };
        const rest = () => {
          if (workers.length === 0) join();
          while (workers.some(({ mail }) => mail.length > 0)) for (const worker of workers) worker.work(spread);
        };
        for (const [kind, pick, id] of steps) {
          if (kind <= 4) workers[pick % Math.max(1, workers.length)]?.work(spread);
          else if (kind === 5) join();
          else if (kind === 6 && workers.length > 0) {
            const [dead] = workers.splice(pick % workers.length, 1);
            spread.left(dead!);
          } else if (kind >= 7) {
            const text = pick < 3 ? `BAD ${pick % 2}` : `text ${pick}`;
            const removed = `entry ${(id + 1) % 4}`;
            const applied = spread.apply(change([entry(`entry ${id}`, text)], kind === 9 ? [removed] : []));
            if (pick % 2 === 0 && workers.length > 0) workers[0]!.work(spread);
            if (pick % 5 === 0) join();
            if (pick % 7 === 0 && workers.length > 1) spread.left(workers.pop()!);
            rest();
            const refusals = await applied;
            if (kind === 9) expected.delete(removed);
            if (refusals.length === 0) expected.set(`entry ${id}`, text);
          }
        }
        rest();
        const lenient = workers.filter(({ worker }) => ![...expected.values()].includes(`BAD ${worker % 2}`));
        for (const { content } of lenient) expect(new Map([...content].sort())).toEqual(new Map([...expected].sort()));
      },
    ),
    { numRuns: 200, seed: 4 },
  );
});
