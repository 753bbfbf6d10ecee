import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { canonicalJson } from '@gatehouse/kernel';
import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { compileStage, encodeSnapshot, type StageInput } from './compile-stage.js';

declare module 'vitest' {
  interface ProvidedContext {
    updateGoldens: boolean;
  }
}

const folder = fileURLToPath(new URL('../testdata/', import.meta.url));
const names = readdirSync(`${folder}in`).sort();
const read = (name: string): StageInput => JSON.parse(readFileSync(`${folder}in/${name}`, 'utf8')) as StageInput;

describe('goldens: testdata/in compiles to testdata/out (rewrite with `npx vitest run --update`)', () => {
  if (inject('updateGoldens')) {
    mkdirSync(`${folder}out`, { recursive: true });
    for (const orphan of readdirSync(`${folder}out`)) if (!names.includes(orphan)) rmSync(`${folder}out/${orphan}`);
  }

  for (const name of names) {
    test(name, () => {
      const text = JSON.stringify(JSON.parse(canonicalJson(compileStage(read(name)))), null, 2) + '\n';
      const path = `${folder}out/${name}`;
      if (inject('updateGoldens')) writeFileSync(path, text);
      expect(existsSync(path) ? readFileSync(path, 'utf8') : 'no golden').toBe(text);
    });
  }

  test('no golden is left without its input', () => expect(readdirSync(`${folder}out`).sort()).toEqual(names));
});

test('a snapshot is encoded as canonical JSON, so that equal snapshots have one name', () => {
  const { snapshot } = compileStage(read('demo.json'));
  expect(new TextDecoder().decode(encodeSnapshot(snapshot))).toBe(canonicalJson(snapshot));
});

/** The same value with lists and members in another order; only for inputs whose lists are sets. */
function shuffled(value: unknown, next: () => number): unknown {
  const shuffle = <T>(items: T[]): T[] => {
    for (let i = items.length - 1; i > 0; i--) {
      const j = next() % (i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  };
  if (Array.isArray(value)) return shuffle(value.map((item) => shuffled(item, next)));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(shuffle(Object.entries(value)).map(([key, member]) => [key, shuffled(member, next)]));
}

test('the order of resources, methods and members changes neither a byte nor a diagnostic', () => {
  const inputs = names.map((name) => [read(name), compileStage(read(name))] as const);
  fc.assert(
    fc.property(fc.nat(inputs.length - 1), fc.infiniteStream(fc.nat()), (i, stream) => {
      const [input, expected] = inputs[i]!;
      const permuted = compileStage(shuffled(input, () => stream.next().value) as StageInput);
      expect(Buffer.from(encodeSnapshot(permuted.snapshot)).toString()).toBe(
        Buffer.from(encodeSnapshot(expected.snapshot)).toString(),
      );
      expect(permuted.diagnostics).toEqual(expected.diagnostics);
    }),
    { numRuns: 200 },
  );
});

test('compiling changes nothing in its input', () => {
  for (const name of names) {
    const input = read(name);
    compileStage(input);
    expect(input).toEqual(read(name));
  }
});

describe('unknown means deny', () => {
  const base = read('demo.json');
  const withMethod = (change: object): StageInput => ({
    ...base,
    definition: { ...base.definition, methods: base.definition.methods.map((method) => ({ ...method, ...change })) },
  });

  test('any authorization type that nodes do not know is refused', () => {
    fc.assert(
      fc.property(fc.string(), (authorizationType) => {
        fc.pre(authorizationType !== 'AWS_IAM');
        const { snapshot, diagnostics } = compileStage(withMethod({ authorizationType }));
        for (const route of snapshot.routes)
          expect(route.authorization.type).toBe(authorizationType === 'NONE' ? 'NONE' : 'REFUSE');
        expect(diagnostics.length > 0).toBe(authorizationType !== 'NONE');
      }),
    );
  });

  test('any address a function integration may hold is a function ARN or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const uri = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:${text}/invocations`;
        const method = base.definition.methods.find(({ integration }) => integration?.type === 'AWS_PROXY')!;
        const { snapshot } = compileStage(withMethod({ integration: { ...method.integration, uri } }));
        for (const { integration } of snapshot.routes) {
          if (integration.type === 'AWS_PROXY')
            expect(integration.functionArn).toMatch(/^arn:aws:lambda:us-east-1:123456789012:function:[\w-]+(:[\w$-]+)?$/);
          else expect(integration.type).toBe('REFUSE');
        }
      }),
    );
  });

  test('members named like those of Object.prototype are data', () => {
    const method = base.definition.methods.find(({ integration }) => integration?.type === 'AWS_PROXY')!;
    const templates = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const integration = { ...method.integration!, type: 'MOCK' as const, requestTemplates: templates };
    const compiled = compileStage(withMethod({ integration })).snapshot.routes[0]!.integration;
    expect(JSON.stringify(compiled)).toContain('"requestTemplates":{"__proto__":"x","constructor":"y"}');
  });
});
