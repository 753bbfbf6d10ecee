import { readFileSync } from 'node:fs';
import { unescaped } from './cases.js';

export interface Difference {
  readonly where: string;
  /** `nginx` or `node`. */
  readonly peer: string;
  /** Whether the bytes are a caller's or an upstream's. */
  readonly of: 'request' | 'answer';
  readonly bytes: string;
  /** Whether the expression fits the example. */
  readonly isExcused: boolean;
  excuses(reader: string, text: string): boolean;
}

/** `## Title (peer)`, an `input` block with a regular expression, and a `request` or `answer` block of bytes as in `cases.ts`. */
export function readDifferences(file: string): Difference[] {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  const found: Difference[] = [];
  for (const section of text.matchAll(/^## .* \((nginx|node)\)\n([^]*?)(?=^## |(?![^]))/gm)) {
    const [, peer, content] = section;
    const expression = new RegExp(/^```input\n(.*)\n```$/m.exec(content!)![1]!, 'm');
    const [, of, block] = /^```(request|answer)\n([^]*?)\n```$/m.exec(content!)!;
    const lines = block!.split('\n');
    const bytes = lines.map((line) => unescaped(line.endsWith('\\') ? line.slice(0, -1) : `${line}\\r\\n`)).join('');
    found.push({
      where: `${file}:${text.slice(0, section.index).split('\n').length}`,
      peer: peer!,
      of: of as Difference['of'],
      bytes,
      isExcused: expression.test(bytes),
      excuses: (reader, input) => reader.startsWith(peer!) && expression.test(input),
    });
  }
  return found;
}
