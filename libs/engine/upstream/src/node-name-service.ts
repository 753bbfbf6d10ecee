/**
 * Names by node:dns. Asking a DNS server directly gives the TTL; only the system's resolver (getaddrinfo) knows the hosts file,
 * search domains and what else the machine is set up with, but gives no TTL.
 *
 *   localhost, names without a dot, names in the hosts file    the system's resolver
 *   other names                                                A and AAAA records; if DNS has none, or no server is reached,
 *                                                              the system's resolver
 *
 * The system's resolver blocks one of the few threads that also read files, and a call of it cannot be ended. Only some are let
 * in at once; the others wait in line, and leave it when their time is over.
 */
import { promises as dns } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { NameAnswer, NameService, ResolvedAddress } from './name-service.js';
import { Turns } from './turns.js';

export interface NodeNameServiceOptions {
  /** Instead of the machine's: `127.0.0.1:5353`. */
  readonly servers?: readonly string[];
  /** Ask for AAAA records; by default if the machine has an IPv6 address that leads further than its own link. */
  readonly usesIpv6?: boolean;
  /** For the first try; the second one waits twice as long, so that both fit into a lookup's time limit. */
  readonly queryTimeoutMs?: number;
  /** Calls of the system's resolver at once; Node has 4 threads unless UV_THREADPOOL_SIZE says otherwise. */
  readonly systemLookupsMax?: number;
  /** `null`: not looked into. */
  readonly hostsFile?: string | null;
  /** Instead of getaddrinfo. */
  readonly system?: (host: string) => Promise<readonly ResolvedAddress[]>;
}

/** The other family's answer is not waited for longer than this once one is there (RFC 8305 §3 has 50 ms and a user waiting). */
const OTHER_FAMILY_MS = 300;
const HOSTS_FILE_BYTES_MAX = 1024 * 1024;

export class NodeNameService implements NameService {
  private resolver: dns.Resolver;
  private readonly options: NodeNameServiceOptions;
  private readonly turns: Turns;

  constructor(options: NodeNameServiceOptions = {}) {
    this.options = options;
    this.turns = new Turns(options.systemLookupsMax ?? 2);
    this.resolver = this.makeResolver();
  }

  async lookUp(host: string, signal: AbortSignal): Promise<NameAnswer> {
    if (isLocal(host) || (await this.isInHostsFile(host))) return this.askSystem(host, signal);
    try {
      return await this.askServers(host);
    } catch (cause) {
      if (!mayAskSystem(cause) || signal.aborted) throw cause;
      return this.askSystem(host, signal, cause);
    }
  }

  private async askServers(host: string): Promise<NameAnswer> {
    const { resolver } = this;
    const { usesIpv6 = hasIpv6() } = this.options;
    const questions = [this.ask(resolver.resolve4(host, { ttl: true }), 4)];
    if (usesIpv6) questions.push(this.ask(resolver.resolve6(host, { ttl: true }), 6));
    try {
      const first = await Promise.any(questions);
      const rest = await Promise.all(questions.map((question) => orEmptySoon(question)));
      const records = rest.some((records) => records.length > 0) ? rest.flat() : first;
      return {
        addresses: records.map(({ address, family }) => ({ address, family })),
        ttlMs: Math.min(...records.map(({ ttlMs }) => ttlMs)),
      };
    } catch (failures) {
      const causes = (failures as AggregateError).errors as NodeJS.ErrnoException[];
      // The servers may have changed since this one was made: a new one reads the machine's settings again.
      if (causes.some(({ code }) => code === 'ECONNREFUSED' || code === 'ETIMEOUT')) this.resolver = this.makeResolver();
      throw causes[0]!;
    }
  }

  private async ask(question: Promise<{ address: string; ttl: number }[]>, family: 4 | 6): Promise<TimedAddress[]> {
    const records = await question;
    return records.map(({ address, ttl }) => ({ address, family, ttlMs: ttl * 1000 }));
  }

  private async askSystem(host: string, signal: AbortSignal, cause?: unknown): Promise<NameAnswer> {
    const { system = getAddrInfo } = this.options;
    try {
      return { addresses: await this.turns.take(() => system(host), signal), ttlMs: null };
    } catch (systemCause) {
      throw cause ?? systemCause; // what DNS said names the reason better
    }
  }

  /** What the operator pinned there wins over DNS, as everywhere else on the machine. Read anew at each lookup: it is small. */
  private async isInHostsFile(host: string): Promise<boolean> {
    const { hostsFile = '/etc/hosts' } = this.options;
    if (hostsFile === null) return false;
    const text = await readFile(hostsFile, 'latin1').catch(() => '');
    return text.length <= HOSTS_FILE_BYTES_MAX && hostsFileNames(text).has(host);
  }

  private makeResolver(): dns.Resolver {
    const resolver = new dns.Resolver({ timeout: this.options.queryTimeoutMs ?? 600, tries: 2 });
    if (this.options.servers !== undefined) resolver.setServers(this.options.servers);
    return resolver;
  }
}

const getAddrInfo = async (host: string): Promise<ResolvedAddress[]> =>
  (await dns.lookup(host, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));

interface TimedAddress extends ResolvedAddress {
  readonly ttlMs: number;
}

/** RFC 6761 §6.3: names under `localhost` never go to DNS. */
const isLocal = (host: string): boolean => !host.includes('.') || host.endsWith('.localhost');

/** DNS knows nothing, or there is no DNS here; a server that is slow or broken is no reason to ask the same server by another way. */
function mayAskSystem(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'ENOTFOUND' || code === 'ENODATA' || code === 'ECONNREFUSED';
}

export function hostsFileNames(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split('\n')) {
    const [, ...hosts] = line.split('#', 1)[0]!.trim().toLowerCase().split(/\s+/);
    for (const host of hosts) names.add(host);
  }
  return names;
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((interfaces = []) =>
    interfaces.some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80')),
  );
}

function orEmptySoon(question: Promise<TimedAddress[]>): Promise<TimedAddress[]> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve([]), OTHER_FAMILY_MS);
    const end = (records: TimedAddress[]): void => {
      clearTimeout(timer);
      resolve(records);
    };
    question.then(end, () => end([]));
  });
}
