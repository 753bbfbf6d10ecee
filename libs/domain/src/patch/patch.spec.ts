import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { notFound } from '../errors.js';
import { applyChanges, readPatch, unescapePointer, type PatchOperation, type PatchRules } from './patch.js';
import { flag, keyList, mapEntry, optionalProperty, property, textOrNull, valueList } from './rules.js';

interface Thing {
  readonly name: string;
  readonly note: string | null;
  readonly on: boolean;
  readonly types: readonly string[];
  readonly scopes: readonly string[];
  readonly models: Readonly<Record<string, string>> | null;
  readonly headers: Readonly<Record<string, boolean>> | null;
}

const rules = (style: PatchRules<Thing>['style']): PatchRules<Thing> => ({
  style,
  rules: [
    property('/name', 'name', (value) => value),
    optionalProperty('/note', 'note', textOrNull, null),
    { ...property<Thing, 'on'>('/on', 'on', flag), wrongOp: "Must be 'replace'" },
    keyList('/types/{type}', 'types'),
    valueList('/scopes', 'scopes'),
    mapEntry<Thing, string, 'models'>('/models/{type}', 'models', {
      read: (_key, value) => value,
      missing: () => notFound('no model'),
    }),
    mapEntry<Thing, boolean, 'headers'>('/headers/{name}', 'headers', {
      read: (_key, value) => flag(value),
      missing: () => notFound('no header'),
      strict: true,
    }),
  ],
});

const thing: Thing = { name: 'a', note: null, on: true, types: ['x/y'], scopes: [], models: null, headers: { h: true } };
const patch = (operations: readonly PatchOperation[] | undefined, style: PatchRules<Thing>['style'] = 'pathOnly'): Thing =>
  applyChanges(thing, readPatch(operations, rules(style)));

describe('what an operation changes', () => {
  for (const [name, operations, expected] of [
    ['no list', undefined, {}],
    ['an empty list', [], {}],
    ['a property', [{ op: 'replace', path: '/name', value: 'b' }], { name: 'b' }],
    ['an optional property, added', [{ op: 'add', path: '/note', value: 'n' }], { note: 'n' }],
    [
      'an optional property, removed',
      [
        { op: 'add', path: '/note', value: 'n' },
        { op: 'remove', path: '/note' },
      ],
      { note: null },
    ],
    ['a flag is false for anything but "true"', [{ op: 'replace', path: '/on', value: 'TRUE' }], { on: false }],
    ['a list entry named by the path', [{ op: 'add', path: '/types/image~1png' }], { types: ['x/y', 'image/png'] }],
    ['adding a list entry twice', [{ op: 'add', path: '/types/x~1y' }], { types: ['x/y'] }],
    [
      'replacing a list entry puts the new one at the end',
      [
        { op: 'add', path: '/types/b' },
        { op: 'replace', path: '/types/x~1y', value: 'c/d' },
      ],
      { types: ['b', 'c/d'] },
    ],
    ['removing a list entry', [{ op: 'remove', path: '/types/x~1y' }], { types: [] }],
    ['a list entry named by the value', [{ op: 'add', path: '/scopes', value: 's' }], { scopes: ['s'] }],
    ['a map entry', [{ op: 'add', path: '/models/application~1json', value: 'm' }], { models: { 'application/json': 'm' } }],
    ['a map entry whose key holds a tilde', [{ op: 'add', path: '/models/a~01b', value: 'm' }], { models: { 'a~1b': 'm' } }],
    ['replacing an absent map entry sets it', [{ op: 'replace', path: '/models/a', value: 'm' }], { models: { a: 'm' } }],
    ['removing the last map entry', [{ op: 'remove', path: '/headers/h' }], { headers: null }],
    [
      'a later operation sees an earlier one',
      [
        { op: 'add', path: '/headers/i' },
        { op: 'replace', path: '/headers/i', value: 'true' },
      ],
      { headers: { h: true, i: true } },
    ],
  ] satisfies [string, PatchOperation[] | undefined, Partial<Thing>][]) {
    test(name, () => expect(patch(operations)).toEqual({ ...thing, ...expected }));
  }
});

