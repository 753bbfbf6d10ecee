/**
 * The destinations of a node, by tenant, port and host, each made at its first call.
 *
 * At the bounds the least recently used one is dropped: of the tenant that has too many, else of all. A tenant whose URLs name
 * ever new hosts so loses its own and not its neighbours'. A dropped destination still works for who holds it; a new one for the
 * same origin starts with a closed breaker and all addresses.
 */
import { Destination } from './destination.js';
import { JoinedNames, type Target } from './joined-names.js';
import type { Resolver } from './resolver.js';
import type { UpstreamSettings } from './settings.js';
import type { TenantAddressRules } from './tenant-address-rules.js';

export interface DestinationsOptions {
  readonly resolver: Resolver;
  readonly rules: Pick<TenantAddressRules, 'rulesFor'> & Partial<Pick<TenantAddressRules, 'operatorsRules'>>;
  readonly settings: UpstreamSettings;
  readonly random?: () => number;
  /** Told of each destination that is dropped, so that its connections can be closed as they fall idle. */
  readonly onDropped?: (destination: Destination) => void;
}

interface Entry {
  readonly destination: Destination;
  readonly host: string;
  older: Entry | null;
  newer: Entry | null;
}

interface TenantEntries {
  count: number;
  readonly byPort: Map<number, Map<string, Entry>>;
}

export class Destinations {
  private readonly tenants = new Map<string, TenantEntries>();
  /** Ends of the list in the order of use: links in the entries, so that a use costs neither memory nor a search. */
  private newest: Entry | null = null;
  private oldest: Entry | null = null;
  count = 0;

  constructor(private readonly options: DestinationsOptions) {}

  /** Never `null`, looks nothing up: the first `pick` does. `host` as in a URL, in lower case. */
  of(tenant: string, host: string, port: number): Destination {
    const known = this.tenants.get(tenant)?.byPort.get(port)?.get(host);
    if (known === undefined) return this.add(tenant, host, port).destination;
    if (known !== this.newest) {
      this.unlink(known);
      this.linkNewest(known);
    }
    return known.destination;
  }

  /** One that is nobody's but its caller's: never dropped, and another one each time. `isOperators`: the operator chose the targets. */
  ofTargets(tenant: string, targets: readonly Target[], isOperators: boolean): Destination {
    const { resolver, rules, settings, random } = this.options;
    const rulesOfTargets = (isOperators ? rules.operatorsRules : undefined) ?? rules.rulesFor(tenant);
    const name = new JoinedNames(resolver, targets);
    return new Destination({ tenant, port: targets[0]!.port, name, rules: rulesOfTargets, settings, random });
  }

  private add(tenant: string, host: string, port: number): Entry {
    const { destinationsMax, destinationsPerTenantMax } = this.options.settings;
    if ((this.tenants.get(tenant)?.count ?? 0) >= destinationsPerTenantMax) this.drop(this.oldestOf(tenant));
    else if (this.count >= destinationsMax) this.drop(this.oldest!);
    const entry: Entry = { destination: this.make(tenant, host, port), host, older: null, newer: null };
    this.file(entry);
    this.linkNewest(entry);
    this.count++;
    return entry;
  }

  private make(tenant: string, host: string, port: number): Destination {
    const { resolver, rules, settings, random } = this.options;
    return new Destination({ tenant, port, name: resolver.name(host), rules: rules.rulesFor(tenant), settings, random });
  }

  private file(entry: Entry): void {
    const { tenant, port } = entry.destination;
    let entries = this.tenants.get(tenant);
    if (entries === undefined) this.tenants.set(tenant, (entries = { count: 0, byPort: new Map() }));
    let byHost = entries.byPort.get(port);
    if (byHost === undefined) entries.byPort.set(port, (byHost = new Map()));
    byHost.set(entry.host, entry);
    entries.count++;
  }

  private drop(entry: Entry): void {
    const { destination } = entry;
    const entries = this.tenants.get(destination.tenant)!;
    const byHost = entries.byPort.get(destination.port)!;
    byHost.delete(entry.host);
    if (byHost.size === 0) entries.byPort.delete(destination.port);
    if (--entries.count === 0) this.tenants.delete(destination.tenant);
    this.unlink(entry);
    this.count--;
    this.options.onDropped?.(destination);
  }

  /** A walk, but only of a tenant that is at its bound and names a new host. */
  private oldestOf(tenant: string): Entry {
    let entry = this.oldest!;
    while (entry.destination.tenant !== tenant) entry = entry.newer!;
    return entry;
  }

  private linkNewest(entry: Entry): void {
    entry.older = this.newest;
    entry.newer = null;
    if (this.newest !== null) this.newest.newer = entry;
    this.newest = entry;
    this.oldest ??= entry;
  }

  private unlink(entry: Entry): void {
    if (entry.older === null) this.oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === null) this.newest = entry.older;
    else entry.newer.older = entry.older;
  }
}
