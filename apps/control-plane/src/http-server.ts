import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { NodeAdmin } from '@gatehouse/control-nodes';
import { StageAdmin } from '@gatehouse/control-deployments';
import { ServiceAccessAdmin, VpcLinks } from '@gatehouse/control-backend-access';
import { Certificates } from '@gatehouse/control-domain-names';
import { AccessKeys } from '@gatehouse/control-tenants';
import { Exports } from '@gatehouse/control-exports';
import { Authenticator, AwsEndpoint, BODY_LIMIT_MAX_BYTES } from '@gatehouse/control-wire';
import type { RequestExplainer, RolloutWaiter, TenantDirectory, TenantStore } from '@gatehouse/domain';
import { randomIds, type Clock, type Secret } from '@gatehouse/kernel';
import type { MetricsRegistry } from '@gatehouse/telemetry';
import type { FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { AccessKeysController } from './access-keys.controller.js';
import { AdminController } from './admin.controller.js';
import { AWS_WIRE_PATH, AwsWireController } from './aws-wire.controller.js';
import { OperatorController } from './operator.controller.js';
import { OperatorGate } from './operator-gate.js';
import { QuotasController } from './quotas.controller.js';
import { CertificatesController } from './certificates.controller.js';
import { ExportsController } from './exports.controller.js';
import { HealthController } from './health.controller.js';
import { LogDestinationsController } from './log-destinations.controller.js';
import { RequestsController } from './requests.controller.js';
import { ServiceAccessController } from './service-access.controller.js';
import { VpcLinksController } from './vpc-links.controller.js';
import { StagesController } from './stages.controller.js';
import type { Readiness } from './readiness.js';
import { receiveBody } from './receive-body.js';
import { CLOCK, METRICS, NODE_ADMIN, READINESS, REQUEST_EXPLAINER, TENANT_STORE } from './tokens.js';

export interface HttpParts {
  readonly authenticator: Authenticator;
  readonly endpoint: AwsEndpoint;
  readonly nodeAdmin: NodeAdmin;
  readonly waiter: RolloutWaiter;
  readonly explainer: RequestExplainer;
  readonly store: TenantStore;
  readonly directory: TenantDirectory;
  /** `null`: nobody is the operator. */
  readonly operatorToken: Secret | null;
  readonly readiness: Readiness;
  readonly metrics: MetricsRegistry;
  readonly clock: Clock;
}

@Module({})
class HttpModule {
  static of(parts: HttpParts): DynamicModule {
    return {
      module: HttpModule,
      controllers: [
        AccessKeysController,
        AdminController,
        StagesController,
        CertificatesController,
        ExportsController,
        LogDestinationsController,
        OperatorController,
        QuotasController,
        RequestsController,
        ServiceAccessController,
        VpcLinksController,
        AwsWireController,
        HealthController,
      ],
      providers: [
        { provide: Authenticator, useValue: parts.authenticator },
        { provide: AwsEndpoint, useValue: parts.endpoint },
        { provide: AccessKeys, useValue: new AccessKeys(parts.store, randomIds, parts.clock) },
        { provide: Certificates, useValue: new Certificates(parts.store, parts.clock) },
        { provide: ServiceAccessAdmin, useValue: new ServiceAccessAdmin(parts.store, parts.clock) },
        { provide: VpcLinks, useValue: new VpcLinks(parts.store, randomIds) },
        { provide: Exports, useValue: new Exports(parts.store) },
        { provide: StageAdmin, useValue: new StageAdmin(parts.store, parts.clock, parts.waiter) },
        { provide: NODE_ADMIN, useValue: parts.nodeAdmin },
        { provide: TENANT_STORE, useValue: parts.store },
        { provide: OperatorGate, useValue: new OperatorGate(parts.operatorToken, parts.directory) },
        { provide: REQUEST_EXPLAINER, useValue: parts.explainer },
        { provide: READINESS, useValue: parts.readiness },
        { provide: METRICS, useValue: parts.metrics },
        { provide: CLOCK, useValue: parts.clock },
      ],
    };
  }
}

const OWN_PATHS = /^\/(admin\/|healthz(\?|$)|readyz(\/self)?(\?|$)|metrics(\?|$))/;

/** AWS's protocols and the admin API on one port. The caller listens on and closes what comes back. */
export async function createHttpServer(parts: HttpParts): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    // AWS puts ARNs and encoded slashes into path segments, and signs what was sent: its protocols are routed by the endpoint
    // itself on the raw URL, which stays in `originalUrl`.
    rewriteUrl: (request: { readonly url?: string }) =>
      OWN_PATHS.test(request.url ?? '') ? (request.url as string) : AWS_WIRE_PATH,
  });
  const fastify = adapter.getInstance();
  // By operation, not by content type: botocore sends blobs without any, SDKs sign the bytes.
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (_request: FastifyRequest, stream: Readable) => receiveBody(stream, BODY_LIMIT_MAX_BYTES));
  const app = await NestFactory.create<NestFastifyApplication>(HttpModule.of(parts), adapter, {
    bodyParser: false,
    logger: ['error', 'warn'],
  });
  app.enableShutdownHooks([]);
  return app;
}
