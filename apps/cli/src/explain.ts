/** What became of one request, and why. */
import type { ExplainAnswer, ExplainedEvent, Explanation } from '@gatehouse/contracts';
import { pathOf, type AdminCall } from './signed-call.js';

export async function explain(ask: (call: AdminCall) => Promise<unknown>, requestId: string): Promise<ExplainAnswer> {
  return (await ask({ path: pathOf('requests', requestId) })) as ExplainAnswer;
}

export function explainText({ nodeId, explanation }: ExplainAnswer): string {
  const { requestId, receivedAt, request, route, response } = explanation;
  const called = route.resource === null ? 'no route' : `${route.httpMethod} ${route.resource}`;
  return linesOf([
    `${printable(request.httpMethod ?? route.httpMethod ?? '')} ${printable(request.path)}  ->  ${response.status} in ${response.latencyMs} ms, ${response.bodyBytes} bytes`,
    `request ${requestId} of ${printable(request.sourceIp)}, ${receivedAt}, served by ${nodeId}`,
    `route   ${called}, stage ${route.stage} of ${route.apiId}, deployment ${route.deploymentId}`,
    ...callerLines(explanation),
    ...upstreamLines(explanation),
    ...(response.callerLeft ? ['The caller left before the end.'] : []),
    '',
    ...stepLines(explanation),
    ...faultLines(explanation),
    ...detailLines(explanation),
  ]);
}

function callerLines({ caller }: Explanation): string[] {
  const { principalId, authorizer, authorizerLatencyMs, apiKeyId, usagePlanId } = caller;
  const known = [
    ...(principalId === null ? [] : [printable(principalId)]),
    ...(authorizer === 'kept' ? ['by an earlier decision'] : []),
    ...(authorizer === 'asked' ? [`authorizer asked, ${authorizerLatencyMs} ms`] : []),
    ...(apiKeyId === null ? [] : [`key ${apiKeyId}, plan ${usagePlanId}`]),
  ];
  return known.length === 0 ? [] : [`caller  ${known.join(', ')}`];
}

function upstreamLines({ upstream }: Explanation): string[] {
  if (upstream === null) return [];
  const { url, status, startedAfterMs, latencyMs, bodyBytes } = upstream;
  const answer = status === null ? 'no answer' : `${status}${bodyBytes === null ? '' : `, ${bodyBytes} bytes`}`;
  return [`backend ${printable(url)}  ->  ${answer} after ${latencyMs} ms, called ${startedAfterMs} ms after the request came`];
}

const MARKS = { continued: 'ok', responded: 'answered', failed: 'FAILED', 'not run': '-' } as const;

const stepLines = ({ steps }: Explanation): string[] =>
  steps.map(
    ({ half, name, verdict, why }) =>
      `${half.padEnd(8)}  ${name.padEnd(16)}  ${MARKS[verdict]}${why === '' ? '' : `  ${printable(why)}`}`,
  );

function faultLines({ fault }: Explanation): string[] {
  if (fault === null) return [];
  const { name, responseType, source, retry, message } = fault;
  return [
    '',
    `${name} (gateway response ${responseType}): ${printable(message ?? 'no message')}`,
    `to mend by: ${source}; worth another try: ${retry ? 'yes' : 'no'}`,
  ];
}

function detailLines({ detail, fault }: Explanation): string[] {
  if (detail === null) {
    const why = fault === null ? 'the request was none of the sample' : 'too many failed in that second';
    return ['', `No more was kept: ${why}.`];
  }
  const { denial, template, invalidBody, events, isCut } = detail;
  return [
    ...(denial === null ? [] : ['', `denied for ${printable(denial.resource)} ${statementText(denial)}`]),
    ...(template === null
      ? []
      : [
          '',
          `${template.half} template ${printable(template.name)}, line ${template.line}, column ${template.column}: ${printable(template.reason)}`,
          ...(template.input === null ? [] : [`  given ${printable(template.input)}`]),
        ]),
    ...(invalidBody === null ? [] : ['', `the body: ${printable(invalidBody)}`]),
    '',
    ...events.flatMap(eventLines),
    ...(isCut ? ['Something was left out: the request was too large to be remembered whole.'] : []),
  ];
}

const statementText = ({ statementIndex, statement }: { statementIndex: number | null; statement: unknown }): string =>
  statementIndex === null
    ? 'since no statement allows it'
    : `by statement ${statementIndex}: ${printable(JSON.stringify(statement))}`;

/** Name of the event, and its members that say something, one a line. */
function eventLines({ afterMs, type, ...members }: ExplainedEvent): string[] {
  const shown = Object.entries(members).filter(([, value]) => value !== null && value !== '' && !isEmpty(value));
  return [`+${afterMs} ms  ${type}`, ...shown.map(([name, value]) => `  ${name}: ${printable(textOf(value))}`)];
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

/** Name, value, name, value, ... as a caller would write them. */
function textOf(value: unknown): string {
  if (!Array.isArray(value)) return typeof value === 'string' ? value : JSON.stringify(value);
  return value.flatMap((text, i) => (i % 2 === 0 ? [`${String(text)}=${String(value[i + 1])}`] : [])).join('  ');
}

/** A caller's text moves no cursor and ends no line. */
const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`);

const linesOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
