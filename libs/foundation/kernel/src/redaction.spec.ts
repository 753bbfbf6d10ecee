import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HIDDEN, Redaction, SecretNames } from './redaction.js';

interface Case {
  readonly title: string;
  readonly secrets: string[];
  readonly request: string[];
  readonly pairs: { readonly line: number; readonly kind: string; readonly given: string[]; readonly shown: string[] }[];
}

/** `## title`, then fenced blocks; anything else is prose. */
function readCases(text: string): Case[] {
  const cases: Case[] = [];
  let fence: string[] | null = null;
  text.split('\n').forEach((content, i) => {
    const current = cases.at(-1);
    if (content.startsWith('```') && fence !== null) fence = null;
    else if (content.startsWith('```')) {
      const [name, kind = ''] = content.slice(3).split(' ');
      if (name === 'given') current!.pairs.push({ line: i + 1, kind, given: [], shown: [] });
      fence = {
        secrets: current!.secrets,
        request: current!.request,
        given: current!.pairs.at(-1)?.given,
        shown: current!.pairs.at(-1)?.shown,
      }[name as 'given']!;
    } else if (fence !== null) fence.push(content);
    else if (content.startsWith('## ')) cases.push({ title: content.slice(3), secrets: [], request: [], pairs: [] });
  });
  return cases;
}

const pairsOf = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);

function shown(redaction: Redaction, kind: string, given: readonly string[]): string {
  const lines = (pairs: readonly string[]): string =>
    pairs.flatMap((text, i) => (i % 2 === 0 ? [`${text}: ${pairs[i + 1]}`] : [])).join('\n');
  switch (kind) {
    case 'headers':
      return lines(redaction.headers(pairsOf(given)));
    case 'query':
      return lines(redaction.query(pairsOf(given)));
    case 'url':
      return redaction.url(given.join('\n'));
    default:
      return redaction.text(given.join('\n'));
  }
}

describe('cases', () => {
  const text = readFileSync(new URL('redaction.cases.md', import.meta.url), 'utf8');
  for (const { title, secrets, request, pairs } of readCases(text)) {
    test(title, () => {
      const redaction = new Redaction(new SecretNames(secrets));
      const headers = pairsOf(request.filter((line) => !line.startsWith('?')));
      const query = request.filter((line) => line.startsWith('?')).flatMap((line) => line.slice(1).split('='));
      redaction.learn(headers, query);
      for (const { line, kind, given, shown: expected } of pairs) {
        const where = `redaction.cases.md:${line}: `;
        expect(where + shown(redaction, kind, given)).toBe(where + expected.join('\n'));
      }
    });
  }
});

test('a secret of the request is in nothing that is shown, whatever text is around it', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9+/=._-]{8,40}$/);
  fc.assert(
    fc.property(secret, fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (value, before, after) => {
      const redaction = new Redaction(new SecretNames());
      redaction.learn(['Authorization', `Bearer ${value}`], []);
      for (const text of [before + value + after, JSON.stringify({ text: before + value + after })]) {
        const hidden = redaction.text(text);
        // What surrounds it may spell it by chance, as `secre` + `t...`.
        expect(hidden.replaceAll(HIDDEN, '\n').includes(value) && !(before + after).includes(value)).toBe(false);
      }
      expect(redaction.headers(['X-A', before + value])[1]).not.toContain(value);
    }),
    { seed: 1, numRuns: 2_000 },
  );
});

test('a long text is cut, and says how long it was', () => {
  const shownText = new Redaction(new SecretNames()).text(Buffer.alloc(100_000, 'a'));
  expect(shownText).toBe(`${'a'.repeat(4_096)}... [100000 bytes]`);
});

test.each(['['.repeat(20_000), '"token": '.repeat(4_000), `token${' '.repeat(30_000)}=x`, 'token='.repeat(5_000)])(
  'a body made to be hard is shown like any other: %#',
  (body) => {
    expect(new Redaction(new SecretNames()).text(body).length).toBeLessThan(5_000);
  },
);
