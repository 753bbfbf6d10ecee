import { Controller, Get, Header, HttpCode, Inject, ServiceUnavailableException } from '@nestjs/common';
import type { Check, Readiness } from './readiness.js';
import { METRICS, READINESS } from './tokens.js';
import { PROMETHEUS_CONTENT_TYPE, renderPrometheus, type MetricsRegistry } from '@gatehouse/telemetry';

@Controller()
export class HealthController {
  constructor(
    @Inject(READINESS) private readonly readiness: Readiness,
    @Inject(METRICS) private readonly registry: MetricsRegistry,
  ) {}

  /** The process answers. */
  @Get('healthz')
  @HttpCode(200)
  health(): { status: string } {
    return { status: 'ok' };
  }

  /** Prometheus text; of this control plane alone. */
  @Get('metrics')
  @Header('content-type', PROMETHEUS_CONTENT_TYPE)
  metrics(): string {
    return renderPrometheus(this.registry);
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
