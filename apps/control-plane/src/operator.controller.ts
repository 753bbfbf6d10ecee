import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Put, Req } from '@nestjs/common';
import { placeTenant } from '@gatehouse/control-publish';
import { badRequest, checkPool, DEFAULT_POOL, type TenantId, type TenantStore } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperatorGate, readJson } from './operator-gate.js';
import { TENANT_STORE } from './tokens.js';

const placementBody = z.strictObject({ pool: z.string() });

/** Where the tenant is served; `isDefault` when nothing is said and the pool is everybody's. */
interface Placement {
  readonly tenant: TenantId;
  readonly pool: string;
  readonly isDefault: boolean;
}

/** Where a tenant is served; for the operator. */
@Controller('admin/v1/tenants/:tenant/placement')
export class OperatorController {
  constructor(
    @Inject(OperatorGate) private readonly operator: OperatorGate,
    @Inject(TENANT_STORE) private readonly store: TenantStore,
  ) {}

  @Get()
  read(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<Placement> {
    return this.operator.answer(request, tenant, async (id) => {
      const pool = await this.store.transact(id, (tx) => tx.placement.read());
      return placementOf(id, pool);
    });
  }

  /** Sends all the tenant has published to nodes of the pool, and lets the others forget it. The pool may be without nodes. */
  @Put()
  place(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: unknown): Promise<Placement> {
    return this.operator.answer(request, tenant, (id) => this.write(id, readPool(body)));
  }

  /** Back to the default pool. */
  @Delete()
  @HttpCode(200)
  clear(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<Placement> {
    return this.operator.answer(request, tenant, (id) => this.write(id, null));
  }

  private async write(id: TenantId, pool: string | null): Promise<Placement> {
    await this.store.transact(id, async (tx) => {
      if ((await tx.placement.lock()) === pool) return;
      await tx.placement.write(pool);
      await placeTenant(tx);
    });
    return placementOf(id, pool);
  }
}

const placementOf = (tenant: TenantId, pool: string | null): Placement => ({
  tenant,
  pool: pool ?? DEFAULT_POOL,
  isDefault: pool === null,
});

function readPool(body: unknown): string {
  const read = placementBody.safeParse(readJson(body, '{"pool": "eu"}'));
  if (!read.success) throw badRequest(z.prettifyError(read.error));
  return checkPool(read.data.pool, 'value for /pool');
}
