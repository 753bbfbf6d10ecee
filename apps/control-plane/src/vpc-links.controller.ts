import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Put, Req } from '@nestjs/common';
import { VpcLinks } from '@gatehouse/control-backend-access';
import { republishTenant } from '@gatehouse/control-publish';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest, readPrivateTargets, type PrivateTargets, type TenantId, type TenantStore } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperatorGate, readJson } from './operator-gate.js';
import { answerTenant } from './tenant-gate.js';
import { TENANT_STORE } from './tokens.js';
import { toWireRequest } from './wire-request.js';

/** Where a VPC link leads; no targets: nowhere. */
interface TargetsReport {
  readonly vpcLinkId: string;
  readonly targets: readonly string[];
  readonly tlsName: string | null;
  readonly setBy: 'OPERATOR' | 'TENANT' | null;
}

const EXAMPLE = '{"targets": ["10.0.0.5:8080"], "tlsName": "inner.example.com"}';
const targetsBody = z.strictObject({ targets: z.array(z.string()), tlsName: z.string().nullable().default(null) });

/**
 * What VPC links lead to, where AWS has load balancers. A tenant's own targets are reached by the rules for his backends; the operator's
 * may be private. A change is published to all stages of the tenant.
 */
@Controller('admin/v1')
export class VpcLinksController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(OperatorGate) private readonly operator: OperatorGate,
    @Inject(VpcLinks) private readonly links: VpcLinks,
    @Inject(TENANT_STORE) private readonly store: TenantStore,
  ) {}

  @Get('vpc-links/:id/targets')
  read(@Req() request: FastifyRequest, @Param('id') id: string): Promise<TargetsReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.report(tenant, id));
  }

  @Put('vpc-links/:id/targets')
  put(@Req() request: FastifyRequest, @Param('id') id: string): Promise<TargetsReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) =>
      this.set(tenant, id, readTargets(toWireRequest(request).body, false), false),
    );
  }

  @Delete('vpc-links/:id/targets')
  @HttpCode(200)
  remove(@Req() request: FastifyRequest, @Param('id') id: string): Promise<TargetsReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.set(tenant, id, null, false));
  }

  @Get('tenants/:tenant/vpc-links/:id/targets')
  readFor(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Param('id') id: string): Promise<TargetsReport> {
    return this.operator.answer(request, tenant, (owner) => this.report(owner, id));
  }

  @Put('tenants/:tenant/vpc-links/:id/targets')
  putFor(
    @Req() request: FastifyRequest,
    @Param('tenant') tenant: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<TargetsReport> {
    return this.operator.answer(request, tenant, (owner) => this.set(owner, id, readTargets(body, true), true));
  }

  @Delete('tenants/:tenant/vpc-links/:id/targets')
  @HttpCode(200)
  removeFor(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Param('id') id: string): Promise<TargetsReport> {
    return this.operator.answer(request, tenant, (owner) => this.set(owner, id, null, true));
  }

  private async set(tenant: TenantId, id: string, targets: PrivateTargets | null, isOperator: boolean): Promise<TargetsReport> {
    await this.links.setTargets(tenant, id, targets, isOperator);
    // Also where they are the same: whoever was interrupted here sets them again.
    await republishTenant(this.store, tenant);
    return this.report(tenant, id);
  }

  private async report(tenant: TenantId, vpcLinkId: string): Promise<TargetsReport> {
    const mapped = await this.links.targets(tenant, vpcLinkId);
    if (mapped === null) return { vpcLinkId, targets: [], tlsName: null, setBy: null };
    const targets = mapped.targets.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);
    return { vpcLinkId, targets, tlsName: mapped.tlsName, setBy: mapped.isOperators ? 'OPERATOR' : 'TENANT' };
  }
}

function readTargets(body: unknown, isOperators: boolean): PrivateTargets {
  const read = targetsBody.safeParse(readJson(body, EXAMPLE));
  if (!read.success) throw badRequest(`Invalid body: expected JSON like ${EXAMPLE}`);
  return readPrivateTargets(read.data.targets, read.data.tlsName, isOperators);
}
