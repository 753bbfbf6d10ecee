/** What a stage writes of its requests. */
import type { LogGroupSnapshot, RouteLogging, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { AccountSettings, MethodSetting, Stage } from '@gatehouse/domain';

interface LogInput {
  readonly tenant: string;
  readonly region: string;
  readonly stage: Stage;
  readonly account: AccountSettings;
}

type StageLogging = Pick<StageSnapshot, 'accessLog' | 'executionLog'>;

export function compileLogs(input: LogInput, routes: readonly RouteSnapshot[]): StageLogging {
  const hasExecutionLog = routes.some(({ logging }) => logging !== undefined);
  return { ...accessLog(input), ...(hasExecutionLog && { executionLog: logGroup(executionLogArn(input), input.account) }) };
}

/** What the stage says of the method. Bodies without a level are traced nowhere, as on AWS. */
export function compileLogging(setting: MethodSetting | undefined): { readonly logging?: RouteLogging } {
  const level = setting?.loggingLevel;
  return level === 'ERROR' || level === 'INFO' ? { logging: { level, hasDataTrace: setting!.dataTraceEnabled } } : {};
}

/** Half a setting writes nothing. */
function accessLog({ stage: { accessLogSettings }, account }: LogInput): StageLogging {
  const { format = null, destinationArn = null } = accessLogSettings ?? {};
  return format === null || destinationArn === null ? {} : { accessLog: { format, ...logGroup(destinationArn, account) } };
}

/** Data-plane reference §10.2: with an underscore, as AWS's own are. */
function executionLogArn({ tenant, region, stage: { apiId, stageName } }: LogInput): string {
  return `arn:aws:logs:${region}:${tenant}:log-group:API-Gateway-Execution-Logs_${apiId}/${stageName}`;
}

function logGroup(arn: string, { logDestinations = {} }: AccountSettings): LogGroupSnapshot {
  const url = Object.hasOwn(logDestinations, arn) ? logDestinations[arn] : undefined;
  return url === undefined ? { arn } : { arn, url };
}