describe('what is refused', () => {
  for (const [name, style, operation, message] of [
    ['an unknown path', 'pathOnly', { op: 'replace', path: '/x' }, 'Invalid patch path /x'],
    ['no path', 'pathOnly', { op: 'replace' }, 'Invalid patch path null'],
    ['a map without a key', 'pathOnly', { op: 'add', path: '/models' }, 'Invalid patch path /models'],
    ['an empty key', 'pathOnly', { op: 'add', path: '/models/' }, 'Invalid patch path /models/'],
    ['too deep a path', 'pathOnly', { op: 'add', path: '/models/a/b' }, 'Invalid patch path /models/a/b'],
    ['the template itself is no path', 'pathOnly', { op: 'replace', path: '/name/{x}' }, 'Invalid patch path /name/{x}'],
    [
      'an op the path does not take',
      'pathOnly',
      { op: 'add', path: '/name' },
      'Invalid patch operation specified. Must be one of: [replace]',
    ],
    ['no op', 'pathOnly', { path: '/note' }, 'Invalid patch operation specified. Must be one of: [add, remove, replace]'],
    [
      'an op nobody takes',
      'pathOnly',
      { op: 'move', path: '/name' },
      'Invalid patch operation specified. Must be one of: [replace]',
    ],
    ['an op, in the words of the rule', 'pathOnly', { op: 'add', path: '/on' }, "Must be 'replace'"],
    ['removing an absent map entry', 'pathOnly', { op: 'remove', path: '/models/a' }, 'no model'],
    ['replacing an absent entry of a strict map', 'pathOnly', { op: 'replace', path: '/headers/x' }, 'no header'],
    [
      'an unknown path, listing those there are',
      'listsPaths',
      { op: 'remove', path: '/x' },
      "Invalid patch path  '/x' specified for op 'remove'. Must be one of: [/note, /types/{type}, /scopes, /models/{type}, /headers/{name}]",
    ],
    [
      'an op without any path',
      'listsPaths',
      { op: 'copy', path: '/name' },
      "Invalid patch path  '/name' specified for op 'copy'. Please choose supported operations",
    ],
  ] satisfies [string, PatchRules<Thing>['style'], PatchOperation, string][]) {
    test(name, () => expect(() => patch([operation], style)).toThrow(expect.objectContaining({ message })));
  }

  test('an error anywhere in the list comes before the first change is made', () => {
    const log: string[] = [];
    const loud: PatchRules<Thing> = {
      style: 'pathOnly',
      rules: [{ path: '/name', replace: () => (target) => (log.push('changed'), target) }],
    };
    expect(() =>
      applyChanges(
        thing,
        readPatch(
          [
            { op: 'replace', path: '/name' },
            { op: 'replace', path: '/x' },
          ],
          loud,
        ),
      ),
    ).toThrow();
    expect(log).toEqual([]);
  });
});

test('a key survives the escaping of JSON pointers whatever it holds', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (key) => {
      const escaped = key.replaceAll('~', '~0').replaceAll('/', '~1');
      expect(unescapePointer(escaped)).toBe(key);
      expect(patch([{ op: 'add', path: `/models/${escaped}`, value: 'm' }]).models).toEqual(Object.fromEntries([[key, 'm']]));
    }),
  );
});

test('more operations than one update may hold the process for are refused', () => {
  const operations = (count: number): PatchOperation[] =>
    Array.from({ length: count }, (_, index) => ({ op: 'add', path: `/types/${index}` }));
  expect(patch(operations(1_000)).types).toHaveLength(1_001);
  expect(() => patch(operations(1_001))).toThrow('At most 1000 patch operations can be made at once, got 1001');
});
