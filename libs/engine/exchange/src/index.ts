export { BodyTooLarge, limitStream, readAll, STREAM_BODY, type BodyMode, type RequestBody, type ResponseBody } from './body.js';
export {
  FunctionError,
  type CallerPresence,
  type Connector,
  type FailureReason,
  type UpstreamAnswer,
  type UpstreamFailure,
  type UpstreamRequest,
  type UpstreamWay,
} from './connector.js';
export { authorizerVariables, clfTime, contextVariable, domainPrefix, type ContextVariable } from './context-variables.js';
export {
  AUTHORIZER_ASKED,
  AUTHORIZER_KEPT,
  AUTHORIZER_NONE,
  Exchange,
  ExchangePool,
  type AuthorizedCaller,
  type ResponseOverrides,
} from './exchange.js';
export type { FaultKind } from './fault.js';
export { HeaderBlock } from './header-block.js';
export {
  allHeaders,
  exactHeaders,
  headerText,
  isHeaderName,
  isHeaderToken,
  lastHeader,
  mappedResponseHeaderName,
  mediaType,
  removeHeader,
  requestMediaType,
  setHeader,
  type RawHeaders,
} from './headers.js';
export {
  noteCall,
  noteOutcome,
  noteReceived,
  RequestJournal,
  type CallTarget,
  type JournalEntry,
  type JournalEvent,
  type JournalKeeper,
} from './journal.js';
export { InvalidBody } from './invalid-body.js';
export {
  LinkRefusal,
  proceed,
  runProgram,
  settleProgram,
  startProgram,
  untilOver,
  type FaultResponder,
  type Program,
  type RouteSettings,
  type Step,
  type StepFactory,
  type StepNames,
} from './program.js';
export { queryValues } from './query.js';
export { compileSource, rawPathParam, type Source } from './sources.js';
export { TemplateFailure } from './template-failure.js';
export { bytesOfText, latin1Of } from './text-bytes.js';
export { PolicyDenial } from './policy-denial.js';
export { CONTINUE, FAULT, PENDING, RESPOND, type Verdict } from './verdict.js';
export type {
  AccessKeyView,
  SessionView,
  DomainNameView,
  LinkedRoute,
  LinkedStage,
  MappedPath,
  RequestMetrics,
  StageLog,
  RoleCredentials,
  ServiceAccessView,
  UsagePlanView,
  VpcEndpointView,
  WorldView,
} from './views.js';
export type { RequestTrace } from './trace.js';
export { mayHaveTrailers, passedTrailers, type TrailedBody } from './trailers.js';
export { BODY_BYTES_MAX, WholeAnswers } from './whole-answers.js';
