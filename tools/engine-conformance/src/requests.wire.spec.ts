// requests.cases.md, against every engine, through real sockets.
import type { RawCaller, ScriptedUpstream, UpstreamCall } from '@gatehouse/testkit';
import { expect } from 'vitest';
import { readAnswers } from './answers.js';
import { escaped, readCases, unescaped, type Case } from './cases.js';
import { conform, eventually, forEveryEngine, within, type House } from './conform.js';
import { HOST } from './gate.js';

interface Expected {
  /** One set per answer; empty for `cut`. */
  readonly statuses: readonly (readonly string[])[];
  readonly mayBeCut: boolean;
  readonly end: 'close' | 'keep' | null;
  readonly messages: readonly string[];
}

const CLOSES_WITHIN_MS = 2_500;
const GOOD = `GET /dev/good HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

forEveryEngine((engine) => {
  for (const one of readCases('requests.cases.md')) {
    conform(engine, one.fault, `${one.title} (${one.where})`, (house) => run(house, one));
  }
});

async function run(house: House, one: Case): Promise<void> {
  const expected = one.expected.split(' or ').map(parse);
  const up = await house.upstream(async ({ body, response }) => {
    if ((await body.catch(() => null)) !== null) response.end('ok');
  });
  const gate = await house.gate();
  await gate.proxyTo(up.url);
  const { statuses, isClosed, keeps } = await exchange(await house.caller(gate), one, expected);
  const good = await gate.call('/dev/good');
  expect(`${good.status} ${good.text}`, 'a good request on a new connection').toBe('200 ok');
  const messages = (await wholeMessages(up)).filter(({ url }) => url !== '/good');
  const actual = `${statuses.join(',') || 'cut'} ${isClosed ? 'close' : keeps ? 'keep' : 'neither'}${
    messages.length === 0 ? '' : ` <- ${messages.map(({ text }) => text).join(' + ')}`
  }`;
  expect(up.unreadable, 'what the upstream could not read').toEqual([]);
  const fits = expected.some((expectation) => matches(expectation, statuses, isClosed, keeps, messages));
  expect(fits ? one.expected : actual, `${one.where}: ${escaped(one.bytes)}`).toBe(one.expected);
  expect(gate.bugs).toEqual([]);
}

/** Sends the bytes, then finds out what became of the connection. */
async function exchange(
  caller: RawCaller,
  { bytes }: Case,
  expected: readonly Expected[],
): Promise<{ statuses: string[]; isClosed: boolean; keeps: boolean }> {
  const httpMethods = [...bytes.matchAll(/^([A-Z]+) \S+ HTTP\/1/gm)].map(([, httpMethod]) => httpMethod!);
  let isClosed = false;
  let text = '';
  caller.socket.on('data', (piece) => (text += piece));
  caller.socket.on('close', () => (isClosed = true));
  const answers = (): string[] => readAnswers(text, httpMethods, isClosed).answers.map(({ status }) => String(status));
  const wanted = Math.max(1, ...expected.map(({ statuses }) => statuses.length));
  caller.send(bytes);
  await eventually('an answer, or the end of the connection,', () => isClosed || answers().length >= wanted);
  const statuses = answers();
  const mayKeep = expected.some(({ end }) => end !== 'close');
  const isRefused = statuses.some((status) => Number(status) >= 400);
  // A refused request may leave its body or more requests behind it: another one would stand behind those.
  if (mayKeep && !isRefused && !isClosed) {
    caller.send(GOOD);
    await eventually('a second answer, or the end of the connection,', () => isClosed || answers().length > statuses.length);
    return { statuses, isClosed: answers().length === statuses.length, keeps: answers().length > statuses.length };
  }
  if (expected.some(({ end }) => end === 'close')) {
    await eventually('the end of the connection', () => isClosed, CLOSES_WITHIN_MS);
    return { statuses: answers(), isClosed, keeps: false };
  }
  return { statuses, isClosed, keeps: false };
}

interface Message {
  readonly url: string;
  readonly text: string;
  readonly rawHeaders: readonly string[];
}

/** Those that came to their end. One that did not must be given up, not left hanging. */
async function wholeMessages(up: ScriptedUpstream): Promise<Message[]> {
  const messages: Message[] = [];
  for (const call of up.calls) {
    const body = await within(3_000, 'the end of a message to the upstream', bodyOf(call));
    if (body === null) continue;
    const { httpMethod, url, rawHeaders } = call;
    messages.push({ url, rawHeaders, text: `${httpMethod} ${url} "${escaped(body)}"` });
  }
  return messages;
}

const bodyOf = ({ body }: UpstreamCall): Promise<string | null> =>
  body.then(
    (bytes) => bytes.toString('latin1'),
    () => null,
  );

function matches(
  expected: Expected,
  statuses: readonly string[],
  isClosed: boolean,
  keeps: boolean,
  messages: readonly Message[],
): boolean {
  const isCut = statuses.length === 0;
  if (isCut ? !expected.mayBeCut : statuses.length !== expected.statuses.length) return false;
  if (!statuses.every((status, i) => expected.statuses[i]!.includes(status))) return false;
  if (expected.end === 'close' && !isClosed) return false;
  if (expected.end === 'keep' && !keeps) return false;
  if (messages.length !== expected.messages.length) return false;
  return messages.every((message, i) => isMessage(message, expected.messages[i]!));
}

/** `text` is `METHOD target "body" [Name: value] [!Name: value]`. */
function isMessage(message: Message, text: string): boolean {
  const split = / \[!?[^\]]*: /.exec(text)?.index ?? text.length;
  if (message.text !== text.slice(0, split)) return false;
  return [...text.slice(split).matchAll(/ \[(!?)(.*?): (.*?)\](?= \[|$)/g)].every(
    ([, not, name, value]) => (not === '!') !== hasHeader(message.rawHeaders, name!, unescaped(value!)),
  );
}

function hasHeader(rawHeaders: readonly string[], name: string, value: string): boolean {
  return rawHeaders.some((text, i) => i % 2 === 0 && text.toLowerCase() === name.toLowerCase() && rawHeaders[i + 1] === value);
}

function parse(text: string): Expected {
  const [front, messages] = text.split(' <- ') as [string, string | undefined];
  const [statuses, end] = front.split(' ') as [string, 'close' | 'keep' | undefined];
  const alternatives = statuses.split(',').map((set) => set.split('|'));
  return {
    statuses: alternatives,
    mayBeCut: alternatives.length === 1 && alternatives[0]!.includes('cut'),
    end: end ?? null,
    messages: messages === undefined ? [] : messages.split(' + '),
  };
}
