/** Lambda's Invoke, apart from HTTP: who may call which version, and how the call is run. */
import { mayInvoke, type Source } from './access.js';
import type { AsyncCalls } from './async-calls.js';
import type { FunctionCatalog, PublishedFunction } from './catalog.js';
import { Throttled, type Environments } from './environments.js';
import { functionArn, type FunctionReference } from './function-name.js';
import type { Invocation, Outcome, PayloadSink } from './invocation.js';
import { accessDenied, functionNotFound, invalidContent, Refusal, requestTooLarge, tooManyRequests } from './refusal.js';

export type InvocationType = 'RequestResponse' | 'Event' | 'DryRun';

export interface InvokeRequest {
  readonly requestId: string;
  readonly reference: FunctionReference;
  readonly type: InvocationType;
  /** `null`: the owner. */
  readonly source: Source | null;
  readonly event: Buffer;
  readonly clientContext: string | null;
  readonly traceId: string | null;
  /** The caller has seen this revision; `null` for any. */
  readonly minRevision: number | null;
  /** As in an invocation. */
  readonly sink?: PayloadSink | null;
  /** Aborted when the caller is gone. */
  readonly left: AbortSignal;
}

export interface InvokeAnswer {
  readonly executedVersion: string;
  /** `null` for DryRun and Event. */
  readonly outcome: Outcome | null;
  readonly logTail: Buffer;
}

export interface InvokeSettings {
  /** Stands in the ARNs of functions that do not exist. */
  readonly region: string;
  /** How long a call waits for the revision its caller has seen. */
  readonly catchUpMs: number;
}

/** Lambda's limit for asynchronous payloads, in bytes. */
const EVENT_BYTES_MAX = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

export class FunctionInvoker {
  constructor(
    private readonly catalog: FunctionCatalog,
    private readonly environments: Environments,
    private readonly asyncCalls: AsyncCalls,
    private readonly settings: InvokeSettings,
  ) {}

  /** Throws Refusal. */
  async invoke(request: InvokeRequest): Promise<InvokeAnswer> {
    const { requestId, type, reference } = request;
    const isCaughtUp = request.minRevision === null || (await this.catalog.reached(request.minRevision, this.settings.catchUpMs));
    const event = readEvent(request.event);
    const fn = this.permitted(request, isCaughtUp);
    const executedVersion = fn.entry.version;
    if (type === 'DryRun') return { executedVersion, outcome: null, logTail: NOTHING };
    const invocation: Invocation = { ...request, functionArn: arnOf(fn, reference.qualifier), event };
    if (type === 'Event') {
      this.accept(fn, request, invocation);
      return { executedVersion, outcome: null, logTail: NOTHING };
    }
    try {
      const { outcome, logTail } = await this.environments.invoke(fn, invocation, request.left);
      return { executedVersion, outcome, logTail };
    } catch (cause) {
      if (cause instanceof Throttled) throw tooManyRequests(cause.reason);
      throw new Error(`call ${requestId} of ${fn.id} could not be run`, { cause });
    }
  }

  private accept(fn: PublishedFunction, { requestId, reference, event }: InvokeRequest, invocation: Invocation): void {
    if (event.length > EVENT_BYTES_MAX) throw requestTooLarge(EVENT_BYTES_MAX);
    const { tenant, functionName } = fn.entry;
    const run = async (): Promise<Outcome> => {
      const present = this.catalog.find(tenant, functionName, reference.qualifier);
      if (present === null) throw functionNotFound(invocation.functionArn);
      return (await this.environments.invoke(present, invocation, null)).outcome;
    };
    if (!this.asyncCalls.accept(requestId, event.length, run)) throw tooManyRequests('CallerRateLimitExceeded');
  }

  private permitted({ reference, source }: InvokeRequest, isCaughtUp: boolean): PublishedFunction {
    const { account, functionName, qualifier } = reference;
    const owner = account ?? ownAccount(source);
    if (owner === null)
      throw new Refusal('InvalidParameterValueException', 400, 'The function name must be an ARN or come with its account.');
    const fn = this.catalog.find(owner, functionName, qualifier);
    const arn = fn === null ? functionArn(this.settings.region, owner, functionName, qualifier) : arnOf(fn, qualifier);
    // Strangers learn nothing about what exists: a function that is not there refuses them like one that does not know them.
    const isStranger = source !== null && source.principal !== owner && source.account !== owner;
    if (fn === null && isStranger) throw accessDenied(source.principal, arn);
    if (fn === null && !isCaughtUp) {
      throw new Refusal(
        'ResourceConflictException',
        409,
        `The operation cannot be performed at this time. The function is currently in the following state: Pending`,
      );
    }
    if (fn === null) throw functionNotFound(arn);
    if (!mayInvoke(fn.entry, qualifier, source)) throw accessDenied(source?.principal ?? '', arn);
    return fn;
  }
}

const ownAccount = (source: Source | null): string | null => {
  if (source === null) return null;
  return /^\d{12}$/.test(source.principal) ? source.principal : source.account;
};

function arnOf({ entry }: PublishedFunction, qualifier: string | null): string {
  return functionArn(entry.region, entry.tenant, entry.functionName, qualifier);
}

/** JSON as it came; nothing at all is an empty object. */
function readEvent(bytes: Buffer): Buffer {
  if (bytes.length === 0) return Buffer.from('{}');
  try {
    JSON.parse(bytes.toString());
    return bytes;
  } catch (cause) {
    throw invalidContent(`Could not parse request body into json: ${(cause as Error).message}`);
  }
}
