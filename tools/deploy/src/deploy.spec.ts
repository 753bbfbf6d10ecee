import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv';
import { DockerfileParser } from 'dockerfile-ast';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { millisecondsOf, readDeployed, ROOT, settingsOf, templatesOf } from './deployed.js';

const APPS = ['control-plane', 'data-plane', 'function-runner'] as const;
const SERVING = 'apps/data-plane/src/serving.ts';
const DRAIN_SECONDS = (millisecondsOf(SERVING, 'DRAIN_MS') + millisecondsOf(SERVING, 'LAST_REPORT_MS')) / 1_000;

describe.each(APPS)('the image of %s', (app) => {
  const image = DockerfileParser.parse(readDeployed(`docker/${app}.Dockerfile`));
  const lines = image.getInstructions().map((line) => [line.getKeyword(), line.getArgumentsContent() ?? ''] as const);
  const last = (keyword: string) => lines.findLast(([name]) => name === keyword)?.[1];

  test('is made of instructions that Docker knows', () => {
    const known = [
      'ARG',
      'FROM',
      'WORKDIR',
      'COPY',
      'RUN',
      'ENV',
      'USER',
      'VOLUME',
      'EXPOSE',
      'HEALTHCHECK',
      'ENTRYPOINT',
      'CMD',
    ];
    expect(lines.map(([keyword]) => keyword).filter((keyword) => !known.includes(keyword))).toEqual([]);
    expect(lines.filter(([keyword]) => keyword === 'FROM')).toHaveLength(2);
  });
  test('runs as nobody in particular, below an init, with a health check', () => {
    expect(last('USER')).toBe('10001:10001');
    expect(last('ENTRYPOINT')).toBe('["tini", "--"]');
    expect(last('HEALTHCHECK')).toContain('/healthz');
  });
  test('builds and starts what is there', () => {
    const [program, ...args] = JSON.parse(last('CMD')!) as string[];
    const main = args.at(-1)!;
    expect([program, args.slice(0, -1)]).toEqual(['node', JSON.parse(readDeployed('node-options.json'))]);
    expect(existsSync(path.join(ROOT, main.replace('/dist/', '/src/').replace(/\.js$/, '.ts')))).toBe(true);
    expect(lines.some(([name, args]) => name === 'RUN' && args.includes(`nx run app-${app}:build`))).toBe(true);
    expect(
      lines.some(([name, args]) => name === 'RUN' && args.startsWith(`node tools/deploy/bin/image-files.mjs /image ${app}`)),
    ).toBe(true);
  });
  test('bakes no secret in', () => {
    for (const [, args] of lines) expect(args).not.toMatch(/TOKEN|SECRET|PASSWORD|MASTER_KEY/);
  });
});

interface Service {
  readonly image: string;
  readonly environment?: Record<string, string>;
  readonly build?: { readonly dockerfile: string };
  readonly stop_grace_period?: string;
  readonly read_only?: boolean;
  readonly depends_on?: string[] | Record<string, { readonly condition: string }>;
  readonly healthcheck?: unknown;
  readonly restart?: string;
  readonly networks: string[];
  readonly volumes?: string[];
}

