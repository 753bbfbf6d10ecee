/** API Gateway account settings of one tenant. */
export interface AccountSettings {
  readonly cloudwatchRoleArn: string | null;
  readonly throttle: { readonly ratePerSecond: number; readonly burst: number };
  readonly features: readonly string[];
  /** URLs that take the lines of log groups, by ARN. Absent: none, all log groups are the nodes'. */
  readonly logDestinations?: Readonly<Record<string, string>>;
}

/** API Gateway guide, "Amazon API Gateway quotas": 10,000 requests per second, burst 5,000, per account and Region. */
export const DEFAULT_ACCOUNT_SETTINGS: AccountSettings = {
  cloudwatchRoleArn: null,
  throttle: { ratePerSecond: 10_000, burst: 5_000 },
  features: ['UsagePlans'],
};
