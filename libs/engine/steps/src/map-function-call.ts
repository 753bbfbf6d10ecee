/**
 * `AWS` integrations with a function (data-plane reference §3.3, §3.11): the event is what a template makes of the request, or the body
 * itself; an answer is mapped, and so is a failure of the function's own code.
 *
 * Of mapped headers those reach the function that Lambda's Invoke knows; others have no meaning to it, and ours say who calls.
 */
import { INVOKE_HEADERS, type FunctionIntegrationSnapshot } from '@gatehouse/contracts';
import {
  CONTINUE,
  FunctionError,
  headerText,
  lastHeader,
  STREAM_BODY,
  type Connector,
  type RouteSettings,
  type UpstreamAnswer,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { FORBIDDEN_SERVICE_TARGETS, putMapped } from './forwarded-headers.js';
import { callerOf } from './function-caller.js';
import { BROKEN_JSON, parseBody } from './json-body.js';
import type { RequestMapping } from './map-request.js';
import type { BodyOf } from './map-response.js';
import { compileMappings, readSource } from './parameter-mapping.js';
import { compilePayload, type Surroundings } from './request-payload.js';

const INVOKE_SETTINGS: ReadonlySet<string> = new Set<string>([
  INVOKE_HEADERS.invocationType,
  INVOKE_HEADERS.logType,
  INVOKE_HEADERS.clientContext,
]);

/** A function is called with an event, if an empty one. */
const NO_EVENT = Buffer.from('{}');

/** Throws LinkRefusal. */
export function mapFunctionCall(
  settings: RouteSettings,
  integration: FunctionIntegrationSnapshot,
  around: Surroundings,
): RequestMapping {
  const { stage } = settings;
  if (integration.httpMethod !== 'POST') {
    return {
      step: (x) => x.fail(FAULTS.INVALID_ENDPOINT, null, 'invoking a function by a verb other than POST'),
      body: STREAM_BODY,
    };
  }
  const mappings = compileMappings(integration.requestParameters, stage.stageVariables);
  const isForbidden = mappings.headers.some(({ lowerName }) => FORBIDDEN_SERVICE_TARGETS.has(lowerName));
  const headerMappings = mappings.headers.filter(({ lowerName }) => INVOKE_SETTINGS.has(lowerName));
  const payloadOf = compilePayload(settings, integration, around, mappings.usesBody);
  const callerHeaders = callerOf(settings, integration.account);
  return {
    body: { type: 'buffer', reason: 'a function is called with its whole event' },
    step: (x) => {
      if (isForbidden) return x.fail(FAULTS.FORBIDDEN_HEADER_MAPPING, null, 'mapping a header that the gateway writes itself');
      const payload = payloadOf(x);
      if (typeof payload === 'number') return payload;
      const headers = [...callerHeaders];
      if (x.trace !== null) headers.push('traceparent', x.trace.traceparent);
      for (const { name, lowerName, source } of headerMappings) {
        const text = headerText(readSource(source, x, payload.parsed).at(-1) ?? '');
        if (text !== null && text !== '') putMapped(headers, name, lowerName, text);
      }
      for (const [name, value] of payload.overrides?.requestHeaders ?? []) {
        const lowerName = name.toLowerCase();
        const text = INVOKE_SETTINGS.has(lowerName) ? headerText(value) : null;
        if (text !== null) putMapped(headers, name, lowerName, text);
      }
      x.upstreamRequest = {
        httpMethod: 'POST',
        url: integration.functionArn,
        tenant: stage.tenant,
        traceId: x.traceId,
        block: null,
        headers,
        body: payload.bytes.length === 0 ? NO_EVENT : payload.bytes,
        timeoutMs: integration.timeoutMs,
      };
      return CONTINUE;
    },
  };
}

/** The same functions, for whom a failure of the function's own code is an answer like others. */
export function answeringErrors(functions: Connector): Connector {
  return {
    async call(request, caller) {
      const outcome = await functions.call(request, caller);
      // Names of headers come in lower case from the runner, whatever Lambda calls them.
      if (!('failure' in outcome)) return { ...outcome, isHttp2: true };
      const { failure, cause } = outcome;
      if (failure !== 'FUNCTION_ERROR' || !(cause instanceof FunctionError)) return outcome;
      return { status: 200, headers: [INVOKE_HEADERS.functionError, cause.kind], isHttp2: true, body: cause.payload };
    },
  };
}

/** What selection patterns are held against: empty for a success, which `.*` matches and `.+` does not. */
export function errorMessageOf(answer: UpstreamAnswer): string {
  if (lastHeader(answer.headers, INVOKE_HEADERS.functionError) === null) return '';
  return new FunctionError('', answer.body as Buffer).errorMessage ?? '';
}

/** Of a failure, the message is what mappings read, if it is JSON itself. */
export const bodyOfFunction: BodyOf = (answer, payload) => {
  const message = errorMessageOf({ ...answer, body: payload });
  const said = message === '' ? BROKEN_JSON : parseBody(Buffer.from(message, 'utf8'));
  return said !== BROKEN_JSON && 'json' in said ? said : parseBody(payload);
};
