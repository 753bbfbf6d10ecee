/** What a stage writes of its requests, linked: `null` where it writes nothing. */
import { Buffer } from 'node:buffer';
import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { Exchange, StageLog } from '@gatehouse/engine-exchange';
import { SecretNames, type Clock } from '@gatehouse/kernel';
import { compileAccessFormat } from './access-format.js';
import { oneLine } from './escaping.js';
import { shownUriOf, type ExecutionLogOptions } from './execution-log.js';
import type { LogGroups } from './log-groups.js';
import { StageExecutionLog } from './stage-execution-log.js';

/** The execution log of a route, and what the route must keep for it. */
export interface RouteLog {
  readonly write: StageLog;
  readonly needsJournal: boolean;
  /** Bodies must be there as a whole. */
  readonly needsBodies: boolean;
}

/** API Gateway's limit of an event, and what is left of a longer one. */
const EVENT_BYTES_MAX = 1_024;
const TRUNCATED = ' [TRUNCATED]';
/** Of a canary's log group (data-plane reference §10.2). */
const CANARY_SUFFIX = '/Canary';

export class StageLogs {
  private readonly namesOfStages = new WeakMap<StageSnapshot, SecretNames>();

  constructor(
    private readonly groups: LogGroups,
    private readonly clock: Clock,
    /** Names of secrets beside ours: those of the operator. */
    private readonly secretNames: readonly string[] = [],
  ) {}

  accessLog({ tenant, accessLog }: StageSnapshot): StageLog | null {
    if (accessLog === undefined) return null;
    const { format: text, arn, url = null } = accessLog;
    const group = this.groups.group({ tenant, arn, url, isStamped: false });
    if (group === null) return null;
    const format = compileAccessFormat(text);
    return (x, latencyMs) => group.write(x.receivedAtMs, format(x, latencyMs));
  }

  executionLog(stage: StageSnapshot, { logging }: RouteSnapshot, isCanary: boolean): RouteLog | null {
    const { tenant, executionLog } = stage;
    if (executionLog === undefined || logging === undefined) return null;
    const { arn, url = null } = executionLog;
    const group = this.groups.group({ tenant, arn: isCanary ? `${arn}${CANARY_SUFFIX}` : arn, url, isStamped: true });
    if (group === null) return null;
    const isInfo = logging.level === 'INFO';
    const shownUri = shownUriOf(stage);
    const secretNames = this.namesOf(stage);
    const write = (x: Exchange): void => {
      if (!isInfo && x.fault === null) return;
      const options: ExecutionLogOptions = {
        write: (text, atMs) => group.write(atMs, eventText(x.requestId, text)),
        nowMs: () => this.clock.nowMs(),
        hasBodies: logging.hasDataTrace,
        secretNames,
      };
      new StageExecutionLog(options, x, shownUri).write();
    };
    // Of a request that went wrong, the fault alone is told; what led there is traced on demand.
    return { write, needsJournal: isInfo || logging.hasDataTrace, needsBodies: logging.hasDataTrace };
  }

  /** The routes of a stage share them. */
  private namesOf(stage: StageSnapshot): SecretNames {
    let names = this.namesOfStages.get(stage);
    if (names === undefined) {
      names = new SecretNames([...this.secretNames, ...(stage.explain?.secretNames ?? [])]);
      this.namesOfStages.set(stage, names);
    }
    return names;
  }
}

/** One event is one line; what would end it is escaped. */
function eventText(requestId: string, text: string): string {
  const event = `(${requestId}) ${oneLine(text)}`;
  if (event.length * 3 <= EVENT_BYTES_MAX) return event;
  const bytes = Buffer.from(event, 'utf8');
  if (bytes.length <= EVENT_BYTES_MAX) return event;
  // A character that is cut in two reads as U+FFFD.
  return `${bytes.toString('utf8', 0, EVENT_BYTES_MAX - TRUNCATED.length).replace(/\ufffd$/, '')}${TRUNCATED}`;
}
