/**
 * The log of a test run:
 *
 *   Execution log for request {id}
 *   Sat Nov 21 18:00:41 UTC 2026 : Starting execution for request: {id}
 *   ...
 */
import { ExecutionLog } from '@gatehouse/engine-logs';
import type { Clock } from '@gatehouse/kernel';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export class TestLog extends ExecutionLog {
  private readonly lines: string[];

  /** `what`: `execution`, or which authorizer. */
  constructor(requestId: string, clock: Clock, what = 'execution') {
    const lines = [`Execution log for request ${requestId}`];
    super({
      write: (text, atMs) => void lines.push(`${dateText(new Date(atMs))} : ${text}`),
      nowMs: () => clock.nowMs(),
      hasBodies: true,
    });
    this.lines = lines;
    this.add(`Starting ${what} for request: ${requestId}`);
  }

  /** Ends with the end of a line. */
  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }
}

function dateText(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())} ${time} UTC ${date.getUTCFullYear()}`;
}
