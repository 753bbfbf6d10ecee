/** What a stage writes of its requests, linked: asked once per stage, `null` for one that writes nothing. */
import type { StageSnapshot } from '@gatehouse/contracts';
import type { StageLog } from '@gatehouse/engine-exchange';
import { compileAccessFormat } from './access-format.js';
import type { LogGroups } from './log-groups.js';

export class StageLogs {
  constructor(private readonly groups: LogGroups) {}

  accessLog({ tenant, accessLog }: StageSnapshot): StageLog | null {
    if (accessLog === undefined) return null;
    const { format: text, arn, url = null } = accessLog;
    const group = this.groups.group({ tenant, arn, url, isStamped: false });
    if (group === null) return null;
    const format = compileAccessFormat(text);
    return (x, latencyMs) => group.write(x.receivedAtMs, format(x, latencyMs));
  }
}
