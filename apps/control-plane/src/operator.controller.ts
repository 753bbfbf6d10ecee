import { createHash, timingSafeEqual } from 'node:crypto';
import { Body, Controller, Delete, Get, HttpCode, HttpException, Inject, Param, Put, Req } from '@nestjs/common';
import { placeTenant } from '@gatehouse/control-publish';
import {
  ApiError,
  badRequest,
  checkPool,
  DEFAULT_POOL,
  notFound,
  tenantId,
  type TenantDirectory,
  type TenantId,
  type TenantStore,
} from '@gatehouse/domain';
import type { Secret } from '@gatehouse/kernel';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OPERATOR_TOKEN, TENANT_DIRECTORY, TENANT_STORE } from './tokens.js';

const placementBody = z.strictObject({ pool: z.string() });

/** Where the tenant is served; `isDefault` when nothing is said and the pool is everybody's. */
interface Placement {
  readonly tenant: TenantId;
  readonly pool: string;
  readonly isDefault: boolean;
}

/**
 * What the operator alone may do, for any tenant. He shows GATEHOUSE_OPERATOR_TOKEN (`authorization: Bearer ...`): tenants sign with
 * credentials of their own, and none of them opens this.
 */
@Controller('admin/v1/tenants/:tenant/placement')
export class OperatorController {
  constructor(
    @Inject(OPERATOR_TOKEN) private readonly token: Secret | null,
    @Inject(TENANT_DIRECTORY) private readonly directory: TenantDirectory,
    @Inject(TENANT_STORE) private readonly store: TenantStore,
  ) {}

  @Get()
  read(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<Placement> {
    return this.answer(request, tenant, async (id) => {
      const pool = await this.store.transact(id, (tx) => tx.placement.read());
      return placementOf(id, pool);
    });
  }

  /** Sends all the tenant has published to nodes of the pool, and lets the others forget it. The pool may be without nodes. */
  @Put()
  place(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: unknown): Promise<Placement> {
    return this.answer(request, tenant, (id) => this.write(id, readPool(body)));
  }

  /** Back to the default pool. */
  @Delete()
  @HttpCode(200)
  clear(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<Placement> {
    return this.answer(request, tenant, (id) => this.write(id, null));
  }

  private async write(id: TenantId, pool: string | null): Promise<Placement> {
    await this.store.transact(id, async (tx) => {
      if ((await tx.placement.lock()) === pool) return;
      await tx.placement.write(pool);
      await placeTenant(tx);
    });
    return placementOf(id, pool);
  }

  private async answer<T>(request: FastifyRequest, tenant: string, work: (id: TenantId) => Promise<T>): Promise<T> {
    try {
      this.admit(request.headers.authorization);
      const isId = /^\d{12}$/.test(tenant);
      if (!isId || (await this.directory.find(tenantId(tenant))) === null) throw notFound(`No tenant ${JSON.stringify(tenant)}`);
      return await work(tenantId(tenant));
    } catch (error) {
      if (error instanceof ApiError) throw new HttpException({ type: error.type, message: error.message }, error.status);
      throw error;
    }
  }

  private admit(authorization: string | undefined): void {
    if (authorization === undefined)
      throw new ApiError('MissingAuthenticationTokenException', 403, 'Missing Authentication Token');
    if (this.token === null)
      throw new ApiError('AccessDeniedException', 403, 'No operator is known: GATEHOUSE_OPERATOR_TOKEN is not set');
    if (!timingSafeEqual(digestOf(authorization), digestOf(`Bearer ${this.token.reveal()}`)))
      throw new ApiError('AccessDeniedException', 403, 'Only the operator may do this: expected the operator token');
  }
}

const placementOf = (tenant: TenantId, pool: string | null): Placement => ({
  tenant,
  pool: pool ?? DEFAULT_POOL,
  isDefault: pool === null,
});

function readPool(body: unknown): string {
  let json: unknown;
  try {
    json = JSON.parse(body instanceof Uint8Array ? Buffer.from(body).toString() : '');
  } catch {
    throw badRequest('Invalid body: expected JSON like {"pool": "eu"}');
  }
  const read = placementBody.safeParse(json);
  if (!read.success) throw badRequest(z.prettifyError(read.error));
  return checkPool(read.data.pool, 'value for /pool');
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
