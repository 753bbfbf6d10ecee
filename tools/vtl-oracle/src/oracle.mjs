/** `Oracle.java`, run from source. Ends the process with a hint when Java or a jar is not there. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

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

const classPath = JARS.map((jar) => `/usr/share/java/${jar}.jar`);
const absent = classPath.filter((jar) => !existsSync(jar));
if (absent.length > 0) {
  console.error(`Not there: ${absent.join(', ')}\nOn Debian: apt-get install velocity libjsonpath-java default-jdk-headless`);
  process.exit(2);
}

/** One answer for each question; their members are at the top of Oracle.java. */
export function ask(questions) {
  if (questions.length === 0) return [];
  const input = questions.map((question) => JSON.stringify(question)).join('\n');
  const output = execFileSync('java', ['-cp', classPath.join(':'), path.join(import.meta.dirname, 'Oracle.java')], {
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
