import { Controller, Get, HttpCode, Inject, ServiceUnavailableException } from '@nestjs/common';
import type { Check, Readiness } from './readiness.js';
import { READINESS } from './tokens.js';

@Controller()
export class HealthController {
  constructor(@Inject(READINESS) private readonly readiness: Readiness) {}

  /** The process answers. */
  @Get('healthz')
  @HttpCode(200)
  health(): { status: string } {
    return { status: 'ok' };
  }

  /** 503 names every check that fails. */
  @Get('readyz')
  async ready(): Promise<{ status: string; checks: readonly Check[] }> {
    const checks = await this.readiness.check();
    const answer = { status: checks.every(({ ok }) => ok) ? 'ready' : 'not ready', checks };
    if (answer.status !== 'ready') throw new ServiceUnavailableException(answer);
    return answer;
  }
}
