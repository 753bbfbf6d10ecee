/**
 * Cases in Markdown: bytes in, what must come of them.
 *
 *   ## Title               prose, with `Fault N` in it
 *   ```bytes               lines end in CRLF unless a backslash closes them; `\r \n \t \\ \xNN` stand for those bytes
 *   ```expect              or ```variants with lines `text -> expectation`: `{}` in the bytes is replaced by the text
 */
import { readFileSync } from 'node:fs';

export interface Case {
  readonly title: string;
  /** `file:line` of the expectation. */
  readonly where: string;
  readonly fault: number;
  readonly bytes: string;
  /** The same before the escapes are read. */
  readonly lines: readonly string[];
  readonly expected: string;
}

export function readCases(file: string): Case[] {
  const cases: Case[] = [];
  const lines = readFileSync(new URL(file, import.meta.url), 'utf8').split('\n');
  let title = '';
  let fault = 0;
  let template: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.startsWith('## ')) {
      title = line.slice(3);
      fault = 0;
    }
    if (fault === 0) fault = Number(/^Fault (\d+)\b/.exec(line)?.[1] ?? 0);
    if (!line.startsWith('```')) continue;
    const start = at + 1;
    while (lines[++at] !== '```') if (at >= lines.length) throw new Error(`${file}:${start}: the block does not end`);
    const block = lines.slice(start, at);
    const kind = line.slice(3);
    if (fault === 0) throw new Error(`${file}:${start}: which fault?`);
    if (kind === 'bytes') template = block;
    else if (kind === 'expect')
      cases.push({ title, where: `${file}:${start + 1}`, fault, ...contentOf(template, ''), expected: block[0]! });
    else if (kind === 'variants') {
      for (const [i, variant] of block.entries()) {
        const arrow = variant.lastIndexOf(' -> ');
        const text = variant.slice(0, arrow);
        const expected = variant.slice(arrow + 4);
        cases.push({
          title: `${title}: ${text}`,
          where: `${file}:${start + 1 + i}`,
          fault,
          ...contentOf(template, text),
          expected,
        });
      }
    } else throw new Error(`${file}:${start}: unknown block ${kind}`);
  }
  return cases;
}

function contentOf(template: readonly string[], variant: string): Pick<Case, 'bytes' | 'lines'> {
  const lines = template.map((line) => line.replace('{}', () => variant));
  const bytes = lines
    .map((line) => (line.endsWith('\\') && !line.endsWith('\\\\') ? line.slice(0, -1) : `${line}\r\n`))
    .map(unescaped)
    .join('');
  return { bytes, lines };
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' };

export function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex: string | undefined, letter: string) =>
    hex === undefined ? ESCAPES[letter]! : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

export function escaped(text: string): string {
  // Visible ASCII stays; the rest is shown as a case would write it.
  return text.replace(/[^ -[\]-~]/g, (character) => {
    const name = Object.entries(ESCAPES).find(([, meant]) => meant === character)?.[0];
    return name === undefined ? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}` : `\\${name}`;
  });
}
