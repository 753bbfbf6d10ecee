import { Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { StageAdmin, type DiffView, type HistoryView, type RepointedView, type StageView } from '@gatehouse/control-deployments';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readJson } from './operator-gate.js';
import { answerTenant } from './tenant-gate.js';
import { toWireRequest } from './wire-request.js';

const diffQuery = z.object({ from: z.string(), to: z.string() });
const historyQuery = z.object({ position: z.string().optional(), limit: z.coerce.number().int().min(1).optional() });
const rollbackBody = z.strictObject({ deploymentId: z.string().optional() });
const previewBody = z.strictObject({ stageName: z.string(), like: z.string().optional() });

type OfApi = FastifyRequest<{ Params: { apiId: string } }>;
type OfStage = FastifyRequest<{ Params: { apiId: string; stageName: string } }>;
type OfDeployment = FastifyRequest<{ Params: { apiId: string; deploymentId: string } }>;

/** What is saved and not deployed, what a stage had, and the ways back. Callers sign as for API Gateway and see their own APIs. */
@Controller('admin/v1/apis/:apiId')
export class StagesController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(StageAdmin) private readonly stages: StageAdmin,
  ) {}

  /** `from` and `to`: `draft`, `stage:{name}` or the id of a deployment. */
  @Get('diff')
  diff(@Req() request: OfApi): Promise<DiffView> {
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const { from, to } = read(diffQuery, request.query);
      return this.stages.diff(tenant, request.params.apiId, from, to);
    });
  }

  /** How much each stage lacks of what is saved. */
  @Get('stages')
  list(@Req() request: OfApi): Promise<{ stages: readonly StageView[] }> {
    return answerTenant(this.authenticator, request, async ({ tenant }) => ({
      stages: await this.stages.stages(tenant, request.params.apiId),
    }));
  }

  /** The same of one stage, change by change. */
  @Get('stages/:stageName')
  find(@Req() request: OfStage): Promise<StageView> {
    const { apiId, stageName } = request.params;
    return answerTenant(this.authenticator, request, ({ tenant }) => this.stages.stage(tenant, apiId, stageName));
  }

  @Get('stages/:stageName/history')
  history(@Req() request: OfStage): Promise<HistoryView> {
    const { apiId, stageName } = request.params;
    return answerTenant(this.authenticator, request, ({ tenant }) =>
      this.stages.history(tenant, apiId, stageName, read(historyQuery, request.query)),
    );
  }

  /** To the deployment in the body, or to the one before the present. `x-gatehouse-wait: live` waits for the nodes. */
  @Post('stages/:stageName/rollback')
  @HttpCode(200)
  rollBack(@Req() request: OfStage): Promise<RepointedView> {
    const { apiId, stageName } = request.params;
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const { headers, body } = toWireRequest(request);
      const { deploymentId = null } = body.length === 0 ? {} : read(rollbackBody, readJson(body, '{"deploymentId": "abc123"}'));
      return this.stages.rollBack(tenant, apiId, stageName, deploymentId, headers);
    });
  }

  /** A stage on which the deployment can be called, beside those that serve. */
  @Post('deployments/:deploymentId/preview')
  @HttpCode(200)
  preview(@Req() request: OfDeployment): Promise<RepointedView> {
    const { apiId, deploymentId } = request.params;
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const { headers, body } = toWireRequest(request);
      const wanted = read(previewBody, readJson(body, '{"stageName": "preview"}'));
      return this.stages.preview(tenant, apiId, deploymentId, wanted, headers);
    });
  }
}

function read<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (!result.success) throw badRequest(z.prettifyError(result.error));
  return result.data;
}
