import { expect, test } from 'vitest';
import { Turns } from './turns.js';

const never = new AbortController().signal;
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('at most so many run at once, in the order they came; who gives up leaves the line', async () => {
  const turns = new Turns(2);
  const log: string[] = [];
  const ends = new Map<string, (failed?: Error) => void>();
  const run = (name: string, signal = never): Promise<unknown> =>
    turns
      .take(() => {
        log.push(name);
        return new Promise<void>((resolve, reject) => ends.set(name, (failed) => (failed ? reject(failed) : resolve())));
      }, signal)
      .catch((cause: Error) => log.push(`${name}: ${cause.message}`));
  const impatient = new AbortController();
  const all = [
    run('a'),
    run('b'),
    run('c'),
    run('d', impatient.signal),
    run('e'),
    run('f', AbortSignal.abort(new Error('late'))),
  ];
  await settle();
  expect(log).toEqual(['a', 'b', 'f: late']);
  impatient.abort(new Error('gave up'));
  ends.get('b')!(new Error('broke'));
  await settle();
  expect(log.slice(3).sort()).toEqual(['b: broke', 'c', 'd: gave up']);
  ends.get('a')!();
  await settle();
  expect(log.at(-1)).toBe('e');
  for (const name of ['c', 'e']) ends.get(name)!();
  await Promise.all(all);
  const last = run('g');
  await settle();
  expect(log.at(-1)).toBe('g');
  ends.get('g')!();
  await last;
});
