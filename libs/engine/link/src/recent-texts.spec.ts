import { expect, test } from 'vitest';
import { RecentTexts } from './recent-texts.js';
import type { RoutesText } from './routes-text.js';

function textOf(bytes: number): RoutesText {
  const content = new Uint8Array(bytes);
  return { content, bytes: Buffer.from(content.buffer), starts: [0, bytes + 1] };
}

test('beyond its bytes the oldest go, and their memory with them', () => {
  const texts = new RecentTexts(100);
  const all = ['a', 'b', 'c'].map((digest) => ({ digest, text: textOf(40) }));
  for (const { digest, text } of all) texts.set(digest, text);
  expect(all.map(({ digest }) => texts.get(digest) !== null)).toEqual([false, true, true]);
  expect(all.map(({ text }) => text.bytes.length)).toEqual([0, 40, 40]);
});

test('a text of two snapshots stays until both are gone', () => {
  const texts = new RecentTexts(100);
  const text = textOf(80);
  texts.set('a', text);
  texts.set('b', text);
  texts.delete('a');
  texts.delete('a');
  expect([texts.get('a'), texts.get('b'), text.bytes.length]).toEqual([null, text, 80]);
  texts.delete('b');
  expect([texts.get('b'), text.bytes.length]).toEqual([null, 0]);
  texts.set('c', textOf(90));
  expect(texts.get('c'), 'what went is not counted').not.toBeNull();
});
