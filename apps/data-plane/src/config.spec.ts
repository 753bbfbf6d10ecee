import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { readDataPlaneConfig } from './config.js';

const workers = (text: string) => readDataPlaneConfig({ GATEHOUSE_NODE_TOKEN: 'token', GATEHOUSE_WORKERS: text }).workers;

test('a node is one process unless told otherwise, and auto is one per core', () => {
  expect(workers('')).toBe(1);
  expect(workers('3')).toBe(3);
  expect(workers('auto')).toBe(availableParallelism());
  for (const text of ['0', '-1', '1.5', 'many', '1000'])
    expect(() => workers(text)).toThrow(`GATEHOUSE_WORKERS: expected a whole number from 1 to 99, or auto, got "${text}"`);
});
