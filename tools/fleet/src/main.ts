/** The command line: starts the fleet and its load, runs scenarios one after the other, balances the books, ends everything. */
import { parseArgs } from 'node:util';
import { balanceBooks } from './books.js';
import { Fleet } from './fleet.js';
import type { Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';

const OPTIONS = {
  only: { type: 'string', multiple: true },
  short: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

export function help(): string {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length)) + 2;
  const lines = SCENARIOS.map(({ name, isLong, guarantee }) => `${isLong ? '* ' : '  '}${name.padEnd(width)}${guarantee}`);
  return `npm run e2e:fleet -- [--only scenario]... [--short] [--keep]

Two control planes, three nodes, PostgreSQL, Redis and HAProxy as processes of this machine, under a steady load while their parts are
broken. Every request of the load must get its answer; at the end, usage sums and access logs are held against each other.

  --only   runs this scenario; may be repeated
  --short  leaves out what waits long (marked with *), as npm test does
  --keep   keeps the folder with logs and disks, as a failure does
  --help   this text

REDIS_URL names the Redis to use; without it one is started.

Scenarios:
${lines.join('\n')}
`;
}

/** Returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  if (values.help) {
    process.stdout.write(help());
    return 0;
  }
  const unknown = (values.only ?? []).filter((name) => SCENARIOS.every((scenario) => scenario.name !== name));
  if (unknown.length > 0) {
    console.error(`There is no scenario ${unknown.join(', ')}.\n\n${help()}`);
    return 2;
  }
  const wanted = SCENARIOS.filter(({ name, isLong }) => values.only?.includes(name) ?? !(values.short && isLong));

  const fleet = new Fleet((text) => console.log(`  ${text}`));
  process.once('exit', () => fleet.killNow());
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      console.log(`\n${signal}: ending everything`);
      void fleet.stop().finally(() => process.exit(1));
    });
  }
  let isGood = false;
  try {
    isGood = await runAll(fleet, wanted);
  } catch (error) {
    console.error(`\n${(error as Error).stack}`);
  }
  await fleet.stop();
  if (isGood && !values.keep) fleet.discard();
  else console.log(`logs and disks: ${fleet.folder}`);
  return isGood ? 0 : 1;
}

async function runAll(fleet: Fleet, scenarios: readonly Scenario[]): Promise<boolean> {
  const startMs = performance.now();
  await timed('start', 'the whole fleet serves', () => fleet.start());
  fleet.startLoad();
  for (const { name, guarantee, run } of scenarios) {
    await timed(name, guarantee, async () => {
      const before = fleet.load.answered;
      await run(fleet, (text) => console.log(`  ${text}`));
      failedRequests(fleet);
      console.log(`  ${fleet.load.answered - before} requests answered, none failed`);
    });
  }
  await timed('books', 'every request was counted exactly once', async () => {
    await fleet.load.stop();
    failedRequests(fleet);
    console.log(`  ${(await balanceBooks(fleet, fleet.killedNodes)).text}`);
  });
  const { answered, broken } = fleet.load;
  console.log(
    `\n${scenarios.length} scenarios held in ${seconds(startMs)} s: ${answered} requests answered, none failed, ` +
      `${broken.length} broke with the node they were in`,
  );
  return true;
}

function failedRequests({ load }: Fleet): void {
  const { failures } = load;
  if (failures.length === 0) return;
  const shown = failures.slice(0, 10).map(({ via, kind, what, atMs }) => `  ${kind} via ${via} at ${Math.round(atMs)}: ${what}`);
  throw new Error(`${failures.length} requests on unchanged routes failed:\n${shown.join('\n')}`);
}

async function timed(name: string, guarantee: string, run: () => Promise<void>): Promise<void> {
  const startMs = performance.now();
  console.log(`\n== ${name}: ${guarantee}`);
  try {
    await run();
  } catch (error) {
    console.log(`== ${name}: FAILED after ${seconds(startMs)} s`);
    throw error;
  }
  console.log(`== ${name}: ok (${seconds(startMs)} s)`);
}

const seconds = (startMs: number): string => ((performance.now() - startMs) / 1_000).toFixed(1);
