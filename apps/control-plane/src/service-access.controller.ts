import { Controller, Delete, Get, HttpCode, Inject, Param, Put, Req } from '@nestjs/common';
import { ServiceAccessAdmin, type RoleReport, type ServiceReport } from '@gatehouse/control-backend-access';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { answerTenant } from './tenant-gate.js';
import { toWireRequest } from './wire-request.js';

const serviceBody = z.strictObject({ endpoint: z.string(), region: z.string().nullable().default(null) });
const roleBody = z.strictObject({
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  sessionToken: z.string().nullable().default(null),
});
const SERVICE_EXAMPLE = '{"endpoint": "http://10.0.0.5:8000", "region": "us-east-1"}';
const ROLE_EXAMPLE = '{"accessKeyId": "AKIA...", "secretAccessKey": "...", "sessionToken": null}';

/** Where AWS services are, and what signs calls to them, for integrations of type AWS. Callers sign as for API Gateway; theirs alone. */
@Controller('admin/v1')
export class ServiceAccessController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(ServiceAccessAdmin) private readonly access: ServiceAccessAdmin,
  ) {}

  @Get('services')
  services(@Req() request: FastifyRequest): Promise<{ services: readonly ServiceReport[] }> {
    return answerTenant(this.authenticator, request, async ({ tenant }) => ({ services: await this.access.services(tenant) }));
  }

  @Get('services/:service')
  service(@Req() request: FastifyRequest, @Param('service') service: string): Promise<ServiceReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.access.service(tenant, service));
  }

  @Put('services/:service')
  putService(@Req() request: FastifyRequest, @Param('service') service: string): Promise<ServiceReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const { endpoint, region } = readBody(request, serviceBody, SERVICE_EXAMPLE);
      return this.access.putService(tenant, service, endpoint, region);
    });
  }

  @Delete('services/:service')
  @HttpCode(204)
  removeService(@Req() request: FastifyRequest, @Param('service') service: string): Promise<void> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.access.removeService(tenant, service));
  }

  @Get('roles')
  roles(@Req() request: FastifyRequest): Promise<{ roles: readonly RoleReport[] }> {
    return answerTenant(this.authenticator, request, async ({ tenant }) => ({ roles: await this.access.roles(tenant) }));
  }

  /** A role with a path has its slashes escaped: `service-role%2Forders`. */
  @Get('roles/:name')
  role(@Req() request: FastifyRequest, @Param('name') name: string): Promise<RoleReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.access.role(tenant, name));
  }

  @Put('roles/:name')
  putRole(@Req() request: FastifyRequest, @Param('name') name: string): Promise<RoleReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) =>
      this.access.putRole(tenant, name, readBody(request, roleBody, ROLE_EXAMPLE)),
    );
  }

  @Delete('roles/:name')
  @HttpCode(204)
  removeRole(@Req() request: FastifyRequest, @Param('name') name: string): Promise<void> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.access.removeRole(tenant, name));
  }
}

/** A refusal never quotes the body: a secret may be in it. */
function readBody<T>(request: FastifyRequest, schema: z.ZodType<T>, example: string): T {
  const refusal = badRequest(`Invalid body: expected JSON like ${example}`);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(toWireRequest(request).body).toString('utf8'));
  } catch {
    throw refusal;
  }
  const read = schema.safeParse(json);
  if (!read.success) throw refusal;
  return read.data;
}
