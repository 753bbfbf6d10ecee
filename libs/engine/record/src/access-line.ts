/**
 * A finished request as one line of JSON, written by hand: building an object for JSON.stringify costs five times as much. Of the
 * caller's text only path and User-Agent are in it, cut; never headers, query, bodies or key values.
 */
import type { ApiKeyEntry } from '@gatehouse/contracts';
import type { Exchange } from '@gatehouse/engine-exchange';

const TEXT_LENGTH_MAX = 1_024;
/** Text that needs no escape. Surrogates are left to JSON.stringify: it escapes those without a partner. */
const NOTHING_TO_ESCAPE = /^[ !#-[\]-~\xa0-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;
// DEL, C1 and the two line separators: JSON leaves them as they are, terminals and line readers do not.
const UNPRINTABLE = /[\x7f-\x9f\u2028\u2029]/g;

/** Few and long pieces: each costs when the line is put together. */
export function accessLine(x: Exchange, latencyMs: number): string {
  return (
    `${openingText(x.receivedAtMs)}${requestIdText(x)}${placeText(x)}` +
    `${escaped(x.path.slice(0, TEXT_LENGTH_MAX))}${statusText(x.status)}${millisecondsText(latencyMs)}` +
    `,"integrationLatencyMs":${x.integrationLatencyMs < 0 ? 'null' : millisecondsText(x.integrationLatencyMs)}` +
    `,"sourceIp":"${escaped(x.sourceIp)}","userAgent":"${escaped(x.userAgent.slice(0, TEXT_LENGTH_MAX))}` +
    `${x.countedAtMs < 0 ? uncountedText(x) : countedText(x)}${x.deliveredBytes}${x.fault === null ? '}' : faultText(x)}`
  );
}

/** One that we spelled out ourselves is digits. */
function requestIdText({ requestId, idLines }: Exchange): string {
  return idLines === '' ? escaped(requestId) : requestId;
}

function uncountedText({ apiKey }: Exchange): string {
  return `","apiKeyId":${quotedOrNull(apiKey?.apiKeyId)},"usagePlanId":null,"usageDay":null,"bytes":`;
}

/** What the requests of a key on a day have in common. Goes with the published key. */
const countedTexts = new WeakMap<ApiKeyEntry, { readonly usagePlanId: string; readonly day: string; readonly text: string }>();

/** The request is in the sums of this plan, its key and this UTC day, whatever became of it later. */
function countedText({ apiKey, usagePlan, countedAtMs }: Exchange): string {
  const { usagePlanId } = usagePlan!.settings;
  const day = dayText(countedAtMs);
  let known = countedTexts.get(apiKey!);
  if (known === undefined || known.day !== day || known.usagePlanId !== usagePlanId) {
    const text = `","apiKeyId":${quoted(apiKey!.apiKeyId)},"usagePlanId":${quoted(usagePlanId)},"usageDay":"${day}","bytes":`;
    countedTexts.set(apiKey!, (known = { usagePlanId, day, text }));
  }
  return known.text;
}

const DAY_MS = 86_400_000;
let knownDayStartMs = Number.NaN;
let knownDay = '';

/** The same rule as UsageJournal's. */
function dayText(ms: number): string {
  const sinceStartMs = ms - knownDayStartMs;
  if (!(sinceStartMs >= 0 && sinceStartMs < DAY_MS)) {
    knownDayStartMs = Math.floor(ms / DAY_MS) * DAY_MS;
    knownDay = new Date(knownDayStartMs).toISOString().slice(0, 10);
  }
  return knownDay;
}

function faultText(x: Exchange): string {
  return `,"fault":${quoted(x.fault!.name)},"doing":${quoted(x.faultDoing)},"cause":${quotedOrNull(causeText(x.faultCause))}}`;
}

function causeText(cause: unknown): string | null {
  if (cause === null || cause === undefined) return null;
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, TEXT_LENGTH_MAX);
}

/** What all requests of a route, or of a stage without a route, have in common: up to the method, and with the published one. */
class Place {
  readonly httpMethod: string | null;
  readonly text: string;

  constructor(
    readonly toMethod: string,
    httpMethod: string | undefined,
  ) {
    this.httpMethod = httpMethod ?? null;
    this.text = `${toMethod}${escaped(httpMethod ?? '')}","path":"`;
  }
}

const NOWHERE = new Place('","tenant":null,"api":null,"stage":null,"resource":null,"httpMethod":"', undefined);
/** By what was linked, with which it goes. */
const places = new WeakMap<object, Place>();

function placeText(x: Exchange): string {
  const place = placeOf(x);
  return x.httpMethod === place.httpMethod ? place.text : `${place.toMethod}${escaped(x.httpMethod)}","path":"`;
}

function placeOf({ stage, route }: Exchange): Place {
  if (stage === null) return NOWHERE;
  const linked = route ?? stage;
  const known = places.get(linked);
  if (known !== undefined) return known;
  const { tenant, apiId, stage: stageName } = stage.snapshot;
  const toMethod =
    `","tenant":${quotedOrNull(tenant)},"api":${quotedOrNull(apiId)},"stage":${quotedOrNull(stageName)}` +
    `,"resource":${quotedOrNull(route?.settings.path)},"httpMethod":"`;
  const place = new Place(toMethod, route?.settings.httpMethod);
  places.set(linked, place);
  return place;
}

let knownTimeMs = Number.NaN;
let knownOpening = '';

/** Of a busy node's requests many fall into one millisecond. */
function openingText(ms: number): string {
  if (ms !== knownTimeMs) {
    knownOpening = `{"time":"${new Date(ms).toISOString()}","requestId":"`;
    knownTimeMs = ms;
  }
  return knownOpening;
}

const statusTexts: string[] = [];

function statusText(status: number): string {
  return (statusTexts[status] ??= `","status":${status},"latencyMs":`);
}

const HUNDREDTHS = Array.from({ length: 100 }, (_, i) => (i === 0 ? '' : String(i / 100).slice(1)));

/** Rounded to hundredths, as JSON writes the number; printing it as one costs three times as much. */
function millisecondsText(ms: number): string {
  const hundredths = Math.round(ms * 100);
  if (!(hundredths >= 0 && hundredths < 2 ** 31)) return JSON.stringify(hundredths / 100);
  return `${(hundredths / 100) | 0}${HUNDREDTHS[hundredths % 100]!}`;
}

function quotedOrNull(text: string | null | undefined): string {
  return text === null || text === undefined ? 'null' : quoted(text);
}

function quoted(text: string): string {
  return `"${escaped(text)}"`;
}

/** What stands between the quotes. */
function escaped(text: string): string {
  if (NOTHING_TO_ESCAPE.test(text)) return text;
  const json = JSON.stringify(text).slice(1, -1);
  return json.replace(UNPRINTABLE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
