/** The chart as Helm renders it, for several operators: what Kubernetes would take, and what its parts say about each other. */
import { beforeAll, describe, expect, test } from 'vitest';
import { lint, render, renderNotes, type Manifest, type Values } from './chart.js';
import { settingsOf } from './deployed.js';
import { findHelm } from './helm.js';
import { problemsOf } from './kubernetes.js';

const helm = await findHelm();
const isThere = 'binary' in helm;
if (!isThere) {
  const sentence = `The chart was NOT rendered: ${helm.missing}.`;
  // "npm run check:deploy" promises that it was.
  if (process.env['GATEHOUSE_CHECK_ALL'] === '1') throw new Error(sentence);
  console.warn(sentence);
}
const binary = isThere ? helm.binary : '';

const OPERATORS: Readonly<Record<string, Values>> = {
  'who says only what must be said': { secretName: 'gatehouse' },
  'who sets everything': {
    secretName: 'their.secret',
    baseDomain: 'apis.example.com',
    region: 'eu-west-1',
    image: { registry: 'registry.example:5000/team/gatehouse', tag: '1.2.3', pullPolicy: 'Always' },
    openTelemetry: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_RESOURCE_ATTRIBUTES: 'a=b,c="d: e # f"' },
    serviceAccount: { annotations: { 'example.com/role': 'arn:aws:iam::1:role/x', 'example.com/yes': 'true' } },
    controlPlane: { replicas: 5 },
    dataPlane: {
      workers: 4,
      connectionsPerAddressMax: 1_000_000,
      snapshotKey: '0123456789'.repeat(6) + '0123',
      labels: { pool: 'eu', region: '2' },
      vpcEndpoints: [{ vpceId: 'vpce-1a', vpcId: 'vpc-2b', networks: ['10.0.0.0/8'] }],
      service: { type: 'NodePort', annotations: { 'example.com/idle': '60' } },
      disk: { size: '1Ti', storageClassName: 'fast' },
      autoscaling: { enabled: true, minReplicas: 2, maxReplicas: 40, targetCPUUtilizationPercentage: 75 },
    },
    functionRunner: { replicas: 3, disk: { size: '20Gi', storageClassName: 'fast' } },
  },
  'who wants no autoscaler, no policies and no limits': {
    secretName: 'gatehouse',
    controlPlane: { resources: null },
    dataPlane: { replicas: 7, autoscaling: { enabled: false }, resources: {} },
    functionRunner: { resources: {} },
    networkPolicy: { enabled: false },
  },
};

interface Port {
  readonly name?: string;
  readonly port?: number;
  readonly targetPort?: number | string;
  readonly containerPort?: number;
}
interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env: readonly Variable[];
  readonly ports?: readonly Port[];
  readonly volumeMounts: ReadonlyArray<{ readonly name: string; readonly mountPath: string }>;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } };
}
type Labels = Readonly<Record<string, string>>;
interface Workload extends Manifest {
  readonly spec: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly selector: { readonly matchLabels: Labels };
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly initContainers?: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: ReadonlyArray<{ readonly name: string }>;
        readonly serviceAccountName: string;
        readonly securityContext: Readonly<Record<string, unknown>>;
      };
    };
    readonly volumeClaimTemplates?: ReadonlyArray<{ readonly metadata: { readonly name: string } }>;
  };
}

const specOf = <T>(manifest: Manifest): T => manifest['spec'] as T;
const selects = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

