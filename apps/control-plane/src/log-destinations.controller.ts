import { Body, Controller, Get, Inject, Param, Patch, Put, Req } from '@nestjs/common';
import { republishTenant } from '@gatehouse/control-publish';
import { Authenticator } from '@gatehouse/control-wire';
import { badRequest, changeLogDestinations, type TenantId, type TenantStore } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { OperatorGate, readJson } from './operator-gate.js';
import { answerTenant } from './tenant-gate.js';
import { TENANT_STORE } from './tokens.js';
import { toWireRequest } from './wire-request.js';

/** URL by ARN of a log group or a delivery stream. */
interface LogDestinations {
  readonly destinations: Readonly<Record<string, string>>;
}

type Decide = (present: Readonly<Record<string, string>>) => Readonly<Record<string, string>>;

const EXAMPLE = '{"arn:aws:logs:us-east-1:123456789012:log-group:/api/dev": "https://logs.example.com/in"}';

/** Which log groups lead to a URL; all others are the nodes'. A change is published to all stages of the tenant. */
@Controller('admin/v1')
export class LogDestinationsController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(OperatorGate) private readonly operator: OperatorGate,
    @Inject(TENANT_STORE) private readonly store: TenantStore,
  ) {}

  @Get('log-destinations')
  read(@Req() request: FastifyRequest): Promise<LogDestinations> {
    return answerTenant(this.authenticator, request, ({ tenant }) => this.change(tenant, (present) => present));
  }

  /** Those in the body, and no others. */
  @Put('log-destinations')
  replace(@Req() request: FastifyRequest): Promise<LogDestinations> {
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const wanted = readBody(toWireRequest(request).body);
      return this.change(tenant, () => changeLogDestinations({}, wanted));
    });
  }

  /** Those in the body; `null` takes a URL away, the others stay. */
  @Patch('log-destinations')
  patch(@Req() request: FastifyRequest): Promise<LogDestinations> {
    return answerTenant(this.authenticator, request, ({ tenant }) => {
      const changes = readBody(toWireRequest(request).body);
      return this.change(tenant, (present) => changeLogDestinations(present, changes));
    });
  }

  @Get('tenants/:tenant/log-destinations')
  readFor(@Req() request: FastifyRequest, @Param('tenant') tenant: string): Promise<LogDestinations> {
    return this.operator.answer(request, tenant, (owner) => this.change(owner, (present) => present));
  }

  @Put('tenants/:tenant/log-destinations')
  replaceFor(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: unknown): Promise<LogDestinations> {
    return this.operator.answer(request, tenant, (owner) => this.change(owner, () => changeLogDestinations({}, readBody(body))));
  }

  @Patch('tenants/:tenant/log-destinations')
  patchFor(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: unknown): Promise<LogDestinations> {
    return this.operator.answer(request, tenant, (owner) =>
      this.change(owner, (present) => changeLogDestinations(present, readBody(body))),
    );
  }

  private async change(tenant: TenantId, decide: Decide): Promise<LogDestinations> {
    const { present, destinations } = await this.store.transact(tenant, async (tx) => {
      const account = await tx.account.read();
      const before = account.logDestinations ?? {};
      const after = decide(before);
      if (after !== before) await tx.account.write({ ...account, logDestinations: after });
      return { present: before, destinations: after };
    });
    // Also where they are the same: whoever was interrupted here sets them again.
    if (destinations !== present) await republishTenant(this.store, tenant);
    return { destinations };
  }
}

function readBody(body: unknown): Readonly<Record<string, unknown>> {
  const read = z.record(z.string(), z.unknown()).safeParse(readJson(body, EXAMPLE));
  if (!read.success) throw badRequest(`Invalid body: expected JSON like ${EXAMPLE}`);
  return read.data;
}
