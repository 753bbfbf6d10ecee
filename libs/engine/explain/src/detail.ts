/** The rich half of an explanation: what went in and out, hidden and cut by rule, as JSON. Made of few requests: it costs as much as serving one. */
import { Buffer } from 'node:buffer';
import type { ExplainedEvent, ExplanationDetail } from '@gatehouse/contracts';
import {
  InvalidBody,
  noteCall,
  noteOutcome,
  noteReceived,
  PolicyDenial,
  RequestJournal,
  TemplateFailure,
  type Exchange,
  type JournalEntry,
  type JournalEvent,
} from '@gatehouse/engine-exchange';
import { Redaction, type SecretNames } from '@gatehouse/kernel';
import { ManualTime } from './manual-time.js';

/** A page has room for it and for the facts. */
export const DETAIL_BYTES_MAX = 24 * 1024;

export function redactionOf(x: Exchange, names: SecretNames): Redaction {
  const redaction = new Redaction(names);
  redaction.learn(x.requestHeaders, x.query);
  redaction.hide(x.apiKeyValue);
  return redaction;
}

export function encodeDetail(x: Exchange, because: ExplanationDetail['because'], redaction: Redaction): Buffer {
  const events = (x.journal ?? journalAfterwards(x)).entries;
  const whole = detailOf(x, because, events, redaction, true);
  const bytes = encoded(whole);
  if (bytes.length <= DETAIL_BYTES_MAX) return bytes;
  const without = encoded(detailOf(x, because, events, redaction, false));
  return without.length <= DETAIL_BYTES_MAX ? without : encoded({ ...whole, ...NOTHING, isCut: true });
}

const NOTHING = { events: [], denial: null, template: null, invalidBody: null, response: { headers: [], body: null } };
const encoded = (detail: ExplanationDetail): Buffer => Buffer.from(JSON.stringify(detail), 'utf8');

function detailOf(
  x: Exchange,
  because: ExplanationDetail['because'],
  entries: readonly JournalEntry[],
  redaction: Redaction,
  hasBodies: boolean,
): ExplanationDetail {
  const { faultCause, responseBody } = x;
  const text = (body: Buffer | null): string | null => (body === null || !hasBodies ? null : redaction.text(body));
  const headers = [...(x.responseBlock?.fields ?? []), ...x.responseHeaders];
  return {
    because,
    events: entries
      .filter(({ event }) => event.type !== 'IDENTIFIED') // what was decided about it says enough
      .map(({ atMs, event }) => ({
        afterMs: Math.max(0, Math.round(atMs - x.receivedAtMs)),
        ...shown(event, redaction, text),
      })),
    denial: faultCause instanceof PolicyDenial ? denialOf(faultCause, redaction) : null,
    template: faultCause instanceof TemplateFailure ? templateOf(faultCause, text) : null,
    invalidBody: faultCause instanceof InvalidBody ? redaction.text(faultCause.message) : null,
    response: { headers: redaction.headers(headers), body: Buffer.isBuffer(responseBody) ? text(responseBody) : null },
    isCut: !hasBodies,
  };
}

function denialOf(denial: PolicyDenial, redaction: Redaction): ExplanationDetail['denial'] {
  const { resource, policyDocument } = denial;
  const index = denial.findStatement();
  const { Statement: given } = policyDocument as { Statement?: unknown };
  const statement = index === -1 ? null : (([given].flat()[index] ?? null) as unknown);
  return { resource, statementIndex: index === -1 ? null : index, statement: redaction.value(statement) };
}

function templateOf({ half, name, error, input }: TemplateFailure, text: (body: Buffer | null) => string | null) {
  return { half, name, line: error.line, column: error.column, reason: error.reason, input: text(input) };
}

type Shown = Omit<ExplainedEvent, 'afterMs' | 'type'> & { readonly type: string };

function shown(event: JournalEvent, redaction: Redaction, text: (body: Buffer | null) => string | null): Shown {
  switch (event.type) {
    case 'RECEIVED':
      return {
        ...event,
        pathParameters: redaction.query(event.pathParameters),
        query: redaction.query(event.query),
        headers: redaction.headers(event.headers),
        body: text(event.body),
      };
    case 'BODY_READ':
      return { ...event, body: text(event.body) };
    case 'CALLED':
      return { ...event, url: redaction.url(event.url), headers: redaction.headers(event.headers), body: text(event.body) };
    case 'ANSWERED':
      return { ...event, headers: redaction.headers(event.headers), body: text(event.body) };
    case 'TEMPLATE_RENDERED':
      return { ...event, input: text(event.input), output: text(Buffer.from(event.output, 'utf8')) };
    default:
      return { ...event };
  }
}

/** What a journal would have said, as far as the Exchange still knows it: of a request that nobody listened to, and that failed. */
function journalAfterwards(x: Exchange): RequestJournal {
  const time = new ManualTime(x.receivedAtMs);
  const journal = new RequestJournal(time);
  noteReceived(journal, x);
  if (x.bufferedBody !== null && (x.requestBody?.atHand ?? null) === null)
    journal.note({ type: 'BODY_READ', body: x.bufferedBody });
  if (x.apiKey !== null && x.usagePlan !== null) {
    journal.note({ type: 'KEY_IDENTIFIED', apiKeyId: x.apiKey.apiKeyId, usagePlanId: x.usagePlan.settings.usagePlanId });
  }
  if (x.upstreamRequest !== null && x.integrationLatencyMs >= 0) {
    time.ms = x.receivedAtMs + (x.integrationStartedAtMs - x.startedAtMs);
    noteCall(journal, 'backend', x.upstreamRequest);
    time.ms += x.integrationLatencyMs;
    if (x.upstreamAnswer !== null) noteOutcome(journal, 'backend', x.upstreamAnswer, x.integrationLatencyMs);
  }
  return journal;
}
