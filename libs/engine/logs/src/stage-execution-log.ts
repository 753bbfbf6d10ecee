/**
 * The execution log of one request of a stage, when it is over: the authorizer, the usage plan, then the execution, as AWS orders them. A
 * request that was refused before it was executed has no lines of execution. The forms were recorded from logs of REST APIs; those of gateway
 * responses are known by their words alone.
 */
import { Buffer } from 'node:buffer';
import type { Exchange, FaultKind, JournalEntry, RequestJournal } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { ExecutionLog, type ExecutionLogOptions } from './execution-log.js';
import { masked, showsNothing } from './masked.js';
import { shownKey } from './shown-key.js';

/** Where a request may end before it is executed: with who calls, or with what its key may do. */
const REFUSED_CALLERS: ReadonlySet<string> = new Set([
  FAULTS.INVALID_SIGNATURE.responseType,
  FAULTS.EXPIRED_TOKEN.responseType,
  FAULTS.MISSING_AUTHENTICATION_TOKEN.responseType,
  FAULTS.UNAUTHORIZED.responseType,
  FAULTS.AUTHORIZER_FAILURE.responseType,
  FAULTS.AUTHORIZER_CONFIGURATION_ERROR.responseType,
  FAULTS.ACCESS_DENIED.responseType,
]);
const REFUSED_KEYS: ReadonlySet<string> = new Set([
  FAULTS.INVALID_API_KEY.responseType,
  FAULTS.QUOTA_EXCEEDED.responseType,
  FAULTS.THROTTLED.responseType,
]);
const isOf = (fault: FaultKind | null, types: ReadonlySet<string>): boolean => fault !== null && types.has(fault.responseType);

export class StageExecutionLog extends ExecutionLog {
  constructor(
    options: ExecutionLogOptions,
    private readonly x: Exchange,
    private readonly shownUri: (url: string) => string,
  ) {
    super(options);
    this.learn(x);
    if (x.apiKeyValue !== null) this.hide([x.apiKeyValue]);
  }

  /** Without a journal, how the request ended is all there is. */
  write(): void {
    const { journal, fault, responseBody } = this.x;
    if (journal !== null) {
      this.add(`Extended Request Id: ${this.x.extendedRequestId}`, this.x.receivedAtMs);
      this.addAuthorizer(journal);
      if (!isOf(fault, REFUSED_CALLERS)) this.addUsagePlan();
      if (!isOf(fault, REFUSED_CALLERS) && !isOf(fault, REFUSED_KEYS)) this.addExecution(journal);
    }
    const body = Buffer.isBuffer(responseBody) ? responseBody : null;
    this.addOutcome(this.x, body);
    if (fault !== null && fault !== FAULTS.CALLER_LEFT) this.addGatewayResponse(fault, body);
    this.addStatus(this.x);
  }

  private addAuthorizer({ entries }: RequestJournal): void {
    for (const entry of entries) this.addAuthorizerEvent(entry);
    if (this.x.fault === FAULTS.UNAUTHORIZED) this.add(`Unauthorized request: ${this.x.requestId}`);
  }

  private addAuthorizerEvent({ atMs, event }: JournalEntry): void {
    switch (event.type) {
      case 'IDENTIFIED':
        this.add(`Starting authorizer: ${event.authorizerId} for request: ${this.x.requestId}`, atMs);
        this.add(`Incoming identity: ${event.identity.map(masked).join(', ')}`, atMs);
        // A source may be as plain as a method: what is short is no secret that others do not hold.
        this.hide(event.identity.filter((value) => !showsNothing(value)));
        break;
      case 'CALLED':
        if (event.target === 'authorizer') this.addCall(event, this.shownUri(event.url), atMs);
        break;
      case 'ANSWERED':
        if (event.target === 'authorizer') this.addAnswer(event, atMs);
        break;
      case 'AUTHORIZED': {
        const hasPolicy = this.x.authorizer?.claims === null;
        if (hasPolicy) this.add(`Using valid authorizer policy for principal: ${masked(event.principalId)}`, atMs);
        this.add('Successfully completed authorizer execution', atMs);
        break;
      }
      default:
    }
  }

  private addUsagePlan(): void {
    const { requestId, route, stage, fault } = this.x;
    const { apiKeyRequired, httpMethod, path } = route!.settings;
    const { apiId, stage: name } = stage!.snapshot;
    const [key, apiStage] = [shownKey(this.x), `${apiId}/${name}`];
    this.add(`Verifying Usage Plan for request: ${requestId}. API Key: ${key} API Stage: ${apiStage}`);
    if (!apiKeyRequired)
      this.add(
        `API Key ${key} authorized because method '${httpMethod} ${path}' does not require API Key. ` +
          'Request will not contribute to throttle or quota limits',
      );
    if (!isOf(fault, REFUSED_KEYS)) this.add(`Usage Plan check succeeded for API Key ${key} and API Stage ${apiStage}`);
  }

  private addExecution(journal: RequestJournal): void {
    const { requestId, httpMethod, resourcePath, receivedAtMs, apiKey, bufferedBody } = this.x;
    this.add(`Starting execution for request: ${requestId}`, receivedAtMs);
    this.add(`HTTP Method: ${httpMethod}, Resource Path: ${resourcePath}`, receivedAtMs);
    if (apiKey !== null) {
      this.add(`API Key: ${shownKey(this.x)}`, receivedAtMs);
      this.add(`API Key ID: ${apiKey.apiKeyId}`, receivedAtMs);
    }
    const received = journal.entries.find(({ event }) => event.type === 'RECEIVED')?.event;
    if (received?.type === 'RECEIVED') this.addRequest(received, received.body ?? bufferedBody, receivedAtMs);
    this.addCalls(journal, this.shownUri, 'backend');
  }

  private addGatewayResponse({ responseType }: FaultKind, body: Uint8Array | null): void {
    this.add(`Gateway response type: ${responseType} with status code: ${this.x.status}`);
    this.addBody('Gateway response body', body);
    this.add(`Gateway response headers: ${this.headersText(this.x.responseHeaders)}`);
  }
}