describe.skipIf(!isThere).each(Object.entries(OPERATORS))('the chart for somebody %s', (_name, values) => {
  let manifests: Manifest[] = [];
  let workloads: Workload[] = [];
  const of = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
  const isOn = (feature: string): boolean => {
    const { dataPlane, networkPolicy } = values as {
      dataPlane?: { autoscaling?: { enabled: boolean } };
      networkPolicy?: { enabled: boolean };
    };
    return feature === 'autoscaling' ? dataPlane?.autoscaling?.enabled !== false : networkPolicy?.enabled !== false;
  };
  const podsOf = (selector: Labels): Workload[] =>
    workloads.filter(({ spec }) => selects(selector, spec.template.metadata.labels));
  const portsOf = (workload: Workload): readonly Port[] =>
    workload.spec.template.spec.containers.flatMap(({ ports = [] }) => ports);
  const containers = (): Array<[Workload, Container]> =>
    workloads.flatMap((workload) =>
      [...(workload.spec.template.spec.initContainers ?? []), ...workload.spec.template.spec.containers].map(
        (container): [Workload, Container] => [workload, container],
      ),
    );
  const environmentOf = (part: string): Map<string, Variable> =>
    new Map(
      containers()
        .find(([, { name }]) => name === part)![1]
        .env.map((variable) => [variable.name, variable]),
    );

  beforeAll(() => {
    manifests = render(binary, values);
    workloads = manifests.filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind)) as Workload[];
  });

  test('passes helm lint', () => expect(() => lint(binary, values)).not.toThrow());
  test('is nothing that Kubernetes refuses', () => expect(problemsOf(manifests)).toEqual([]));
  test('has its parts, each under a name of its own', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const { metadata } of manifests) expect(metadata.name.length).toBeLessThanOrEqual(52);
    expect(workloads.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort()).toEqual([
      'Deployment gw-control-plane',
      'StatefulSet gw-data-plane',
      'StatefulSet gw-function-runner',
    ]);
    expect(of('HorizontalPodAutoscaler')).toHaveLength(isOn('autoscaling') ? 1 : 0);
    expect(of('NetworkPolicy')).toHaveLength(isOn('networkPolicy') ? 3 : 0);
  });
  test('labels everything as part of this release', () => {
    for (const { metadata } of manifests)
      expect(metadata.labels, metadata.name).toMatchObject({
        'app.kubernetes.io/name': 'gatehouse',
        'app.kubernetes.io/instance': 'gw',
      });
  });
  test('selects by each selector the pods of one part', () => {
    for (const workload of workloads) expect(podsOf(workload.spec.selector.matchLabels)).toEqual([workload]);
    for (const service of of('Service')) expect(podsOf(specOf<{ selector: Labels }>(service).selector)).toHaveLength(1);
    for (const policy of of('NetworkPolicy'))
      expect(podsOf(specOf<{ podSelector: { matchLabels: Labels } }>(policy).podSelector.matchLabels)).toHaveLength(1);
  });
  test('lets each part lose one pod at a time', () => {
    const budgets = of('PodDisruptionBudget').map((budget) =>
      specOf<{ maxUnavailable: number; selector: { matchLabels: Labels } }>(budget),
    );
    expect(
      budgets
        .flatMap(({ selector }) => podsOf(selector.matchLabels))
        .map(({ metadata }) => metadata.name)
        .sort(),
    ).toEqual(workloads.map(({ metadata }) => metadata.name).sort());
    for (const { maxUnavailable } of budgets) expect(maxUnavailable).toBe(1);
  });
  test('leaves the number of nodes to the autoscaler or to the operator, never to both', () => {
    const nodes = workloads.find(({ metadata }) => metadata.name === 'gw-data-plane')!;
    const [autoscaler] = of('HorizontalPodAutoscaler');
    expect(nodes.spec.replicas === undefined).toBe(autoscaler !== undefined);
    if (autoscaler === undefined) return;
    const { scaleTargetRef, minReplicas, maxReplicas } = specOf<{
      scaleTargetRef: { apiVersion: string; kind: string; name: string };
      minReplicas: number;
      maxReplicas: number;
    }>(autoscaler);
    expect(scaleTargetRef).toEqual({ apiVersion: nodes.apiVersion, kind: nodes.kind, name: nodes.metadata.name });
    expect(minReplicas).toBeLessThanOrEqual(maxReplicas);
  });
  test('sends each service to a port that its pods have', () => {
    for (const service of of('Service')) {
      const { selector, ports } = specOf<{ selector: Labels; ports: Port[] }>(service);
      const open = portsOf(podsOf(selector)[0]!);
      for (const { targetPort, port } of ports) {
        const target = open.find(({ name }) => name === targetPort);
        expect(target?.containerPort, `${service.metadata.name} ${targetPort}`).toBe(port);
      }
    }
  });
  test('opens by policy the ports that pods have, to pods that there are', () => {
    for (const policy of of('NetworkPolicy')) {
      const { podSelector, ingress } = specOf<{
        podSelector: { matchLabels: Labels };
        ingress: Array<{ ports: Port[]; from?: Array<{ podSelector: { matchLabels: Labels } }> }>;
      }>(policy);
      const numbers = portsOf(podsOf(podSelector.matchLabels)[0]!).map(({ containerPort }) => containerPort);
      expect(ingress.flatMap(({ ports }) => ports.map(({ port }) => port)).sort()).toEqual(numbers.sort());
      for (const { from = [] } of ingress) for (const peer of from) expect(podsOf(peer.podSelector.matchLabels)).toHaveLength(1);
    }
  });
  test('addresses services and ports that there are', () => {
    const services = new Map(of('Service').map((service) => [service.metadata.name, specOf<{ ports: Port[] }>(service).ports]));
    const addresses = containers().flatMap(([, { env }]) =>
      env.flatMap(({ value = '' }) =>
        [...value.matchAll(/\b(gw-[a-z-]+):(\d+)/g)].map(([, host, port]) => [host!, Number(port)] as const),
      ),
    );
    expect(addresses.length).toBeGreaterThan(3);
    for (const [host, port] of addresses)
      expect(
        services.get(host)?.map((open) => open.port),
        host,
      ).toContain(port);
    for (const { spec } of workloads)
      if (spec.serviceName !== undefined) expect([...services.keys()]).toContain(spec.serviceName);
  });
  test('gives each process the settings it reads, once each, and secrets by name alone', () => {
    for (const [workload, { name, env }] of containers()) {
      const known = settingsOf(workload.metadata.name.replace('gw-', ''));
      expect(new Set(env.map((variable) => variable.name)).size, name).toBe(env.length);
      for (const variable of env) {
        expect(variable.name.startsWith('OTEL_') || known.has(variable.name), variable.name).toBe(true);
        const isSecret = /TOKEN|PASSWORD|MASTER_KEY|ACCESS_KEY|DATABASE_URL|REDIS_URL|ACCOUNT_ID/.test(variable.name);
        expect(variable.valueFrom?.secretKeyRef.name, variable.name).toBe(isSecret ? values['secretName'] : undefined);
        if (isSecret) expect(variable.valueFrom!.secretKeyRef.key).toBe(variable.name);
      }
    }
  });
  test('asks each process of the release whether it lives and serves', () => {
    for (const workload of workloads)
      for (const container of workload.spec.template.spec.containers)
        for (const [probe, answer] of [
          ['startupProbe', '/healthz'],
          ['livenessProbe', '/healthz'],
          // A control plane that is asked for /readyz waits for nodes, which wait for a service with a ready control plane.
          ['readinessProbe', workload.metadata.name === 'gw-control-plane' ? '/readyz/self' : '/readyz'],
        ] as const) {
          expect(container[probe]!.httpGet.path).toBe(answer);
          expect(container.ports!.map(({ name }) => name)).toContain(container[probe]!.httpGet.port);
        }
  });
  test('has a test pod that is counted as none of its parts and asks services that there are', () => {
    const [pod, ...more] = of('Pod');
    expect(more).toEqual([]);
    expect(podsOf(pod!.metadata.labels!)).toEqual([]);
    const selectors = of('Service').map((service) => specOf<{ selector: Labels }>(service).selector);
    for (const selector of selectors) expect(selects(selector, pod!.metadata.labels!)).toBe(false);
    const [{ command = [] } = {}] = specOf<{ containers: Container[] }>(pod!).containers;
    const urls = command.filter((argument) => argument.startsWith('http')).map((url) => new URL(url));
    expect(urls).toHaveLength(2);
    for (const { hostname, port } of urls) {
      const service = of('Service').find(({ metadata }) => metadata.name === hostname)!;
      expect(specOf<{ ports: Port[] }>(service).ports.map((open) => String(open.port))).toContain(port);
    }
  });
  test('runs everything as nobody in particular, with nothing to write to but its volumes', () => {
    const accounts = of('ServiceAccount').map(({ metadata }) => metadata.name);
    for (const [{ spec }, container] of containers()) {
      const pod = spec.template.spec;
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10_001 });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const volumes = [
        ...pod.volumes.map(({ name }) => name),
        ...(spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
      expect(accounts).toContain(pod.serviceAccountName);
    }
  });
  test('passes on what the operator says, letter by letter', () => {
    const node = environmentOf('data-plane');
    const { baseDomain = 'localhost', openTelemetry = {} } = values as {
      baseDomain?: string;
      openTelemetry?: Record<string, string>;
    };
    expect(node.get('GATEHOUSE_BASE_DOMAIN')!.value).toBe(baseDomain);
    for (const part of ['control-plane', 'data-plane', 'function-runner'])
      for (const [name, value] of Object.entries(openTelemetry)) expect(environmentOf(part).get(name)?.value).toBe(value);
  });
});

