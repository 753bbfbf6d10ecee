/**
 * Cases in Markdown, read by the specs here and by tools/vtl-oracle, which checks them against Apache Velocity and Jayway JsonPath.
 *
 *   ## Title
 *   Prose.
 *   ```body            a JSON text: the body for the lines that follow, up to the next heading; likewise `params`, `context`,
 *   {"a": 1}           `stage` (stage variables), each JSON
 *   ```
 *   ```prints          template => text it prints
 *   ```refuses         template => message of the syntax error
 *   ```fails           template => message of the error while rendering
 *   ```selects         JSONPath => JSON it selects, or `missing`
 *
 * `prints on AWS` and the like: the original behaves differently, and the prose says why we do not follow it.
 * In the lines, `⏎` is a line feed and `␠` a blank at an end.
 */
export interface Case {
  readonly title: string;
  readonly line: number;
  readonly kind: 'prints' | 'refuses' | 'fails' | 'selects';
  readonly isOurs: boolean;
  readonly input: string;
  readonly expected: string;
  readonly body: string;
  readonly params: string;
  readonly context: string;
  readonly stage: string;
}

const KINDS = ['prints', 'refuses', 'fails', 'selects'];
const NO_PARAMS = '{"path":{},"querystring":{},"header":{}}';

export function readCases(markdown: string): Case[] {
  const cases: Case[] = [];
  let title = '';
  let fence: string | null = null;
  let given: Record<string, string> = {};
  markdown.split('\n').forEach((content, index) => {
    if (content.startsWith('```')) fence = fence === null ? content.slice(3).trim() : null;
    else if (fence === null && content.startsWith('## ')) {
      title = content.slice(3);
      given = {};
    } else if (fence !== null) {
      const [kind = '', ...rest] = fence.split(' ');
      if (KINDS.includes(kind)) {
        const [input, expected] = splitLine(content, index + 1);
        const { body = '', params = NO_PARAMS, context = '{}', stage = '{}' } = given;
        const isOurs = rest.length > 0;
        cases.push({ title, line: index + 1, kind: kind as Case['kind'], isOurs, input, expected, body, params, context, stage });
      } else given[kind] = (given[kind] ?? '') + content.trim();
    }
  });
  return cases;
}

function splitLine(content: string, line: number): [string, string] {
  const at = content.lastIndexOf(' =>');
  if (at === -1) throw new Error(`line ${line}: no =>`);
  return [plain(content.slice(0, at).trim()), plain(content.slice(at + 3).trim())];
}

function plain(text: string): string {
  return text.replaceAll('⏎', '\n').replaceAll('␠', ' ');
}

/** For the oracle: the text as it stands in a case file. */
export function written(text: string): string {
  return text.replaceAll('\n', '⏎').replace(/^ /, '␠').replace(/ $/, '␠');
}
