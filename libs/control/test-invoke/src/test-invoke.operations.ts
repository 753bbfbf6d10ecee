import type { ApiGateway } from '@gatehouse/aws-api';
import { poolOfApi } from '@gatehouse/control-publish';
import type { Handlers } from '@gatehouse/control-wire';
import {
  ApiError,
  badRequest,
  type NoTestOutcome,
  type TestInvoker,
  type TestOutcome,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { compileDraft } from './draft.js';

export interface TestInvokeDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly testInvoker: TestInvoker;
}

export type TestInvokeOperations = Handlers<ApiGateway.Operations, 'TestInvokeMethod'>;

/** For everything but the backend. */
const MARGIN_MS = 5_000;
/** RFC 9110 §5.6.2. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// Control characters but the tabulator: by code, since a regular expression with them in it reads badly.
const hasControl = (text: string): boolean => [...text].some((char) => (char < ' ' && char !== '\t') || char === '\u007f');

export function testInvokeOperations({ store, clock, testInvoker }: TestInvokeDependencies): TestInvokeOperations {
  return {
    TestInvokeMethod: async ({ caller }, input) => {
      const headers = readHeaders(input);
      const { draft, pool } = await store.transact(caller.tenant, async (tx) => ({
        draft: await compileDraft(tx, { ...input, apiId: input.restApiId, ...withVariables(input) }, clock.nowMs()),
        pool: await poolOfApi(tx, input.restApiId),
      }));
      const body = Buffer.from(input.body ?? '', 'utf8');
      const outcome = await testInvoker.testInvoke(
        {
          pool,
          snapshot: draft.snapshot,
          httpMethod: verbOf(input.httpMethod, body),
          pathWithQuery: pathOf(input.pathWithQueryString, draft.resource.path),
          headers,
          body,
        },
        draft.integration.timeoutInMillis + MARGIN_MS,
      );
      if (typeof outcome === 'string') throw REFUSALS[outcome]();
      return outcomeToWire(outcome);
    },
  };
}

const withVariables = ({ stageVariables, clientCertificateId }: ApiGateway.TestInvokeMethodRequest) => ({
  stageVariables,
  clientCertificateId,
});

/** The method stands for any verb: what a caller with, or without, a body would use. */
const verbOf = (httpMethod: string, body: Buffer): string =>
  httpMethod !== 'ANY' ? httpMethod : body.length > 0 ? 'POST' : 'GET';

/** Without a path, the resource's own, placeholders and all. */
function pathOf(pathWithQuery = '', resourcePath: string): string {
  if (pathWithQuery === '') return resourcePath;
  return pathWithQuery.startsWith('/') ? pathWithQuery : `/${pathWithQuery}`;
}

/** Name, value, ...; of a name in both maps, the values of the second. */
function readHeaders({ headers = {}, multiValueHeaders = {} }: ApiGateway.TestInvokeMethodRequest): string[] {
  const several = new Set(Object.keys(multiValueHeaders).map((name) => name.toLowerCase()));
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) if (!several.has(name.toLowerCase())) pairs.push([name, value]);
  for (const [name, values] of Object.entries(multiValueHeaders)) for (const value of values) pairs.push([name, value]);
  for (const [name, value] of pairs) {
    if (!HEADER_NAME.test(name) || hasControl(value)) throw badRequest(`Invalid header specified: ${JSON.stringify(name)}`);
  }
  return pairs.flat();
}

/**
 * BadRequest, which is modelled for the operation and which no client repeats by itself: a run that took too long may have reached the
 * backend.
 */
const REFUSALS: Readonly<Record<NoTestOutcome, () => Error>> = {
  NO_NODE: () => badRequest('The method cannot be tested: no node that serves the API is connected to this control plane.'),
  TIMEOUT: () => badRequest('The method cannot be tested: the node did not answer in time. The backend may have been called.'),
  FAILED: () => badRequest('The method cannot be tested: the node could not run it. The backend may have been called.'),
  BUSY: () => new ApiError('TooManyRequestsException', 429, 'Too Many Requests'),
};

function outcomeToWire({ status, headers, body, latencyMs, log }: TestOutcome): ApiGateway.TestInvokeMethodResponse {
  const multiValueHeaders = new Map<string, string[]>();
  for (let i = 0; i < headers.length; i += 2) {
    const values = multiValueHeaders.get(headers[i]!) ?? [];
    multiValueHeaders.set(headers[i]!, [...values, headers[i + 1]!]);
  }
  return {
    status,
    body: Buffer.from(body).toString('utf8'),
    headers: Object.fromEntries([...multiValueHeaders].map(([name, values]) => [name, values.at(-1)!])),
    multiValueHeaders: Object.fromEntries(multiValueHeaders),
    latency: latencyMs,
    log,
  };
}
