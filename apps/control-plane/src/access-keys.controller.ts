import { Controller, Delete, Get, HttpCode, Inject, Patch, Post, Put, Req } from '@nestjs/common';
import { AccessKeys, type AccessKeyReport, type NewAccessKey, type PolicyReport } from '@gatehouse/control-tenants';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readJson } from './operator-gate.js';
import { answerTenant } from './tenant-gate.js';
import { toWireRequest } from './wire-request.js';

const createBody = z.strictObject({ userName: z.string(), management: z.boolean().default(false) });
const changeBody = z.strictObject({ enabled: z.boolean() });

type OfKey = FastifyRequest<{ Params: { accessKeyId: string } }>;
type OfUser = FastifyRequest<{ Params: { userName: string } }>;

/** Who calls APIs with AWS_IAM, where AWS has IAM. Callers sign as for API Gateway and see their own tenant's. */
@Controller('admin/v1')
export class AccessKeysController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(AccessKeys) private readonly accessKeys: AccessKeys,
  ) {}

  @Get('access-keys')
  list(@Req() request: FastifyRequest): Promise<{ accessKeys: readonly AccessKeyReport[] }> {
    return answerTenant(this.authenticator, request, async ({ tenant }) => ({ accessKeys: await this.accessKeys.list(tenant) }));
  }

  /** The secret is in this answer alone. Without `management` the key opens nothing but APIs. */
  @Post('access-keys')
  @HttpCode(201)
  create(@Req() request: FastifyRequest): Promise<NewAccessKey> {
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const { userName, management } = read(createBody, request, '{"userName": "ann"}');
      return this.accessKeys.create(tenant, userName, management);
    });
  }

  @Patch('access-keys/:accessKeyId')
  change(@Req() request: OfKey): Promise<AccessKeyReport> {
    return answerTenant(this.authenticator, request, (caller) => {
      const { enabled } = read(changeBody, request, '{"enabled": false}');
      return this.accessKeys.enable(caller, request.params.accessKeyId, enabled);
    });
  }

  @Delete('access-keys/:accessKeyId')
  @HttpCode(204)
  remove(@Req() request: OfKey): Promise<void> {
    return answerTenant(this.authenticator, request, (caller) => this.accessKeys.remove(caller, request.params.accessKeyId));
  }

  @Get('users/:userName/policy')
  policy(@Req() request: OfUser): Promise<PolicyReport> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.accessKeys.policy(tenant, request.params.userName));
  }

  /** The body is the policy document itself. */
  @Put('users/:userName/policy')
  putPolicy(@Req() request: OfUser): Promise<PolicyReport> {
    return answerTenant(this.authenticator, request, (caller) =>
      this.accessKeys.putPolicy(caller, request.params.userName, json(request, '{"Version": "2012-10-17", "Statement": []}')),
    );
  }

  @Delete('users/:userName/policy')
  @HttpCode(204)
  removePolicy(@Req() request: OfUser): Promise<void> {
    return answerTenant(this.authenticator, request, ({ tenant }) =>
      this.accessKeys.removePolicy(tenant, request.params.userName),
    );
  }
}

const json = (request: FastifyRequest, example: string): unknown => readJson(toWireRequest(request).body, example);

function read<T>(schema: z.ZodType<T>, request: FastifyRequest, example: string): T {
  const result = schema.safeParse(json(request, example));
  if (!result.success) throw badRequest(z.prettifyError(result.error));
  return result.data;
}
