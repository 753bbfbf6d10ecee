import { HttpException } from '@nestjs/common';
import { Authenticator } from '@gatehouse/control-wire';
import { ApiError, type Caller } from '@gatehouse/domain';
import type { FastifyRequest } from 'fastify';
import { toWireRequest } from './wire-request.js';

/** Answers whoever signed as for API Gateway, with what is his tenant's. */
export async function answerTenant<T>(
  authenticator: Authenticator,
  request: FastifyRequest,
  work: (caller: Caller) => Promise<T>,
): Promise<T> {
  try {
    return await work(await authenticator.authenticate(toWireRequest(request), ['apigateway']));
  } catch (error) {
    if (error instanceof ApiError) throw new HttpException({ type: error.type, message: error.message }, error.status);
    throw error;
  }
}
