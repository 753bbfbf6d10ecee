import type {
  ApiKeyEntry,
  RouteSnapshot,
  StageSnapshot,
  ThrottleSettings,
  UsagePlanEntry,
  ServiceEndpointEntry,
} from '@gatehouse/contracts';
import type { Secret } from '@gatehouse/kernel';
import type { Exchange } from './exchange.js';
import type { FaultResponder, Program } from './program.js';
import type { Verdict } from './verdict.js';

/** A usage plan as the request path asks it. */
export interface UsagePlanView {
  readonly settings: UsagePlanEntry;
  /** Method throttles (`/pets/{id}/GET` to settings) when the plan covers the stage, else `null`. */
  methodThrottles(apiId: string, stage: string): ReadonlyMap<string, ThrottleSettings> | null;
}

/** Who signs with an access key. */
export interface AccessKeyView {
  readonly accessKeyId: string;
  /** The account that it belongs to: not always the API's. */
  readonly tenant: string;
  readonly principalArn: string;
  readonly userId: string;
  /** JSON text of what the principal may do; `null` for none. */
  readonly policy: string | null;
  /** `null` for a long-lived key. */
  readonly session: SessionView | null;
  /** What SigV4 signs with on that day (`yyyymmdd`) in that region for `execute-api`; `null` when it is not at hand. */
  signingKey(date: string, region: string): Uint8Array | null;
}

/** What a request that is signed with temporary credentials has to show. */
export interface SessionView {
  /** SHA-256 in hex. */
  readonly tokenDigest: string;
  readonly expiresAtMs: number;
  /** Id of the access key without which the session is not there, either. */
  readonly madeBy: string;
}

/** How a tenant's integrations reach AWS services. */
export interface ServiceAccessView {
  /** Of `s3` or `runtime.sagemaker`; `null` where AWS has it. */
  endpoint(service: string): ServiceEndpointEntry | null;
  /** `null` for a role without credentials. */
  role(name: string): RoleCredentials | null;
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secret: Secret;
  readonly sessionToken: Secret | null;
}

/** Where callers of private APIs come from. */
export interface VpcEndpointView {
  readonly vpceId: string;
  readonly vpcId: string;
}

/** Everything a node serves at one revision. Immutable; a request asks the one it started with and no other. */
export interface WorldView {
  readonly revision: number;
  apiKey(tenant: string, valueDigest: string): ApiKeyEntry | null;
  usagePlan(tenant: string, usagePlanId: string): UsagePlanView | null;
  /** Of any tenant; `null` for one that is not enabled. */
  accessKey(accessKeyId: string): AccessKeyView | null;
  /** `null` for a tenant of whom nothing is known. */
  serviceAccess(tenant: string): ServiceAccessView | null;
}

/** A custom domain name. */
export interface DomainNameView {
  match(path: string): MappedPath | null;
}

/** Where a path of a custom domain name leads. */
export interface MappedPath {
  /** Without slashes around it; empty when the mapping has none. */
  readonly basePath: string;
  readonly apiId: string;
  /** `null`: the first segment of `rest` names it. */
  readonly stage: string | null;
  /** The path behind the base path; empty, or starting with a slash. */
  readonly rest: string;
}

/** Where finished requests of one method are counted. `integrationLatencyMs` is negative when no backend was called. */
export interface RequestMetrics {
  record(status: number, latencyMs: number, integrationLatencyMs: number, nowMs: number): void;
  /** A request that was answered from the cache, or was not, though its route has one. */
  recordCache?(isHit: boolean, nowMs: number): void;
}

/** Writes what a stage's owner wants to have of a finished request. `latencyMs`: to the end of the answer. */
export type StageLog = (x: Exchange, latencyMs: number) => void;

export interface LinkedRoute {
  readonly settings: RouteSnapshot;
  /** Names of the values in `x.params`. */
  readonly paramNames: readonly string[];
  readonly program: Program;
  readonly metrics: RequestMetrics;
  /** `null`, or absent: its owner wants none. */
  readonly executionLog?: StageLog | null;
}

export interface LinkedStage {
  readonly digest: string;
  readonly snapshot: StageSnapshot;
  /** Whether this is the canary of its stage; `null` for a stage that has none. */
  readonly isCanary: boolean | null;
  /** What a share of the stage's requests is served by: `match` chooses it and puts it into `x.stage`. */
  readonly canary: LinkedStage | null;
  /** Whether callers of an address are turned away; `null`, or absent: nobody is. */
  readonly isBlocked?: ((sourceIp: string) => boolean) | null;
  /**
   * Of a request that has no route: CONTINUE, or a fault; whom it admits is told that nothing is there. `null`, or absent: nobody is
   * told that.
   */
  readonly admitUnrouted?: ((x: Exchange) => Verdict) | null;
  /** For faults of a request that has no route. */
  readonly faults: FaultResponder;
  /** For requests that have no route. */
  readonly metrics: RequestMetrics;
  /** `null`, or absent: its owner wants none. */
  readonly accessLog?: StageLog | null;
  /** Fills `x.params`; `x.stage` is this stage, and may be its canary afterwards. */
  match(x: Exchange): LinkedRoute | null;
}
