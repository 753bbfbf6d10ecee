/**
 * Checks the case files of libs/foundation/lang against Apache Velocity 1.7 and Jayway JsonPath 2.0.0, or writes what they answer.
 *
 *   node src/check.mjs            every case that is not marked as ours must agree
 *   node src/check.mjs --write    puts their answers where a case says `=> ?`
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCases, written } from '@gatehouse/lang/testing';

const JARS = [
  'velocity',
  'commons-collections3',
  'commons-lang',
  'json-path',
  'json-smart',
  'accessors-smart',
  'asm',
  'slf4j-api',
  'slf4j-nop',
];
const here = path.dirname(fileURLToPath(import.meta.url));
const sources = path.join(here, '../../../libs/foundation/lang/src');
const writes = process.argv.includes('--write');

const classPath = JARS.map((jar) => `/usr/share/java/${jar}.jar`);
const absent = classPath.filter((jar) => !existsSync(jar));
if (absent.length > 0) {
  console.error(`Not there: ${absent.join(', ')}\nOn Debian: apt-get install velocity libjsonpath-java default-jdk-headless`);
  process.exit(2);
}

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

function ask(questions) {
  if (questions.length === 0) return [];
  const input = questions.map((question) => JSON.stringify(question)).join('\n');
  const output = execFileSync('java', ['-cp', classPath.join(':'), path.join(here, 'Oracle.java')], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}
