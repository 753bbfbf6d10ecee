import { Controller, Get, Inject, Req, StreamableFile } from '@nestjs/common';
import { Exports } from '@gatehouse/control-exports';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { answerTenant } from './tenant-gate.js';

const exportQuery = z.object({
  type: z.string().default('oas30'),
  extensions: z.string().optional(),
  stage: z.string().optional(),
});

type OfDeployment = FastifyRequest<{ Params: { apiId: string; deploymentId: string } }>;

/** APIs as they were: GetExport knows what stages serve, this knows every deployment. Callers sign as for API Gateway. */
@Controller('admin/v1/apis/:apiId/deployments')
export class ExportsController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(Exports) private readonly exports: Exports,
  ) {}

  /** `?type=oas30&extensions=apigateway&stage=prod`, as YAML where `Accept` says so. With a stage, as it would serve the deployment. */
  @Get(':deploymentId/export')
  export(@Req() request: OfDeployment): Promise<StreamableFile> {
    return answerTenant(this.authenticator, request, async ({ tenant }) => {
      const query = exportQuery.safeParse(request.query);
      if (!query.success) throw badRequest(z.prettifyError(query.error));
      const { stage = null, ...wanted } = query.data;
      const { apiId, deploymentId } = request.params;
      const { fileName, body } = await this.exports.ofDeployment(tenant, apiId, deploymentId, stage, {
        ...wanted,
        accept: request.headers.accept,
      });
      return new StreamableFile(body, { disposition: `attachment; filename="${fileName}"` });
    });
  }
}
