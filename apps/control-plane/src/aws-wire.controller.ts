import { All, Controller, Inject, Req, Res } from '@nestjs/common';
import { AwsEndpoint } from '@gatehouse/control-wire';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BODY_TOO_LARGE } from './receive-body.js';
import { toWireRequest } from './wire-request.js';

/** Where every request that is not for the admin API ends up: AWS's own protocols need the raw path and body. */
export const AWS_WIRE_PATH = '/aws-wire';

@Controller()
export class AwsWireController {
  constructor(@Inject(AwsEndpoint) private readonly endpoint: AwsEndpoint) {}

  @All(AWS_WIRE_PATH.slice(1))
  async handle(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const answer =
      request.body === BODY_TOO_LARGE
        ? await this.endpoint.refuseBody({ method: request.method, rawUrl: request.originalUrl })
        : await this.endpoint.handle(toWireRequest(request));
    // As bytes: Fastify adds a charset to the content type of text, AWS names none.
    void reply.status(answer.status).headers(answer.headers).send(Buffer.from(answer.body));
  }
}
