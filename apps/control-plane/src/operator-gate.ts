import { createHash, timingSafeEqual } from 'node:crypto';
import { HttpException } from '@nestjs/common';
import { ApiError, badRequest, notFound, tenantId, type TenantDirectory, type TenantId } from '@gatehouse/domain';
import type { Secret } from '@gatehouse/kernel';
import type { FastifyRequest } from 'fastify';

/**
 * What the operator alone may do, for any tenant. He shows GATEHOUSE_OPERATOR_TOKEN (`authorization: Bearer ...`): tenants sign with
 * credentials of their own, and none of them opens this.
 */
export class OperatorGate {
  constructor(
    /** `null`: nobody is the operator. */
    private readonly token: Secret | null,
    private readonly directory: TenantDirectory,
  ) {}

  /** Answers with what `work` gives, if the operator asks and there is such a tenant. */
  async answer<T>(request: FastifyRequest, tenant: string, work: (id: TenantId) => Promise<T>): Promise<T> {
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

/** The body of an admin call; BadRequest shows `example` when it is no JSON. */
export function readJson(body: unknown, example: string): unknown {
  try {
    return JSON.parse(body instanceof Uint8Array ? Buffer.from(body).toString() : '') as unknown;
  } catch {
    throw badRequest(`Invalid body: expected JSON like ${example}`);
  }
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();
