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

  /** The whole house serves what was published. 503 names every check that fails. */
  @Get('readyz')
  async ready(): Promise<Answer> {
    return answered(await this.readiness.check());
  }

  /** This control plane alone: what a balancer in front of several asks, while nodes may still be on their way to them. */
  @Get('readyz/self')
  async selfReady(): Promise<Answer> {
    return answered(await this.readiness.checkSelf());
  }
}

interface Answer {
  readonly status: string;
  readonly checks: readonly Check[];
}

function answered(checks: readonly Check[]): Answer {
  const answer = { status: checks.every(({ ok }) => ok) ? 'ready' : 'not ready', checks };
  if (answer.status !== 'ready') throw new ServiceUnavailableException(answer);
  return answer;
}
