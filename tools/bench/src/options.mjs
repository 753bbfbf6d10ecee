// The command line of `npm run bench`.
import { parseArgs } from 'node:util';
import { CONTENDERS } from './contenders.mjs';
import { SCENARIOS } from './scenarios/index.mjs';

/** The result that docs/performance.md shows; others are somebody's experiment. */
export const PAGE_RESULT = 'proxy';
const names = (list) => list.map(({ name }) => name);

const OPTIONS = {
  scenario: { type: 'string', default: names(SCENARIOS).join(','), help: 'comma-separated scenarios' },
  only: { type: 'string', help: 'comma-separated contenders (all); keep nginx for the ratio' },
  seconds: { type: 'string', default: '3', help: 'measured seconds per contender and round' },
  rounds: { type: 'string', default: '3', help: 'rounds; every contender runs once in each, in rotated order' },
  quick: { type: 'boolean', default: false, help: 'a look: one round of one second, short warm-up, 1,000 idle connections' },
  name: { type: 'string', default: PAGE_RESULT, help: 'the result goes to bench/results/<name>.json and .svg' },
  profile: { type: 'boolean', default: false, help: 'also profile the Gatehouse node (scenario get): hottest functions' },
  'no-write': { type: 'boolean', default: false, help: 'leave bench/results and docs/performance.md as they are' },
  'no-build': { type: 'boolean', default: false, help: 'measure Gatehouse as it is built' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON instead of the tables' },
  help: { type: 'boolean', default: false, short: 'h', help: 'this text' },
};
const SECONDS_MAX = 600;
const ROUNDS_MAX = 100;

export function help() {
  const lines = Object.entries(OPTIONS).map(([name, { help, default: value }]) => {
    const shown = typeof value === 'string' ? ` (${value})` : '';
    return `  --${name.padEnd(10)} ${help}${shown}`;
  });
  const scenarios = SCENARIOS.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`);
  const contenders = CONTENDERS.map(({ name, title }) => `  ${name.padEnd(20)} ${title}`);
  return `npm run bench -- proxy [options]     (npm run bench -- scale --help, rollout --help, management --help, steps --help: other benchmarks)

What one proxied request costs: Gatehouse beside nginx, HAProxy, Caddy and others.

Options:
${lines.join('\n')}

A run with the name "${PAGE_RESULT}" also writes its tables to docs/performance.md; what it did not measure stays there as it was. With --only or
--quick that name writes nothing: give another one to keep the result.

Scenarios:
${scenarios.join('\n')}

Contenders:
${contenders.join('\n')}
`;
}

/** Reads the arguments after `npm run bench --`; throws one Error that says what is wrong and what is there. */
export function readOptions(args) {
  let parsed;
  try {
    parsed = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new Error(`${error.message}\n\n${help()}`, { cause: error });
  }
  const { values, positionals } = parsed;
  if (values.help) return { help: true };
  const problems = [];
  if (positionals.length !== 1 || positionals[0] !== 'proxy') {
    problems.push(
      `Which benchmark? There are proxy, scale, rollout, scrape, management and steps; got "${positionals.join(' ')}"`,
    );
  }
  const whole = (name, max) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      problems.push(`--${name}: expected a whole number from 1 to ${max}, got "${values[name]}"`);
    }
    return value;
  };
  const listOf = (name, known) => {
    const wanted = values[name]?.split(',');
    const unknown = (wanted ?? []).filter((each) => !known.includes(each));
    if (unknown.length > 0) problems.push(`--${name}: there is no "${unknown.join('", "')}"; there are ${known.join(', ')}`);
    return wanted;
  };
  const { quick } = values;
  const options = {
    help: false,
    scenarios: listOf('scenario', names(SCENARIOS)),
    only: listOf('only', names(CONTENDERS)),
    seconds: quick ? 1 : whole('seconds', SECONDS_MAX),
    rounds: quick ? 1 : whole('rounds', ROUNDS_MAX),
    firstWarmUpSeconds: quick ? 1 : 3,
    warmUpSeconds: 1,
    idleConnections: quick ? 1_000 : 10_000,
    name: values.name,
    profile: values.profile,
    writes: !values['no-write'] && !(values.name === PAGE_RESULT && (quick || values.only !== undefined)),
    builds: !values['no-build'],
    json: values.json,
  };
  if (!/^[a-z0-9-]+$/.test(options.name))
    problems.push(`--name: expected lower-case letters, digits and "-", got "${options.name}"`);
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${help()}`);
  return options;
}
