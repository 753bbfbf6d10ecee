// What a run leaves behind: bench/results/<name>.json and .svg, and the parts of docs/performance.md between markers. Everything else on that page
// is written by people.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { chart } from './chart.mjs';
import { PAGE_RESULT } from './options.mjs';
import { SCENARIOS } from './scenarios/index.mjs';
import { table } from './summary.mjs';

/** Replaces what stands between `<!-- bench:<name> -->` and `<!-- /bench:<name> -->`. */
export function replaceBetween(text, name, content) {
  const open = `<!-- bench:${name} -->`;
  const close = `<!-- /bench:${name} -->`;
  const start = text.indexOf(open);
  const end = text.indexOf(close, start);
  if (start < 0 || end < 0) throw new Error(`docs/performance.md: expected ${open} and ${close}`);
  return `${text.slice(0, start + open.length)}\n${content}\n${text.slice(end)}`;
}

/** Scenarios that this run did not measure stay as the file has them: each one says when and where it was measured. */
export function merged(earlier, result) {
  return { ...earlier, ...result, scenarios: { ...earlier.scenarios, ...result.scenarios } };
}

export function writeResult(root, name, result) {
  const file = path.join(root, 'bench/results', `${name}.json`);
  mkdirSync(path.dirname(file), { recursive: true });
  const whole = merged(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}, result);
  writeFileSync(file, `${JSON.stringify(whole, null, 2)}\n`);
  spawnSync(path.join(root, 'node_modules/.bin/oxfmt'), [file]);
  writeFileSync(file.replace(/json$/, 'svg'), chart(whole));
  if (name !== PAGE_RESULT) return;
  const page = path.join(root, 'docs/performance.md');
  writeFileSync(page, documented(readFileSync(page, 'utf8'), result));
}

/** The page with the tables of `result`. */
export function documented(page, result) {
  let text = page;
  for (const [name, scenario] of Object.entries(result.scenarios))
    text = replaceBetween(text, name, scenarioText(name, scenario));
  return result.profile === undefined ? text : replaceBetween(text, 'profile', profileText(result.profile));
}

export function resultText({ scenarios }) {
  return Object.entries(scenarios)
    .map(([name, scenario]) => `## ${scenario.title}\n\n${scenarioText(name, scenario)}\n`)
    .join('\n');
}

function scenarioText(name, scenario) {
  if (scenario.problem !== undefined) return `Not measured: ${scenario.problem}\n\n${caption(scenario)}`;
  return `${table(scenario.rows, SCENARIOS.find((each) => each.name === name).columns)}\n\n${caption(scenario)}`;
}

function caption({ at, revision, machine, settings }) {
  const commit =
    revision.commit === null ? 'a checkout without git' : `commit ${revision.commit}${revision.isDirty ? ' with changes' : ''}`;
  return (
    `_${at.slice(0, 10)}, ${commit}: ${machine.cores} cores of ${machine.cpu} (${machine.arch}), ${machine.kernel}, Node ${machine.node}; ` +
    `${settings.rounds} round${settings.rounds === 1 ? '' : 's'} of ${settings.seconds} s, upstream ${settings.upstream}._`
  );
}

/** Also printed by `--profile`. */
export function profileText({ hottest, parts, scavenges }) {
  return [
    ...(scavenges === undefined ? [] : scavengeLines(scavenges)),
    '| time | part |',
    '|---:|---|',
    ...parts.map(({ percent, name }) => `| ${percent.toFixed(1)} % | ${name} |`),
    '',
    '| self time | function | where |',
    '|---:|---|---|',
    ...hottest.map(({ percent, name, place }) => `| ${percent.toFixed(1)} % | \`${name}\` | ${place} |`),
  ].join('\n');
}

function scavengeLines({ perSecond, medianMs, maxMs }) {
  return [
    `Young garbage is collected ${perSecond} times a second; a collection takes ${medianMs} ms (median; longest ${maxMs} ms).`,
    '',
  ];
}
