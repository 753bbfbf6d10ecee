/**
 * What a node tells of one request it served, as JSON: from the node over the node protocol to the control plane, and from there to
 * whoever asks. Secrets are hidden before they are kept (docs/explain.md).
 */
export interface Explanation {
  readonly requestId: string;
  /** ISO 8601. */
  readonly receivedAt: string;
  /** `null`: nothing but these facts was kept, since the request was none of the sample and ended without a fault. */
  readonly detail: ExplanationDetail | null;
  readonly route: {
    readonly apiId: string;
    readonly stage: string;
    /** That decided: the canary's, where the request was its. */
    readonly deploymentId: string;
    /** `null`: no route matched. */
    readonly resource: string | null;
    readonly httpMethod: string | null;
  };
  readonly request: {
    readonly httpMethod: string | null;
    /** Without the query. */
    readonly path: string;
    readonly sourceIp: string;
    /** Of the body, as announced; `null` when it was not. */
    readonly bodyBytes: number | null;
  };
  readonly caller: {
    readonly principalId: string | null;
    /** `kept`: an earlier decision was used. `null`: nobody was asked who calls. */
    readonly authorizer: 'kept' | 'asked' | null;
    readonly authorizerLatencyMs: number;
    readonly apiKeyId: string | null;
    readonly usagePlanId: string | null;
  };
  readonly steps: readonly ExplainedStep[];
  /** `null`: the request ended without one. */
  readonly fault: {
    readonly name: string;
    readonly responseType: string;
    /** Who has to act. */
    readonly source: string;
    readonly retry: boolean;
    /** For the caller. */
    readonly message: string | null;
    /** What the node was doing. */
    readonly doing: string;
    readonly cause: string | null;
  } | null;
  /** `null`: no backend was called. */
  readonly upstream: {
    /** Without query and credentials. */
    readonly url: string;
    /** From the head of the request to the call. */
    readonly startedAfterMs: number;
    /** To the head of its answer, or to the failure. */
    readonly latencyMs: number;
    /** `null`: no answer. */
    readonly status: number | null;
    /** Of the answer's body: its length where it was at hand or announced; `null` when only the end told. */
    readonly bodyBytes: number | null;
  } | null;
  readonly response: {
    readonly status: number;
    readonly latencyMs: number;
    /** Of the body, delivered. */
    readonly bodyBytes: number;
    readonly callerLeft: boolean;
  };
}

export interface ExplainedStep {
  readonly half: 'request' | 'response';
  readonly name: string;
  /** `responded`: the rest of the request half was not needed. */
  readonly verdict: 'continued' | 'responded' | 'failed' | 'not run';
  /** What it decided, in words; empty where there is nothing to say beyond the verdict. */
  readonly why: string;
}

export interface ExplanationDetail {
  /** `sampled`: one of the share that is recorded whole. `fault`: as all that fail, within a bound. */
  readonly because: 'sampled' | 'fault';
  /** In their order. */
  readonly events: readonly ExplainedEvent[];
  /** Of a policy that does not let the caller in. */
  readonly denial: { readonly resource: string; readonly statementIndex: number | null; readonly statement: unknown } | null;
  /** Of a template that failed. */
  readonly template: {
    readonly half: 'request' | 'response';
    readonly name: string;
    readonly line: number;
    readonly column: number;
    readonly reason: string;
    readonly input: string | null;
  } | null;
  /** What does not fit its model. */
  readonly invalidBody: string | null;
  readonly response: { readonly headers: readonly string[]; readonly body: string | null };
  /** Something was left out, because there is a bound. */
  readonly isCut: boolean;
}

/** Members beside these by kind: see RequestJournal of engine/exchange. Bodies are text, `null` where they stream. */
export interface ExplainedEvent {
  /** Milliseconds since the request's head. */
  readonly afterMs: number;
  readonly type: string;
  readonly [member: string]: unknown;
}

/** What `GET /admin/v1/requests/{id}` answers. */
export interface ExplainAnswer {
  readonly nodeId: string;
  readonly explanation: Explanation;
}
