// The command line of `npm run bench`.
import { parseArgs } from 'node:util';

const OPTIONS = {
  seconds: { type: 'string', default: '5', help: 'measured seconds per contender and round' },
  rounds: { type: 'string', default: '3', help: 'rounds; every contender runs once in each, in rotated order' },
  only: { type: 'string', help: 'comma-separated contenders, nginx for the ratio; does not change docs/performance.md' },
  name: {
    type: 'string',
    default: 'proxy',
    help: 'the result goes to bench/results/<name>.json; only "proxy" goes to docs/performance.md',
  },
  profile: {
    type: 'boolean',
    default: false,
    help: 'also profile the Gatehouse node (plain route) and list its hottest functions',
  },
  'no-write': { type: 'boolean', default: false, help: 'leave bench/results and docs/performance.md as they are' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON instead of the table' },
  help: { type: 'boolean', default: false, short: 'h', help: 'this text' },
};
const SECONDS_MAX = 600;
const ROUNDS_MAX = 100;

export function help() {
  const lines = Object.entries(OPTIONS).map(([name, { help, default: value }]) => {
    const shown = typeof value === 'string' ? ` (${value})` : '';
    return `  --${name.padEnd(10)} ${help}${shown}`;
  });
  return `npm run bench -- proxy [options]\n\nCPU cost per proxied request: Gatehouse beside nginx, HAProxy, Caddy and others.\n\n${lines.join('\n')}\n`;
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
    problems.push(`Which benchmark? There is one: proxy; got "${positionals.join(' ')}"`);
  }
  const whole = (name, max) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      problems.push(`--${name}: expected a whole number from 1 to ${max}, got "${values[name]}"`);
    }
    return value;
  };
  const options = {
    help: false,
    seconds: whole('seconds', SECONDS_MAX),
    rounds: whole('rounds', ROUNDS_MAX),
    only: values.only?.split(','),
    name: values.name,
    profile: values.profile,
    writes: !values['no-write'],
    json: values.json,
  };
  if (!/^[a-z0-9-]+$/.test(options.name))
    problems.push(`--name: expected lower-case letters, digits and "-", got "${options.name}"`);
  if (problems.length > 0) throw new Error(`${problems.join('\n')}\n\n${help()}`);
  return options;
}
