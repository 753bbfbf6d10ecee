import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { parseCore, parseStat, processTree } from './proc.mjs';

test("a program's name with spaces and brackets does not shift the fields", () => {
  const line = '42 (a) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 31 12 5 6 20 0 1 0 100 1000 50';
  expect(parseStat(line)).toEqual({ parentPid: 7, cpuUs: 430_000, endedChildrenUs: 110_000 });
});

test('waiting does not count as work of a core, stolen time is told apart', () => {
  const text = 'cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 400 50 4 5 6 0 0\ncpu1 10 20 30 400 50 40 50 60 0 0\n';
  expect(parseCore(text, 0)).toEqual({ busyUs: 150_000, stolenUs: 60_000 });
  expect(parseCore(text, 1)).toEqual({ busyUs: 1_500_000, stolenUs: 600_000 });
});

test('the process tree holds grandchildren', async () => {
  const child = spawn('sh', ['-c', 'sh -c "echo started; read line; true"; true'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  expect(processTree(child.pid)).toHaveLength(2);
  expect(processTree(process.pid)).toEqual(expect.arrayContaining(processTree(child.pid)));
  child.stdin.end();
  await once(child, 'exit');
});
