import { expect, test } from 'vitest';
import { bytesOfText, latin1Of } from './text-bytes.js';

test('bytes are the same text in Latin-1, whether it was the last one or not', () => {
  const texts = ['', 'a', '{"a": 1}', 'ü', '\u00e9a', '😀', '\ud800', 'x'.repeat(20_000), 'end'];
  const bytes = texts.map((text) => {
    const made = bytesOfText(text);
    expect(latin1Of(made)).toBe(Buffer.from(text, 'utf8').toString('latin1'));
    return made;
  });
  bytes.forEach((made, i) => expect(latin1Of(made)).toBe(Buffer.from(texts[i]!, 'utf8').toString('latin1')));
});

test('other bytes are not taken for the last text', () => {
  bytesOfText('abc');
  expect(latin1Of(Buffer.from('abd'))).toBe('abd');
});
