import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSnapshot, readSnapshotInTurns, type SnapshotRead } from './read-snapshot.js';
import { Turns } from './turns.js';

const nameOf = ({ tenant, apiId, stage }: StageSnapshot, text: string) => ({ tenant, apiId, stage, digest: sha256Hex(text) });
const whose = stageSnapshot();
const readText = (text: string, former: SnapshotRead | null = null): Promise<SnapshotRead> =>
  readSnapshotInTurns(Buffer.from(text), nameOf(whose, text), former?.read ?? null, new Turns());
const read = (snapshot: StageSnapshot, former: SnapshotRead | null = null): Promise<SnapshotRead> =>
  readText(canonicalJson(snapshot), former);

/** Texts that look like the places where a snapshot is cut. */
const tricky = fc.constantFrom(
  'plain',
  '"routes":[',
  '],"stage":',
  '},{"apiKeyRequired":true}',
  ',{"apiKeyRequired":',
  '\\',
  'ü€😀',
  ']',
);
const routeOf = fc
  .record({ path: fc.integer({ min: 0, max: 5 }), operationName: fc.option(tricky), apiKeyRequired: fc.boolean(), note: tricky })
  .map(({ path, note, ...own }) =>
    routeSnapshot({
      ...own,
      path: `/item${path}`,
      integration: { ...routeSnapshot().integration, later: [{ apiKeyRequired: note }, { routes: [note] }] } as never,
    }),
  );
/** A member of a later release that holds what looks like the routes. */
const later = fc.constantFrom({}, {}, {}, { canaries: { routes: [1] } }, { zzz: { routes: [{ path: '/' }], stage: 'x' } });
const stageOf = fc
  .record({ routes: fc.array(routeOf, { maxLength: 8 }), note: tricky, later })
  .map(({ routes, note, later: members }) =>
    stageSnapshot({ routes, stageVariables: { note, routes: note }, ...members } as never),
  );

test('whatever a snapshot holds, and whatever was read before, it is read as the JSON it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stageOf, { minLength: 1, maxLength: 5 }), async (versions) => {
      let former: SnapshotRead | null = null;
      for (const version of versions) {
        const next: SnapshotRead = await read(version, former);
        expect(next.snapshot).toEqual(version);
        former = next;
      }
    }),
    { numRuns: 200 },
  );
});

test('a text that was changed anywhere is read as it would be as a whole, or refused as it would be', async () => {
  const routes = ['a', 'b', 'c'].map((name) => routeSnapshot({ path: `/${name}` }));
  const text = canonicalJson(stageSnapshot({ routes }));
  const former = await readText(text);
  const whole = (changed: string): unknown => {
    try {
      return readSnapshot(Buffer.from(changed), nameOf(whose, changed));
    } catch (cause) {
      return (cause as Error).message;
    }
  };
  const start = text.indexOf('"routes":[');
  const end = text.lastIndexOf('],"stage":') + 3;
  const edit = fc.tuple(
    fc.integer({ min: start, max: end }),
    fc.nat({ max: 3 }),
    fc.constantFrom('', ',', '{', '}', '[', ']', '"', ' ', '0', '{"apiKeyRequired":', ',{"apiKeyRequired":'),
  );
  await fc.assert(
    fc.asyncProperty(edit, async ([at, length, put]) => {
      const changed = text.slice(0, at) + put + text.slice(at + length);
      const outcome: unknown = await readText(changed, former).then(
        ({ snapshot }) => snapshot,
        (cause: unknown) => (cause as Error).message,
      );
      expect(outcome).toEqual(whole(changed));
    }),
    { numRuns: 2_000 },
  );
});

describe('routes that stay as they were are not read again', () => {
  const routes = (names: string): RouteSnapshot[] => [...names].map((name) => routeSnapshot({ path: `/${name}` }));
  for (const [what, before, after, shared] of [
    ['nothing else changed', 'abcd', 'abcd', 'abcd'],
    ['one of them changed', 'abcd', 'abXd', 'abd'],
    ['one more, in the middle', 'abcd', 'abXcd', 'abcd'],
    ['one less', 'abcd', 'abd', 'abd'],
    ['the first and the last changed', 'abcd', 'XbcY', ''],
    ['all of them gone', 'abcd', '', ''],
    ['the first ones', '', 'ab', ''],
    ['the same one twice as often', 'aa', 'aaaa', 'aa'],
  ] as const) {
    test(what, async () => {
      const former = await read(stageSnapshot({ routes: routes(before) }));
      const next = await read(stageSnapshot({ routes: routes(after), stageVariables: { version: '2' } }), former);
      expect(next.snapshot.routes.map(({ path }) => path).join('')).toBe(
        routes(after)
          .map(({ path }) => path)
          .join(''),
      );
      const known = new Set(former.snapshot.routes);
      const found = next.snapshot.routes.filter((route) => known.has(route)).map(({ path }) => path.slice(1));
      expect(found.join('')).toBe(shared);
    });
  }
});

test('a snapshot that is not written as ours are is read all the same', async () => {
  const snapshot = stageSnapshot({ routes: [routeSnapshot()] });
  const { snapshot: found, read: shared } = await readText(JSON.stringify(snapshot, null, 2));
  expect(found).toEqual(snapshot);
  expect(shared).toBeNull();
});
