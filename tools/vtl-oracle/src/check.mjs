/**
 * Checks the case files of libs/foundation/lang against Apache Velocity 1.7 and Jayway JsonPath 2.0.0, or writes what they answer.
 *
 *   node src/check.mjs            every case that is not marked as ours must agree
 *   node src/check.mjs --write    puts their answers where a case says `=> ?`
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readCases, written } from '@gatehouse/lang/testing';
import { ask } from './oracle.mjs';

const sources = path.join(import.meta.dirname, '../../../libs/foundation/lang/src');
const writes = process.argv.includes('--write');

let differences = 0;
let agreements = 0;
for (const file of globSync('**/*.cases.md', { cwd: sources }).filter((name) => /^(?:vtl|json-path)\//.test(name))) {
  const markdown = readFileSync(path.join(sources, file), 'utf8');
  const cases = readCases(markdown).filter((one) => !one.isOurs);
  const answers = ask(cases.map(questionOf));
  const lines = markdown.split('\n');
  cases.forEach((one, i) => {
    const answer = answerOf(one, answers[i]);
    if (writes && one.expected === '?')
      lines[one.line - 1] = lines[one.line - 1].replace(/ => \?$/, () => ` => ${written(answer)}`.trimEnd());
    else if (agrees(one, answer)) agreements++;
    else {
      differences++;
      console.log(`${file}:${one.line}\n  ${written(one.input)}\n  here:  ${written(one.expected)}\n  there: ${written(answer)}`);
    }
  });
  if (writes) writeFileSync(path.join(sources, file), lines.join('\n'));
}
console.log(`${agreements} cases agree, ${differences} differ`);
process.exitCode = differences === 0 ? 0 : 1;

function questionOf(one) {
  if (one.kind === 'selects') return { jsonPath: one.input, body: one.body };
  return {
    template: one.input,
    body: one.body,
    params: JSON.parse(one.params),
    context: JSON.parse(one.context),
    stageVariables: JSON.parse(one.stage),
  };
}

function answerOf(one, { output, missing, parseError, renderError }) {
  if (parseError !== undefined || renderError !== undefined) return `error: ${String(parseError ?? renderError).split('\n')[0]}`;
  if (one.kind !== 'selects') return output;
  return missing ? 'missing' : output.slice(1, -1);
}

/** Their errors are worded otherwise. */
function agrees(one, answer) {
  return one.kind === 'refuses' || one.kind === 'fails' ? answer.startsWith('error: ') : answer === one.expected;
}
