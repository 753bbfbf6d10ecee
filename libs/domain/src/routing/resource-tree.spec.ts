import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Resource } from '../rest-apis/rest-api.js';
import { checkPathPart, isGreedy, isVariable } from './path-part.js';
import { ResourceTree, type Place } from './resource-tree.js';

const root: Resource = { apiId: 'api', id: 'root', parentId: null, pathPart: null, path: '/' };

/** A tree from paths; the id of a resource is its path. */
function tree(...paths: string[]): ResourceTree {
  return new ResourceTree([
    root,
    ...paths.map((path) => {
      const cut = path.lastIndexOf('/');
      return { apiId: 'api', id: path, parentId: cut === 0 ? 'root' : path.slice(0, cut), pathPart: path.slice(cut + 1), path };
    }),
  ]);
}

describe('path parts', () => {
  for (const part of ['pets', 'v1.0', 'a_b-c', 'x:batch', 'a,b', '{id}', '{pet-id}', '{proxy+}']) {
    test(`${part} is one`, () => expect(checkPathPart(part)).toBe(part));
  }
  for (const part of ['a/b', '{id', 'id}', 'a{id}', '{}', '{+}', '{a+b}', 'a+', 'ä', ' ', '$metadata', '*', 'a\n']) {
    test(`${JSON.stringify(part)} is none`, () => expect(() => checkPathPart(part)).toThrow("Resource's path part only allow"));
  }
  test('the empty text has its own refusal', () =>
    expect(() => checkPathPart('')).toThrow("Resource's path part must be specified"));
});

describe('a new resource', () => {
  test('stands below its parent', () => {
    expect(tree('/pets').grow('/pets', 'new', '{id}')).toEqual({
      apiId: 'api',
      id: 'new',
      parentId: '/pets',
      pathPart: '{id}',
      path: '/pets/{id}',
    });
    expect(tree().grow('root', 'new', 'pets').path).toBe('/pets');
  });

  for (const [name, present, parent, part, message] of [
    ['needs a parent', [], 'nobody', 'a', 'Invalid Resource identifier specified'],
    ['cannot share its name', ['/a'], 'root', 'a', 'Another resource with the same parent already has this name: a'],
    [
      'cannot share its variable name',
      ['/{a}'],
      'root',
      '{a}',
      'Another resource with the same parent already has this name: {a}',
    ],
    [
      'cannot be a second variable',
      ['/{a}'],
      'root',
      '{b}',
      'A sibling ({a}) of this resource already has a variable path part -- only one is allowed',
    ],
    [
      'cannot be greedy beside a variable',
      ['/{a}'],
      'root',
      '{b+}',
      'A sibling ({a}) of this resource already has a variable path part -- only one is allowed',
    ],
    [
      'cannot stand below a greedy part',
      ['/{p+}'],
      '/{p+}',
      'a',
      'Cannot create a child of a resource with a greedy path variable: {p+}',
    ],
    ['cannot make too long a path', [], 'root', 'a'.repeat(1024), 'Resource path exceeds maximum size of 1024 characters'],
  ] as const) {
    test(name, () => expect(() => tree(...present).grow(parent, 'new', part)).toThrow(expect.objectContaining({ message })));
  }

  test('may be a variable beside literals', () => expect(tree('/a', '/b').grow('root', 'new', '{x+}').path).toBe('/{x+}'));
});

describe('a move', () => {
  const grown = tree('/a', '/a/b', '/a/b/{c}', '/d', '/ab');
  const move = (id: string, place: Partial<Place>, from = grown): string[] => {
    const { parentId, pathPart } = from.get(id);
    return from.move(from.get(id), { parentId, pathPart, ...place }).map((resource) => resource.path);
  };

  test('takes everything below along, parents first, and nothing else', () => {
    expect(move('/a', { pathPart: 'x' })).toEqual(['/x', '/x/b', '/x/b/{c}']);
    expect(move('/a/b', { parentId: '/d' })).toEqual(['/d/b', '/d/b/{c}']);
    expect(move('/a/b', { parentId: 'root', pathPart: 'y' })).toEqual(['/y', '/y/{c}']);
  });
  test('to where the resource stands changes nothing', () => expect(move('/a', { pathPart: 'a' })).toEqual([]));
  test('may rename a variable', () => expect(move('/a/b/{c}', { pathPart: '{d+}' })).toEqual(['/a/b/{d+}']));

  for (const [name, id, place, message] of [
    ['of the root elsewhere', 'root', { parentId: '/a' }, 'Root resource cannot update its parentId.'],
    ['of the root to a name', 'root', { pathPart: 'x' }, 'Root resource cannot update its pathPart.'],
    ['below itself', '/a', { parentId: '/a' }, 'Resources cannot be cyclical.'],
    ['below its grandchild', '/a', { parentId: '/a/b/{c}' }, 'Resources cannot be cyclical.'],
    ['to a parent that is not there', '/a', { parentId: 'x' }, 'Invalid Resource identifier specified'],
    ['to a name that is taken', '/a', { pathPart: 'd' }, 'Another resource with the same parent already has this name: d'],
    ['to no name', '/a', { pathPart: '' }, "Resource's path part must be specified"],
    [
      'to a greedy name with children',
      '/a',
      { pathPart: '{x+}' },
      'Cannot create a child of a resource with a greedy path variable: {x+}',
    ],
  ] satisfies [string, string, Partial<Place>, string][]) {
    test(`${name} is refused`, () => expect(() => move(id, place)).toThrow(expect.objectContaining({ message })));
  }
});

test('whatever grows and moves, the tree stays one', () => {
  const part = fc.constantFrom('a', 'b', 'c', '{x}', '{y+}', 'd/e', '');
  const step = fc.record({ kind: fc.constantFrom('grow', 'move'), a: fc.nat(30), b: fc.nat(30), part });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let resources: readonly Resource[] = [root];
      for (const [index, { kind, a, b, part: pathPart }] of steps.entries()) {
        const present = new ResourceTree(resources);
        const pick = (n: number): Resource => resources[n % resources.length]!;
        try {
          const changed =
            kind === 'grow'
              ? [present.grow(pick(a).id, `r${index}`, pathPart)]
              : present.move(pick(a), { parentId: pick(b).id, pathPart });
          const byId = new Map(changed.map((resource) => [resource.id, resource]));
          resources = [...new Map([...resources.map((r) => [r.id, r] as const), ...byId]).values()];
        } catch (error) {
          expect(error).toHaveProperty('name', 'ApiError');
        }
        expectTree(resources);
      }
    }),
  );
});

function expectTree(resources: readonly Resource[]): void {
  const whole = new ResourceTree(resources);
  expect(new Set(whole.subtree(root).map(({ id }) => id))).toEqual(new Set(resources.map(({ id }) => id)));
  for (const { id, parentId, pathPart, path } of resources) {
    const parts = whole.childrenOf(id).map((child) => child.pathPart!);
    expect(new Set(parts).size).toBe(parts.length);
    expect(parts.filter(isVariable).length).toBeLessThanOrEqual(1);
    if (parentId === null) continue;
    expect(path).toBe(`${whole.get(parentId).path.replace(/\/$/, '')}/${pathPart}`);
    if (isGreedy(pathPart!)) expect(parts).toEqual([]);
  }
}
