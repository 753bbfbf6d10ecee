/** What a stage writes of its requests. */
import type { LogGroupSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { AccountSettings, Stage } from '@gatehouse/domain';

interface LogInput {
  readonly stage: Stage;
  readonly account: AccountSettings;
}

/** Half a setting writes nothing. */
export function compileAccessLog({ stage: { accessLogSettings }, account }: LogInput): Pick<StageSnapshot, 'accessLog'> {
  const { format = null, destinationArn = null } = accessLogSettings ?? {};
  return format === null || destinationArn === null ? {} : { accessLog: { format, ...logGroup(destinationArn, account) } };
}

function logGroup(arn: string, { logDestinations = {} }: AccountSettings): LogGroupSnapshot {
  const url = Object.hasOwn(logDestinations, arn) ? logDestinations[arn] : undefined;
  return url === undefined ? { arn } : { arn, url };
}
