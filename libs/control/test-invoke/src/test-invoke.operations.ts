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
import { unreachable, type Clock } from '@gatehouse/kernel';
import { compileAuthorizerDraft, compileDraft } from './draft.js';

export interface TestInvokeDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly testInvoker: TestInvoker;
}

export type TestInvokeOperations = Handlers<ApiGateway.Operations, 'TestInvokeMethod' | 'TestInvokeAuthorizer'>;

/** For everything but the backend. */
const MARGIN_MS = 5_000;
/** That of nodes (engine/steps). */
const AUTHORIZER_TIMEOUT_MS = 29_000;
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
          authorizerId: null,
        },
        draft.integration.timeoutInMillis + MARGIN_MS,
      );
      if (typeof outcome === 'string') throw refusal(outcome, 'method');
      return outcomeToWire(outcome);
    },

    TestInvokeAuthorizer: async ({ caller }, input) => {
      const { restApiId: apiId, authorizerId, stageVariables, additionalContext = {} } = input;
      const headers = readHeaders(input);
      const request = { apiId, authorizerId, stageVariables, additionalContext };
      const { snapshot, pool } = await store.transact(caller.tenant, async (tx) => ({
        snapshot: await compileAuthorizerDraft(tx, request, clock.nowMs()),
        pool: await poolOfApi(tx, apiId),
      }));
      const outcome = await testInvoker.testInvoke(
        {
          pool,
          snapshot,
          httpMethod: 'GET',
          pathWithQuery: pathOf(input.pathWithQueryString, '/'),
          headers,
          body: Buffer.from(input.body ?? '', 'utf8'),
          authorizerId,
        },
        AUTHORIZER_TIMEOUT_MS + MARGIN_MS,
      );
      if (typeof outcome === 'string') throw refusal(outcome, 'authorizer');
      return authorizerOutcomeToWire(outcome);
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

type HeaderMaps = Pick<ApiGateway.TestInvokeMethodRequest, 'headers' | 'multiValueHeaders'>;

/** Name, value, ...; of a name in both maps, the values of the second. */
function readHeaders({ headers = {}, multiValueHeaders = {} }: HeaderMaps): string[] {
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
function refusal(outcome: NoTestOutcome, what: 'method' | 'authorizer'): Error {
  const called = `The ${what === 'method' ? 'backend' : 'function'} may have been called.`;
  const untested = (reason: string): Error => badRequest(`The ${what} cannot be tested: ${reason}`);
  switch (outcome) {
    case 'NO_NODE':
      return untested('no node that serves the API is connected to this control plane.');
    case 'TIMEOUT':
      return untested(`the node did not answer in time. ${called}`);
    case 'FAILED':
      return untested(`the node could not run it. ${called}`);
    case 'BUSY':
      return new ApiError('TooManyRequestsException', 429, 'Too Many Requests');
    default:
      return unreachable(outcome);
  }
}

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

/** What a node says of an authorizer that answered (TestInvokeResult of the node protocol). */
type AuthorizerAnswer = FunctionAnswer | { readonly claims: Readonly<Record<string, string>> };

interface FunctionAnswer {
  readonly principalId: string;
  readonly policyDocument: unknown;
  readonly context: Readonly<Record<string, string | number | boolean>>;
}

/** An authorizer that answered succeeded, whatever its policy says. */
function authorizerOutcomeToWire({ status, body, latencyMs, log }: TestOutcome): ApiGateway.TestInvokeAuthorizerResponse {
  const outcome = { clientStatus: status, log, latency: latencyMs };
  if (status !== 0) return outcome;
  const answer = JSON.parse(Buffer.from(body).toString('utf8')) as AuthorizerAnswer;
  if ('claims' in answer) return { ...outcome, claims: answer.claims };
  const { principalId, policyDocument, context } = answer;
  const authorization = Object.fromEntries(Object.entries(context).map(([name, value]) => [name, [String(value)]]));
  return { ...outcome, principalId, policy: JSON.stringify(policyDocument), authorization };
}
