/**
 * How the control plane and the nodes call the function runner: Lambda's own Invoke
 * (`POST /2015-03-31/functions/{name or ARN}/invocations?Qualifier=`), plus these headers.
 * Answers: 200 with the payload (and X-Amz-Function-Error when the function failed), or Lambda's modelled errors
 * (404 ResourceNotFoundException, 403 AccessDeniedException, 429 TooManyRequestsException, 413 RequestTooLargeException).
 *
 * `POST /2021-11-15/functions/{name or ARN}/response-streaming-invocations` answers with the payload as it comes, in chunks; not in the event
 * stream that Lambda puts around it. A payload that breaks off is a connection that does; a function that fails, or does not stream, is
 * answered as above.
 */
export const INVOKE_HEADERS = {
  /** `Bearer <node token>`. */
  authorization: 'authorization',
  /** `Event`, `RequestResponse` (default) or `DryRun`. */
  invocationType: 'x-amz-invocation-type',
  /** `Tail` asks for the last 4 KB of log in X-Amz-Log-Result. */
  logType: 'x-amz-log-type',
  logResult: 'x-amz-log-result',
  functionError: 'x-amz-function-error',
  executedVersion: 'x-amz-executed-version',
  requestId: 'x-amzn-requestid',
  clientContext: 'x-amz-client-context',
  traceId: 'x-amzn-trace-id',
  /** Who calls: `apigateway.amazonaws.com`, or an account id. The function's resource policy is checked against it. */
  sourcePrincipal: 'x-gatehouse-source-principal',
  /** `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{METHOD}{path}`; absent for calls by the owner. */
  sourceArn: 'x-gatehouse-source-arn',
  sourceAccount: 'x-gatehouse-source-account',
  /** Manifest revision the runner should have reached before it answers: a caller sees its own writes. */
  minRevision: 'x-gatehouse-min-revision',
} as const;

/** Lambda's synchronous payload limit, both directions, in bytes. */
export const INVOKE_PAYLOAD_BYTES_MAX = 6 * 1024 * 1024;
