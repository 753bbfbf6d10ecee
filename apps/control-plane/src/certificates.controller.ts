import { Controller, Delete, Get, HttpCode, HttpException, Inject, Put, Req } from '@nestjs/common';
import { Certificates, type CertificateReport } from '@gatehouse/control-domain-names';
import { Authenticator } from '@gatehouse/control-wire';
import { ApiError, pageRequest, validationError, type Caller } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { toWireRequest } from './wire-request.js';

const certificateBody = z.object({ certificate: z.string(), chain: z.string().default(''), privateKey: z.string() });
const pageQuery = z.object({ position: z.string().optional(), limit: z.coerce.number().optional() });

/** Certificates of custom domain names, where AWS has ACM. Callers sign as for API Gateway and see their own tenant's. */
@Controller('admin/v1/certificates')
export class CertificatesController {
  constructor(
    @Inject(Authenticator) private readonly authenticator: Authenticator,
    @Inject(Certificates) private readonly certificates: Certificates,
  ) {}

  @Put(':id')
  put(@Req() request: FastifyRequest<{ Params: { id: string } }>): Promise<CertificateReport> {
    return this.answer(request, ({ tenant, region }) => {
      const { certificate, chain, privateKey } = readBody(request);
      return this.certificates.put(tenant, region, request.params.id, { certificate, chain, privateKey: new Secret(privateKey) });
    });
  }

  @Get()
  list(@Req() request: FastifyRequest): Promise<{ certificates: readonly CertificateReport[]; position: string | null }> {
    return this.answer(request, async ({ tenant }) => {
      const query = pageQuery.safeParse(request.query);
      if (!query.success) throw validationError(z.prettifyError(query.error));
      const { position, limit } = query.data;
      const page = { ...(position !== undefined && { position }), ...(limit !== undefined && { limit }) };
      const { items, next } = await this.certificates.page(tenant, pageRequest(page));
      return { certificates: items, position: next };
    });
  }

  @Get(':id')
  find(@Req() request: FastifyRequest<{ Params: { id: string } }>): Promise<CertificateReport> {
    return this.answer(request, ({ tenant }) => this.certificates.find(tenant, request.params.id));
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Req() request: FastifyRequest<{ Params: { id: string } }>): Promise<void> {
    return this.answer(request, ({ tenant }) => this.certificates.remove(tenant, request.params.id));
  }

  private async answer<T>(request: FastifyRequest, work: (caller: Caller) => Promise<T>): Promise<T> {
    try {
      return await work(await this.authenticator.authenticate(toWireRequest(request), ['apigateway']));
    } catch (error) {
      if (error instanceof ApiError) throw new HttpException({ type: error.type, message: error.message }, error.status);
      throw error;
    }
  }
}

/** A refusal never quotes the body: a key is in it. */
function readBody(request: FastifyRequest): z.infer<typeof certificateBody> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(toWireRequest(request).body).toString('utf8'));
  } catch {
    throw validationError('The body is not JSON.');
  }
  const body = certificateBody.safeParse(json);
  if (!body.success)
    throw validationError('The body must have the texts certificate and privateKey, and may have chain, all in PEM.');
  return body.data;
}