describe('compose.yaml', () => {
  const text = readDeployed('compose.yaml');
  const { services, networks, volumes } = parse(text, { merge: true }) as {
    services: Record<string, Service>;
    networks: Record<string, unknown>;
    volumes: Record<string, unknown>;
  };
  const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('gatehouse/'));

  test('is a Compose file', () => {
    const file = path.join(ROOT, 'node_modules/dclint/schemas/compose.schema.json');
    // It names draft 7 with https, which this validator does not know; its formats (durations) are Go's.
    const schema = { ...(JSON.parse(readFileSync(file, 'utf8')) as object), $schema: 'http://json-schema.org/draft-07/schema#' };
    const isCompose = new Ajv({ unknownFormats: 'ignore', logger: false }).compile(schema);
    isCompose(parse(text, { merge: true }));
    expect(isCompose.errors).toBeNull();
    expect(isCompose({ services: { node: { image: 'x', helthcheck: {} } } })).toBe(false);
  });
  test('has two control planes, three nodes, what they need, and a balancer', () =>
    expect(Object.keys(services).sort()).toEqual([
      'balancer',
      'control-plane-1',
      'control-plane-2',
      'function-runner',
      'node-1',
      'node-2',
      'node-3',
      'postgres',
      'prepare',
      'redis',
    ]));
  test('gives no secret a default', () => {
    const variables = [...text.matchAll(/\$\{([A-Z_]+)(:[?-])?/g)].map(([, name, rule]) => [name!, rule] as const);
    const secret = variables.filter(([name]) => /TOKEN|SECRET|PASSWORD|MASTER_KEY|ACCESS_KEY/.test(name));
    expect(secret.length).toBeGreaterThan(5);
    for (const [name, rule] of secret) expect([name, rule]).toEqual([name, ':?']);
  });
  test('asks for nothing that .env.example does not name, and the example gives no secret', () => {
    const example = readDeployed('.env.example');
    const named = new Map([...example.matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
    for (const [, name] of text.matchAll(/\$\{([A-Z_]+):[?-]/g)) expect([...named.keys()]).toContain(name);
    for (const [, name] of text.matchAll(/\$\{([A-Z_]+):\?/g)) expect(named.get(name!), name).toBe('');
  });
  test('waits only for services that say when they are healthy, or that end', () => {
    for (const { depends_on: needs = {} } of Object.values(services)) {
      if (Array.isArray(needs)) continue;
      for (const [name, { condition }] of Object.entries(needs)) {
        const needed = services[name]!;
        if (condition === 'service_healthy') expect(needed.healthcheck, name).toBeDefined();
        else expect([name, condition, needed.restart]).toEqual(['prepare', 'service_completed_successfully', 'on-failure']);
      }
    }
  });
  test.each(ours)('%s is given settings its application reads, and an image that is built', (_name, service) => {
    const app = /^gatehouse\/([a-z-]+):/.exec(service.image)![1]!;
    const known = settingsOf(app);
    for (const name of Object.keys(service.environment ?? {})) expect([...known]).toContain(name);
    expect(existsSync(path.join(ROOT, service.build!.dockerfile))).toBe(true);
    expect(service.read_only).toBe(true);
  });
  test('names no service, network or volume that is not there', () => {
    for (const service of Object.values(services)) {
      const needs = service.depends_on ?? [];
      for (const name of Array.isArray(needs) ? needs : Object.keys(needs)) expect(Object.keys(services)).toContain(name);
      for (const name of service.networks) expect(Object.keys(networks)).toContain(name);
      for (const volume of service.volumes ?? []) {
        if (!volume.startsWith('.')) expect(Object.keys(volumes)).toContain(volume.split(':')[0]);
      }
    }
  });
  test('gives no two nodes one disk, and each the time it takes to drain', () => {
    const nodes = ['node-1', 'node-2', 'node-3'].map((name) => services[name]!);
    expect(new Set(nodes.map(({ volumes: [volume] = [] }) => volume)).size).toBe(3);
    for (const { stop_grace_period: grace } of nodes) expect(parseInt(grace!, 10)).toBeGreaterThan(DRAIN_SECONDS);
  });
});

test('HAProxy balances over the nodes by their readiness', () => {
  const text = readDeployed('haproxy.cfg');
  for (const node of ['node-1', 'node-2', 'node-3']) expect(text).toContain(`server ${node} ${node}:8080`);
  expect(text).toContain('httpchk GET /readyz');
  const haproxy = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy'].find((file) => existsSync(file));
  // Its own opinion, where it is installed; it throws for a file it does not take.
  if (haproxy === undefined && process.env['GATEHOUSE_CHECK_ALL'] === '1') throw new Error('HAProxy is not installed');
  if (haproxy === undefined) console.warn('haproxy.cfg was NOT read by HAProxy: it is not installed.');
  else execFileSync(haproxy, ['-c', '-f', path.join(ROOT, 'deploy/haproxy.cfg')], { stdio: 'pipe' });
});

describe('the chart', () => {
  const values = parse(readDeployed('helm/gatehouse/values.yaml')) as Record<string, unknown>;
  const isValid = new Ajv().compile(JSON.parse(readDeployed('helm/gatehouse/values.schema.json')) as object);
  const templates = [...templatesOf()];
  const all = templates.map(([, text]) => text).join('\n');

  test('has values that its schema takes', () => {
    isValid(values);
    expect(isValid.errors).toBeNull();
  });
  test.each([
    [{ dataPlan: {} }],
    [{ dataPlane: { replicas: 0 } }],
    [{ dataPlane: { snapshotKey: 'abc' } }],
    [{ dataPlane: { vpcEndpoints: [{ vpceId: 'vpce-1', vpcId: 'vpc-1', networks: ['10.0.0.0'] }] } }],
    [{ dataPlane: { vpcEndpoints: [{ vpceId: 'vpce-1', vpcId: 'vpc-1,vpce-2', networks: ['10.0.0.0/8'] }] } }],
    [{ openTelemetry: { PATH: '/' } }],
  ])('refuses %o', (wrong) => expect(isValid({ ...values, ...wrong })).toBe(false));
  test.each(templates)('%s closes what it opens', (_name, text) => {
    const actions = [...text.matchAll(/\{\{-?\s*(if|range|with|end)\b/g)].map(([, word]) => word);
    expect(actions.filter((word) => word === 'end')).toHaveLength(actions.length / 2);
    expect(text.split('{{').length).toBe(text.split('}}').length);
  });
  test('reads no value that is not there', () => {
    for (const [, name] of all.matchAll(/\.Values\.([A-Za-z.]+)/g)) {
      const value = name!.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], values);
      expect(value, name).toBeDefined();
    }
  });
  test.each(APPS)('gives %s settings it reads, probes, and no rights', (app) => {
    const text = templatesOf().get(`${app}.yaml`)!;
    const known = settingsOf(app);
    for (const [, name] of text.matchAll(/- name: ((?:GATEHOUSE_|DATABASE_|REDIS_)[A-Z_]+)/g)) expect([...known]).toContain(name);
    for (const part of ['startupProbe', 'livenessProbe', 'readinessProbe', 'PodDisruptionBudget', 'readOnlyRootFilesystem: true'])
      expect(text).toContain(part);
    expect(text).toContain('runAsNonRoot: true');
  });
  test('gives a node the time it takes to drain', () => {
    const grace = /terminationGracePeriodSeconds: (\d+)/.exec(templatesOf().get('data-plane.yaml')!)![1];
    const pause = /sleep, '(\d+)'/.exec(templatesOf().get('data-plane.yaml')!)![1];
    expect(Number(grace)).toBeGreaterThan(DRAIN_SECONDS + Number(pause));
  });
});
