import { expect, test } from 'vitest';
import { Randomness } from './index.js';

test('ids have their form, and no two share bytes, across refills of the block', () => {
  const random = new Randomness();
  const seen = new Set<string>();
  for (let i = 0; i < 5_000; i++) {
    const uuid = random.uuid();
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(random.base64(15)).toMatch(/^[A-Za-z0-9+/]{15}$/);
    seen.add(uuid.slice(0, 13)).add(random.hex(24));
  }
  expect(seen.size).toBe(10_000);
});
