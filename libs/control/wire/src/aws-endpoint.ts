/**
 * One HTTP endpoint for API Gateway v1 and v2, Lambda's function API, and GetCallerIdentity and GetSessionToken of STS.
 *
 *   route -> size -> signature -> decode -> handler -> encode
 *                \_________ any refusal __________/-> error, rendered here and nowhere else
 *
 * The service is known by the path, so the signature's scope must name that service. A path that nothing answers is told so
 * only to callers with a valid signature.
 */
import { randomUUID } from 'node:crypto';
import {
  decodeInput,
  encodeError,
  encodeOutput,
  OperationRouter,
  ProtocolError,
  readQuery,
  type OperationMatch,
  type QueryParameter,
  type ServiceModel,
  type WireError,
  type WireResponse,
} from '@gatehouse/aws-api';
import { ApiError, type Caller } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { pathSegments } from '@gatehouse/sigv4';
import type { Authenticator, WireRequest } from './authenticator.js';
import { bodyLimitBytes, bodyTooLarge } from './body-limits.js';
import { OperationNotAvailable } from './not-yet.js';
import { checkedTables, SERVED, type AnyHandler, type OperationTables } from './operation-tables.js';
import { answerSts, readParameters, STS_SIGNING_NAME, stsError, type SessionSource } from './sts.js';

/** Something that should not have happened while answering; for the log. */
export interface EndpointBug {
  readonly error: unknown;
  readonly requestId: string;
  /** `ApiGateway.CreateRestApi`; `null` when it happened before one was found. */
  readonly operation: string | null;
  readonly caller: Caller | null;
}

export interface AwsEndpointDependencies {
  readonly tables: OperationTables;
  readonly authenticator: Authenticator;
  readonly sessions: SessionSource;
  readonly clock: Clock;
  readonly onBug: (bug: EndpointBug) => void;
}

/** What is known of a request so far; an error is rendered and logged with it. */
interface Progress {
  readonly requestId: string;
  match: OperationMatch | null;
  isSts: boolean;
  caller: Caller | null;
}

export class AwsEndpoint {
  private readonly router = new OperationRouter(SERVED);
  private readonly tables: ReadonlyMap<string, ReadonlyMap<string, AnyHandler>>;
  private readonly authenticator: Authenticator;
  private readonly sessions: SessionSource;
  private readonly clock: Clock;
  private readonly onBug: (bug: EndpointBug) => void;

  /** Throws when the tables do not fit the models. */
  constructor({ tables, authenticator, sessions, clock, onBug }: AwsEndpointDependencies) {
    this.tables = checkedTables(tables);
    this.authenticator = authenticator;
    this.sessions = sessions;
    this.clock = clock;
    this.onBug = onBug;
  }

  /** Never rejects. Header names of the answer are lower-case; lengths are left to the HTTP server. */
  async handle(request: WireRequest): Promise<WireResponse> {
    return this.answer((progress) => this.respond(request, progress));
  }

  /** The answer for a request whose body the HTTP server refused to receive any further. */
  async refuseBody(request: Pick<WireRequest, 'method' | 'rawUrl'>): Promise<WireResponse> {
    return this.answer(async (progress) => {
      const { query, segments } = targetOf(request.rawUrl);
      progress.match = this.router.match(request.method, segments, query);
      if (progress.match === null) throw new ApiError('RequestEntityTooLargeException', 413, 'Request body is too large');
      throw bodyTooLarge(progress.match.service, progress.match.operation);
    });
  }

  private async answer(respond: (progress: Progress) => Promise<WireResponse>): Promise<WireResponse> {
    const progress: Progress = { requestId: randomUUID(), match: null, isSts: false, caller: null };
    let response: WireResponse;
    try {
      response = await respond(progress);
    } catch (error) {
      response = this.refuse(error, progress);
    }
    return {
      ...response,
      headers: {
        ...response.headers,
        'x-amzn-requestid': progress.requestId,
        // SDKs correct their own clock by it after "Signature expired".
        date: new Date(this.clock.nowMs()).toUTCString(),
      },
    };
  }

  private async respond(request: WireRequest, progress: Progress): Promise<WireResponse> {
    const { query, segments } = targetOf(request.rawUrl);
    const asked = segments.length === 0 ? readParameters(query, request.headers, request.body) : null;
    if (asked?.has('Action') === true) return this.respondSts(asked, request, progress);

    const match = this.router.match(request.method, segments, query);
    progress.match = match;
    if (match !== null && request.body.length > bodyLimitBytes(match.service, match.operation)) {
      throw bodyTooLarge(match.service, match.operation);
    }
    const services = match === null ? SIGNING_NAMES : [match.service.signingName];
    const caller = await this.authenticator.authenticate(request, services);
    progress.caller = caller;
    if (match === null) throw new ApiError('UnknownOperationException', 404, 'No operation answers to this method and path.');

    const { service, operation, labels } = match;
    const { headers, body } = request;
    const input = decodeInput(service, operation, { labels, query, headers, body });
    const handler = this.tables.get(service.id)!.get(operation.name)!;
    const output = await handler({ caller, requestId: progress.requestId, headers }, input);
    return encodeOutput(service, operation, output);
  }

  private async respondSts(asked: ReadonlyMap<string, string>, request: WireRequest, progress: Progress): Promise<WireResponse> {
    progress.isSts = true;
    const { caller } = await this.authenticator.identify(request, [STS_SIGNING_NAME]);
    progress.caller = caller;
    return answerSts(asked, caller, this.sessions, progress.requestId);
  }

  private refuse(error: unknown, progress: Progress): WireResponse {
    const service = progress.match?.service ?? null;
    const wireError = this.wireErrorOf(error, service, progress);
    return progress.isSts ? stsError(wireError, progress.requestId) : encodeError(service, wireError);
  }

  private wireErrorOf(error: unknown, service: ServiceModel | null, progress: Progress): WireError {
    if (error instanceof ApiError) return error;
    if (error instanceof ProtocolError) return { type: error.type, status: error.status, message: error.message, members: {} };
    if (error instanceof OperationNotAvailable) {
      const type = service?.id === 'Lambda' ? 'InvalidParameterValueException' : 'BadRequestException';
      return { type, status: 400, message: error.message, members: {} };
    }
    const { requestId, match, caller } = progress;
    this.onBug({ error, requestId, operation: match && `${match.service.id}.${match.operation.name}`, caller });
    return INTERNAL_FAILURE;
  }
}

const SIGNING_NAMES = [...new Set(SERVED.map(({ signingName }) => signingName))];
const INTERNAL_FAILURE: WireError = { type: 'InternalFailure', status: 500, message: 'Internal failure', members: {} };

/** Routing sees the segments the signature covers. */
function targetOf(rawUrl: string): { readonly segments: readonly string[]; readonly query: readonly QueryParameter[] } {
  const queryIndex = rawUrl.indexOf('?');
  if (queryIndex < 0) return { segments: pathSegments(rawUrl), query: [] };
  return { segments: pathSegments(rawUrl.slice(0, queryIndex)), query: readQuery(rawUrl.slice(queryIndex + 1)) };
}
