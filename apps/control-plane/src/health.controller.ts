import { Controller, Get, HttpCode, Inject, ServiceUnavailableException, StreamableFile } from '@nestjs/common';
import type { Check, Readiness } from './readiness.js';
import { METRICS, READINESS } from './tokens.js';
import { inTurns, PROMETHEUS_CONTENT_TYPE, prometheusSlices, type MetricsRegistry } from '@gatehouse/telemetry';
import { Readable } from 'node:stream';

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

  /** Prometheus text; of this control plane alone. In slices, so that others are answered in between, however long it gets. */
  @Get('metrics')
  metrics(): StreamableFile {
    return new StreamableFile(Readable.from(inTurns(prometheusSlices(this.registry))), { type: PROMETHEUS_CONTENT_TYPE });
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
