/** What supervisor and worker say to each other. The channel keeps order and loses nothing while both live. */
import type {
  ExplainQuestion,
  ExplainReply,
  LeaseBookState,
  ManifestChange,
  Refusal,
  Report,
  TestInvokeAnswer,
  TestInvokeRequest,
} from '@gatehouse/engine-control-link';
import type { QuotaAnswer, QuotaQuestion, QuotaRecall, RateAnswer, RateQuestion } from '@gatehouse/engine-limits';
import type { MetricsPage } from '@gatehouse/telemetry';

export type ToWorker =
  /** Answered by `applied`. */
  | { readonly kind: 'change'; readonly id: number; readonly change: ManifestChange }
  /** Once: opens the journal in `folder` and listens. Answered by `serving` or `failed`. */
  | { readonly kind: 'serve'; readonly port: number; readonly epoch: number; readonly folder: string }
  /** Whether the control plane is reached: without it no lease can be had, and what is counted stays in the worker's current file. */
  | { readonly kind: 'connected'; readonly isConnected: boolean }
  /** After `connected`, and when it changes. */
  | { readonly kind: 'books'; readonly state: LeaseBookState }
  | { readonly kind: 'blob'; readonly digest: string; readonly isOnDisk: boolean }
  | { readonly kind: 'grant'; readonly answer: QuotaAnswer }
  | { readonly kind: 'rates'; readonly answers: readonly RateAnswer[] }
  /** Answered by `recalled`. */
  | { readonly kind: 'recall'; readonly recall: QuotaRecall }
  /** The report of that name in the worker's journal arrived. */
  | { readonly kind: 'receipt'; readonly sequence: number }
  /** Answered by `page`. */
  | { readonly kind: 'page'; readonly id: number }
  /** Answered by `tested`. */
  | { readonly kind: 'test'; readonly id: number; readonly request: TestInvokeRequest }
  /** Answered by `explained`. */
  | { readonly kind: 'explain'; readonly id: number; readonly question: ExplainQuestion }
  /** Answered by `pong`, unless the worker is stuck. */
  | { readonly kind: 'ping' }
  /** Answer what is under way, report, end. */
  | { readonly kind: 'stop' };

export type FromWorker =
  /** Listens to the channel. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'applied'; readonly id: number; readonly refusals: readonly Refusal[] }
  | { readonly kind: 'serving' }
  | { readonly kind: 'pong' }
  /** It ends for this reason. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The blob is absent or damaged on disk; answered by `blob`. */
  | { readonly kind: 'wantBlob'; readonly digest: string }
  | { readonly kind: 'question'; readonly question: QuotaQuestion }
  | { readonly kind: 'rateQuestions'; readonly questions: readonly RateQuestion[] }
  | {
      readonly kind: 'recalled';
      readonly recall: QuotaRecall;
      readonly left: { readonly counted: number; readonly allowedTotal: number };
    }
  /** Its usage is that of a closed file of the worker's journal, under that file's name. */
  | { readonly kind: 'report'; readonly report: Report }
  /** `answer` is `null` when `failure` says why there is none. */
  | { readonly kind: 'tested'; readonly id: number; readonly answer: TestInvokeAnswer | null; readonly failure: string }
  | { readonly kind: 'explained'; readonly id: number; readonly reply: ExplainReply }
  /** The parts of a page in order, then `null`. */
  | { readonly kind: 'page'; readonly id: number; readonly part: MetricsPage | null };