describe.skipIf(!isThere)('the chart', () => {
  test.each([
    ['without a secret', {}, /make the secret first/],
    ['with a value it does not know', { secretName: 's', dataPlan: {} }, /dataPlan/],
    ['with an image tag that is a number', { secretName: 's', image: { registry: 'x', tag: 1.2 } }, /tag/],
    ['with a label that no node takes', { secretName: 's', dataPlane: { labels: { pool: 'a"b' } } }, /dataPlane\/labels\/pool/],
    [
      'with a VPC endpoint without networks',
      { secretName: 's', dataPlane: { vpcEndpoints: [{ vpceId: 'vpce-1a', vpcId: 'vpc-2b', networks: [] }] } },
      /dataPlane\/vpcEndpoints\/0\/networks/,
    ],
    ['with a variable that is none of OpenTelemetry', { secretName: 's', openTelemetry: { NODE_OPTIONS: 'x' } }, /NODE_OPTIONS/],
  ])('refuses to be rendered %s, and says why', (_case, values, why) => expect(() => render(binary, values)).toThrow(why));
  test.each(['a.b', '1st', 'x'.repeat(37)])('refuses the release name %s, of which no service can be made', (release) => {
    expect(() => render(binary, { secretName: 's' }, release)).toThrow(/release name/);
    expect(() => render(binary, { secretName: 's' }, 'x'.repeat(36))).not.toThrow();
  });
  test('tells the operator where to go', () => {
    const notes = renderNotes(binary, { secretName: 's', baseDomain: 'apis.example' });
    expect(notes).toContain('{api}.execute-api.apis.example');
    expect(notes).toContain('helm test gw --namespace apis');
  });
  test('gives nodes the labels, siblings and VPC endpoints they are told', () => {
    const vpcEndpoints = [
      { vpceId: 'vpce-1a', vpcId: 'vpc-2b', networks: ['10.0.0.0/16', 'fd00::/8'] },
      { vpceId: 'vpce-3c', vpcId: 'vpc-4d', networks: ['192.168.7.7/32'] },
    ];
    const values = {
      secretName: 's',
      dataPlane: { labels: { pool: 'eu', region: 'eu-west-1' }, snapshotKey: 'ab'.repeat(32), vpcEndpoints },
    };
    const nodes = render(binary, values).find(
      ({ metadata, kind }) => kind === 'StatefulSet' && metadata.name === 'gw-data-plane',
    ) as Workload;
    const env = new Map(nodes.spec.template.spec.containers[0]!.env.map(({ name, value }) => [name, value]));
    expect(env.get('GATEHOUSE_NODE_LABELS')).toBe('pool=eu,region=eu-west-1');
    expect(env.get('GATEHOUSE_SIBLINGS')).toBe('http://gw-siblings:8081');
    expect(env.get('GATEHOUSE_SNAPSHOT_KEY')).toBe('ab'.repeat(32));
    expect(env.get('GATEHOUSE_VPC_ENDPOINTS')).toBe('vpce-1a@vpc-2b=10.0.0.0/16+fd00::/8,vpce-3c@vpc-4d=192.168.7.7/32');
  });
});

test('what Kubernetes refuses is seen', () => {
  const service = (spec: object): Manifest => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' }, spec });
  expect(problemsOf([service({ ports: [{ port: 80 }] })])).toEqual([]);
  expect(problemsOf([service({ prts: [] })])).toEqual([expect.stringContaining('Service x: ')]);
  expect(problemsOf([service({ ports: [{ port: '80' }] })])).toEqual([expect.stringContaining("'string' is not assignable")]);
  expect(problemsOf([service({ ports: [{}] })])).toEqual([expect.stringContaining("'port' is missing")]);
});
