import type { Explanation } from '@gatehouse/contracts';

/** What the node remembers of a request; see Explain in the node protocol. */
export interface ExplainQuestion {
  readonly tenant: string;
  readonly requestId: string;
}

export interface ExplainReply {
  /** `null`: nothing of that id and tenant. */
  readonly explanation: Explanation | null;
  readonly keepMinutes: number;
  /** 0 for none. */
  readonly sampleEvery: number;
}
