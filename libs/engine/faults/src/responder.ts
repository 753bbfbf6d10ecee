/**
 * A fault becomes a response: the stage owner's gateway response for its type, else the owner's DEFAULT_4XX or DEFAULT_5XX,
 * else the built-in form. Templates are plain substitution, no Velocity (data-plane reference §1.5); everything is compiled
 * at link time, and an expression this node does not know refuses the stage.
 *
 * `x-amzn-RequestId` and `x-amz-apigw-id` are on every response and come from the listener.
 */
import type { GatewayResponseSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  compileSource,
  headerText,
  isHeaderToken,
  lastHeader,
  LinkRefusal,
  mappedResponseHeaderName,
  setHeader,
  type Exchange,
  type FaultKind,
  type FaultResponder,
  type Source,
} from '@gatehouse/engine-exchange';
import { FAULTS, type FaultName } from './faults.js';

type Customisation = Pick<StageSnapshot, 'gatewayResponses' | 'stageVariables'>;

/** Throws LinkRefusal. */
export function linkFaults(stage: Customisation): FaultResponder {
  const entries = new Map(stage.gatewayResponses.map((entry) => [entry.responseType, linkEntry(entry, stage.stageVariables)]));
  for (const responseType of entries.keys()) {
    if (!(responseType in FAULTS)) throw new LinkRefusal(`gateway response "${responseType}" is of no known type`);
  }
  return {
    render: (x) => {
      const kind = x.fault ?? FAULTS.BUG;
      const own = entries.get(kind.responseType);
      const general = entries.get(kind.status < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX');
      renderFault(
        x,
        kind,
        kind.responseType === NOT_CUSTOMISABLE ? undefined : (own ?? general),
        own?.status ?? general?.status ?? null,
      );
    },
  };
}

/** For faults of requests that belong to no stage. */
export const BUILT_IN_FAULTS: FaultResponder = linkFaults({ gatewayResponses: [], stageVariables: {} });

const NOT_CUSTOMISABLE: FaultName = 'REQUEST_TOO_LARGE';
const JSON_TYPE = 'application/json';

interface LinkedEntry {
  readonly status: number | null;
  readonly headers: readonly { readonly name: string; readonly source: Source }[];
  /** By media type, in the owner's order; `null` for the built-in body. */
  readonly templates: ReadonlyMap<string, Template> | null;
}

type Template = (x: Exchange) => string;

function renderFault(x: Exchange, kind: FaultKind, entry: LinkedEntry | undefined, status: number | null): void {
  x.status = entry === undefined ? kind.status : (status ?? kind.status);
  const [contentType, body] = entry?.templates ? renderTemplate(x, entry.templates) : [JSON_TYPE, builtInBody(x, kind, entry)];
  const headers = ['Content-Type', contentType, 'x-amzn-ErrorType', kind.errorType];
  for (const { name, source } of entry?.headers ?? []) {
    const value = source(x)[0];
    const text = value === undefined ? null : headerText(value);
    if (text === null) continue;
    setHeader(headers, name, text);
    if (name.toLowerCase() === 'retry-after') x.retryAfterMs = -1; // the owner's word counts
  }
  x.responseHeaders = headers;
  x.responseBlock = null;
  x.responseBody = Buffer.from(body, 'utf8');
}

/** ACCESS_DENIED alone writes `Message`, and only while nobody has customised it (data-plane reference §1.4). */
function builtInBody(x: Exchange, kind: FaultKind, entry: LinkedEntry | undefined): string {
  const key = kind.name === 'ACCESS_DENIED' && entry === undefined ? 'Message' : 'message';
  return `{"${key}":${JSON.stringify(x.faultMessage)}}`;
}

/** The first type of Accept that has a template, else JSON, else the first there is. */
function renderTemplate(x: Exchange, templates: ReadonlyMap<string, Template>): [contentType: string, body: string] {
  for (const range of (lastHeader(x.requestHeaders, 'accept') ?? '').split(',')) {
    const type = range.split(';', 1)[0]!.trim().toLowerCase();
    const template = templates.get(type);
    if (template !== undefined) return [type, template(x)];
  }
  const json = templates.get(JSON_TYPE);
  if (json !== undefined) return [JSON_TYPE, json(x)];
  const [type, template] = templates.entries().next().value!;
  return [type, template(x)];
}

function linkEntry(entry: GatewayResponseSnapshot, stageVariables: Readonly<Record<string, string>>): LinkedEntry {
  const where = `gateway response ${entry.responseType}`;
  if (entry.statusCode !== null && !(Number.isInteger(entry.statusCode) && entry.statusCode >= 200 && entry.statusCode <= 599)) {
    throw new LinkRefusal(`${where}: status ${entry.statusCode} is not one of 200 to 599`);
  }
  const templates = Object.entries(entry.templates);
  return {
    status: entry.statusCode,
    headers: Object.entries(entry.headers).flatMap(([name, expression]) => {
      const source = compileSource(expression, stageVariables);
      if (source === null || !isHeaderToken(name))
        throw new LinkRefusal(`${where}: header ${name}: ${expression} is not a mapping`);
      const target = mappedResponseHeaderName(name);
      return target === null ? [] : [{ name: target, source }];
    }),
    templates:
      templates.length === 0
        ? null
        : new Map(templates.map(([type, text]) => [type.toLowerCase(), compileTemplate(text, stageVariables)])),
  };
}

const REFERENCE =
  /\$((?:context(?:\.[A-Za-z][A-Za-z0-9_]*)+)|(?:stageVariables\.[A-Za-z0-9_]+)|(?:method\.request\.(?:header|querystring|path)\.[A-Za-z0-9_-]+))/;

/** Plain substitution: what is no reference is text, `#if` included; a reference to nothing becomes empty text. */
function compileTemplate(text: string, stageVariables: Readonly<Record<string, string>>): Template {
  // Odd parts are the references: split keeps the one capture group.
  const parts = text.split(REFERENCE);
  const sources = parts.map((part, i) => (i % 2 === 0 ? null : compileSource(part, stageVariables)));
  return (x) => {
    let result = '';
    for (let i = 0; i < parts.length; i++) result += i % 2 === 0 ? parts[i]! : (sources[i]?.(x)[0] ?? '');
    return result;
  };
}
