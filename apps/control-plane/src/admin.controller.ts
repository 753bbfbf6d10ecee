import { Controller, Get, HttpException, Inject, Req } from '@nestjs/common';
import type { Diagnostic } from '@gatehouse/compiler';
import { DEFAULT_POOL, poolOfLabels } from '@gatehouse/contracts';
import {
  metricStatistics,
  queryMetrics,
  queryUsage,
  type MetricSeries,
  type MetricStatistics,
  type UsagePage,
} from '@gatehouse/control-metering';
import type { NodeAdmin, RolloutReport } from '@gatehouse/control-nodes';
import { diagnoseDomainNames, diagnoseStage, poolOfApi } from '@gatehouse/control-publish';
import { Authenticator } from '@gatehouse/control-wire';
import {
  ApiError,
  badRequest,
  notFound,
  POOL_TAG,
  type Caller,
  type MetricPeriod,
  type NodeRecord,
  type TenantStore,
} from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { CLOCK, NODE_ADMIN, TENANT_STORE } from './tokens.js';
import { toWireRequest } from './wire-request.js';

const DEFAULT_RANGE_MS = 3_600_000;

const metricsQuery = z.object({
  apiId: z.string().min(1),
  stage: z.string().optional(),
  resource: z.string().optional(),
  httpMethod: z.string().optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
  period: z.enum(['MINUTE', 'HOUR', 'DAY']).default('MINUTE'),
});

const time = z.iso.datetime({ offset: true });
/** Lists are separated by commas. */
const statisticsQuery = z.object({
  metricName: z.string(),
  apiName: z.string().min(1),
  stage: z.string().optional(),
  resource: z.string().optional(),
  method: z.string().optional(),
  startTime: time.optional(),
  endTime: time.optional(),
  period: z.coerce.number().int().default(60),
  statistics: z.string().transform((text) => text.split(',')),
});

const usageQuery = z.object({ from: z.string(), to: z.string(), position: z.string().optional() });

/** The admin API. Callers sign as for API Gateway and see their own tenant only. */
@Controller('admin/v1')
export class AdminController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(NODE_ADMIN) private readonly nodes: NodeAdmin,
    @Inject(TENANT_STORE) private readonly store: TenantStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('rollouts/:deploymentId')
  rollout(@Req() request: FastifyRequest<{ Params: { deploymentId: string } }>): Promise<RolloutReport> {
    return this.answer(request, async ({ tenant }) => {
      const report = await this.nodes.rolloutOf(tenant, request.params.deploymentId);
      if (report === null) throw notFound('Invalid Deployment identifier specified');
      return report;
    });
  }

  /** Warnings of the compiler: `path` names the place as an operator knows it, e.g. `/pets/{id} GET integration.uri`. */
  @Get('apis/:apiId/stages/:stageName/diagnostics')
  diagnostics(
    @Req() request: FastifyRequest<{ Params: { apiId: string; stageName: string } }>,
  ): Promise<{ diagnostics: readonly Diagnostic[] }> {
    return this.answer(request, async ({ tenant }) => {
      const { diagnostics, pool, isTagged } = await this.store.transact(tenant, async (tx) => {
        const stage = await tx.stages.find(request.params);
        if (stage === null) throw notFound('Invalid stage identifier specified');
        const api = await tx.restApis.find(stage.apiId);
        return {
          diagnostics: [...(await diagnoseStage(tx, stage)), ...(await diagnoseDomainNames(tx, stage))],
          pool: await poolOfApi(tx, stage.apiId),
          isTagged: Boolean(api?.tags[POOL_TAG]),
        };
      });
      return { diagnostics: [...diagnostics, ...(await this.diagnosePool(pool, isTagged))] };
    });
  }

  @Get('nodes')
  listNodes(@Req() request: FastifyRequest): Promise<{ nodes: NodeRecord[] }> {
    return this.answer(request, async () => ({ nodes: await this.nodes.listNodes() }));
  }

  @Get('metrics')
  metrics(@Req() request: FastifyRequest): Promise<MetricSeries> {
    return this.answer(request, async ({ tenant }) => {
      const query = metricsQuery.safeParse(request.query);
      if (!query.success) throw badRequest(z.prettifyError(query.error));
      const { from, to, period, ...filters } = query.data;
      const end = to === undefined ? new Date(this.clock.nowMs()) : new Date(to);
      const start = from === undefined ? new Date(end.getTime() - DEFAULT_RANGE_MS) : new Date(from);
      return queryMetrics(this.store, tenant, { ...filters, from: start, to: end, period: period satisfies MetricPeriod });
    });
  }

  /** As CloudWatch's GetMetricStatistics answers, of the namespace AWS/ApiGateway; the last hour when no time is said. */
  @Get('metric-statistics')
  metricStatistics(@Req() request: FastifyRequest): Promise<MetricStatistics> {
    return this.answer(request, async ({ tenant }) => {
      const query = statisticsQuery.safeParse(request.query);
      if (!query.success) throw badRequest(z.prettifyError(query.error));
      const { startTime, endTime, period, ...rest } = query.data;
      const end = endTime === undefined ? new Date(this.clock.nowMs()) : new Date(endTime);
      const start = startTime === undefined ? new Date(end.getTime() - DEFAULT_RANGE_MS) : new Date(startTime);
      return metricStatistics(this.store, tenant, { ...rest, periodSeconds: period, startTime: start, endTime: end });
    });
  }

  /** What was counted, by plan, key and day; `position` asks for the next page. */
  @Get('usage')
  usage(@Req() request: FastifyRequest): Promise<UsagePage> {
    return this.answer(request, async ({ tenant }) => {
      const query = usageQuery.safeParse(request.query);
      if (!query.success) throw badRequest(z.prettifyError(query.error));
      return queryUsage(this.store, tenant, query.data);
    });
  }

  /** A pool without nodes is allowed, and its API is served by nobody. */
  private async diagnosePool(pool: string, isTagged: boolean): Promise<Diagnostic[]> {
    if (pool === DEFAULT_POOL) return [];
    const nodes = await this.nodes.listNodes();
    const isServed = nodes.some((node) => node.connected && node.role === 'DATA_PLANE' && poolOfLabels(node.labels) === pool);
    if (isServed) return [];
    return [
      {
        severity: 'warning',
        path: isTagged ? `tags.${POOL_TAG}` : 'placement of the tenant',
        message: `no node of pool "${pool}" is connected: nobody serves this stage`,
      },
    ];
  }

  private async answer<T>(request: FastifyRequest, work: (caller: Caller) => Promise<T>): Promise<T> {
    try {
      return await work(await this.authenticator.authenticate(toWireRequest(request), ['apigateway']));
    } catch (error) {
      if (error instanceof ApiError) throw new HttpException({ type: error.type, message: error.message }, error.status);
      throw error;
    }
  }
}
