/**
 * Nanoseconds per operation, beside what ajv generates for the same schema (JavaScript source, which no node may run). After a build:
 * `node src/json-schema/json-schema.bench.ts`.
 */
import AjvDraft04 from 'ajv-draft-04';

const { JsonSchema } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as typeof import('../index.js');

function measure(name: string, rounds: number, operation: () => unknown): void {
  for (let i = 0; i < rounds; i++) operation();
  const start = process.cpuUsage();
  for (let i = 0; i < rounds; i++) operation();
  const { user, system } = process.cpuUsage(start);
  console.log(`${name.padEnd(40)} ${(((user + system) * 1_000) / rounds).toFixed(0).padStart(8)} ns`);
}

const ORDER = {
  type: 'object',
  required: ['id', 'customer', 'lines'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', pattern: '^[0-9a-f]{8}-[0-9a-f]{4}$' },
    note: { type: 'string', maxLength: 200 },
    customer: { $ref: '#/definitions/customer' },
    lines: { type: 'array', minItems: 1, maxItems: 50, items: { $ref: '#/definitions/line' } },
  },
  definitions: {
    customer: {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string', minLength: 1 }, tier: { enum: ['gold', 'silver', 'none'] } },
    },
    line: {
      type: 'object',
      required: ['sku', 'count'],
      properties: {
        sku: { type: 'string', pattern: '^[A-Z]{3}-\\d+$' },
        count: { type: 'integer', minimum: 1 },
        price: { type: 'number' },
      },
    },
  },
};
const order = {
  id: '0123abcd-ef01',
  note: 'x'.repeat(100),
  customer: { name: 'Ada', tier: 'gold' },
  lines: Array.from({ length: 18 }, (_, i) => ({ sku: `ABC-${1_000 + i}`, count: i + 1, price: 9.99 })),
};
const text = JSON.stringify(order);
console.log(`a body of ${text.length} bytes`);

const ours = JsonSchema.compile(ORDER);
const ajv = new AjvDraft04.default({ strict: false }).compile(ORDER);
const broken = { ...order, lines: [...order.lines, { sku: 'nope', count: 0 }] };
const bytes = Buffer.from(text);
if (!ours.isSurelyValid(bytes) || !ours.isValid(order) || !ajv(order) || ours.isValid(broken) || ajv(broken))
  throw new Error('they do not agree');

measure('JSON.parse alone', 50_000, () => JSON.parse(text));
measure('ours, valid', 100_000, () => ours.isValid(order));
measure('ajv, valid', 100_000, () => ajv(order));
measure('ours, valid, from the bytes', 100_000, () => ours.isSurelyValid(bytes));
measure('ours, invalid, with reasons', 50_000, () => ours.isValid(broken) || ours.problems(broken));
measure('ajv, invalid, with reasons', 50_000, () => ajv(broken));
measure('ours, compiling', 500, () => JsonSchema.compile(ORDER));
measure('ajv, compiling', 20, () => new AjvDraft04.default({ strict: false }).compile(ORDER));
