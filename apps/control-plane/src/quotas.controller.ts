import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Put, Req } from '@nestjs/common';
import { republishTenant } from '@gatehouse/control-publish';
import {
  AWS_QUOTAS,
  badRequest,
  changeQuotas,
  withDefaults,
  type OwnQuotas,
  type QuotaName,
  type Quotas,
  type TenantId,
  type TenantStore,
} from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperatorGate, readJson } from './operator-gate.js';
import { TENANT_STORE } from './tokens.js';

/** What a tenant may have, and what of it is not AWS's. */
interface TenantQuotas {
  readonly tenant: TenantId;
  readonly quotas: Quotas;
  /** What the operator said; everything else is as on AWS. */
  readonly own: OwnQuotas;
}

/** How much of everything a tenant may have; for the operator. A change holds from the next call on, on every control plane. */
@Controller('admin/v1/tenants/:tenant/quotas')
export class QuotasController {
  constructor(
    @Inject(OperatorGate) private readonly operator: OperatorGate,
    @Inject(TENANT_STORE) private readonly store: TenantStore,
  ) {}

  @Get()
  read(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<TenantQuotas> {
    return this.change(request, tenant, (own) => own);
  }

  /** The quotas in the body, and AWS's for all others. */
  @Put()
  replace(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: unknown): Promise<TenantQuotas> {
    return this.change(request, tenant, () => changeQuotas({}, readQuotas(body)));
  }

  /** The quotas in the body; `null` returns one to AWS's, the others stay. */
  @Patch()
  patch(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: unknown): Promise<TenantQuotas> {
    return this.change(request, tenant, (own) => changeQuotas(own, readQuotas(body)));
  }

  /** Back to AWS's. */
  @Delete()
  @HttpCode(200)
  clear(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<TenantQuotas> {
    return this.change(request, tenant, () => ({}));
  }

  private change(request: FastifyRequest, tenant: string, decide: (own: OwnQuotas) => OwnQuotas): Promise<TenantQuotas> {
    return this.operator.answer(request, tenant, async (id) => {
      const { present, own } = await this.store.transact(id, async (tx) => {
        const before = await tx.quotas.lock();
        const after = decide(before);
        if (after !== before) await tx.quotas.write(after);
        return { present: before, own: after };
      });
      // It stands in snapshots. Also where the number is the same: whoever was interrupted here sets it again.
      if (own !== present && (own.payloadBytes ?? present.payloadBytes) !== undefined) await republishTenant(this.store, id);
      return { tenant: id, quotas: withDefaults(own), own };
    });
  }
}

function readQuotas(body: unknown): Readonly<Record<string, unknown>> {
  const example = `{"resources": ${AWS_QUOTAS.resources * 2}}` satisfies `{"${QuotaName}": ${number}}`;
  const read = z.record(z.string(), z.unknown()).safeParse(readJson(body, example));
  if (!read.success) throw badRequest(`Invalid body: expected JSON like ${example}`);
  return read.data;
}
