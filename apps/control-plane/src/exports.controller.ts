import { Controller, Get, HttpException, Inject, Req, StreamableFile } from '@nestjs/common';
import { Exports } from '@gatehouse/control-exports';
import { Authenticator } from '@gatehouse/control-wire';
import { ApiError, validationError } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { toWireRequest } from './wire-request.js';

const exportQuery = z.object({ type: z.string().default('oas30'), extensions: z.string().optional() });

type ExportDeploymentRequest = FastifyRequest<{ Params: { apiId: string; deploymentId: string } }>;

/** APIs as they were: GetExport knows stages only, this knows every deployment. Callers sign as for API Gateway. */
@Controller('admin/v1/apis/:apiId/deployments')
export class ExportsController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(Exports) private readonly exports: Exports,
  ) {}

  /** `?type=oas30&extensions=apigateway`, as YAML where `Accept` says so. */
  @Get(':deploymentId/export')
  async export(@Req() request: ExportDeploymentRequest): Promise<StreamableFile> {
    try {
      const { tenant } = await this.authenticator.authenticate(toWireRequest(request), ['apigateway']);
      const query = exportQuery.safeParse(request.query);
      if (!query.success) throw validationError(z.prettifyError(query.error));
      const { apiId, deploymentId } = request.params;
      const { fileName, body } = await this.exports.ofDeployment(tenant, apiId, deploymentId, {
        ...query.data,
        accept: request.headers.accept,
      });
      return new StreamableFile(body, { disposition: `attachment; filename="${fileName}"` });
    } catch (error) {
      if (error instanceof ApiError) throw new HttpException({ type: error.type, message: error.message }, error.status);
      throw error;
    }
  }
}
