import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { ExplainAnswer, Explanation } from '@gatehouse/contracts';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest, notFound, type RequestExplainer, type RequestMemory, type SilenceReason } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { answerTenant } from './tenant-gate.js';
import { REQUEST_EXPLAINER } from './tokens.js';

const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** For all nodes together; what has not answered by then is named. */
const DEADLINE_MS = 3_000;

type OfRequest = FastifyRequest<{ Params: { requestId: string } }>;

/** What became of a request of the last hours, and why. Callers sign as for API Gateway and see the requests of their own APIs. */
@Controller('admin/v1/requests')
export class RequestsController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(REQUEST_EXPLAINER) private readonly explainer: RequestExplainer,
  ) {}

  @Get(':requestId')
  explain(@Req() request: OfRequest): Promise<ExplainAnswer> {
    return answerTenant(this.authenticator, request, async ({ tenant }) => {
      const { requestId } = request.params;
      if (!REQUEST_ID.test(requestId)) throw badRequest('Invalid request id: expected the value of x-amzn-RequestId');
      const memory = await this.explainer.explain(tenant, requestId, DEADLINE_MS);
      if (memory.found === null) throw notFound(notFoundText(memory));
      return { nodeId: memory.found.nodeId, explanation: memory.found.explanation as Explanation };
    });
  }
}

const REASONS: Readonly<Record<SilenceReason, string>> = {
  TIMEOUT: 'did not answer in time',
  BUSY: 'has too many questions to answer',
  FAILED: 'could not answer',
  CANNOT: 'remembers no requests',
  ELSEWHERE: 'is connected to another control plane, which did not answer',
};

/** Says how sure the answer is, and what is kept at all. */
function notFoundText({ asked, silent, keepMinutes, sampleEvery }: RequestMemory): string {
  const count = asked.length === 1 ? '1 node was asked' : `${asked.length} nodes were asked`;
  const details = sampleEvery === 0 ? 'those that fail' : `those that fail and one in ${sampleEvery} of the others`;
  const kept =
    keepMinutes === 0
      ? ''
      : ` Nodes remember every request for ${hours(keepMinutes)}, or less when their memory for it is full, and details of ${details}.`;
  const unasked = silent.map(({ nodeId, reason }) => `${nodeId} ${REASONS[reason]}`).join('; ');
  return `No such request is remembered: ${count}.${kept}${unasked === '' ? '' : ` Of other nodes nothing is known: ${unasked}.`}`;
}

const hours = (minutes: number): string => (minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`);
