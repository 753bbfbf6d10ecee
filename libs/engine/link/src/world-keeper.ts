/**
 * Holds the current World and the linked form of the stages that are in use.
 *
 *   adopt(change)   read and link what changed, build the next World, swap it in by one assignment
 *   stage(world, …) the linked stage of a request, in the World that request started with; linked now if it was not
 *
 * Programs are kept by digest, so a World swap keeps every unchanged one, and requests in flight keep theirs by reference.
 * Beyond `routesMax` routes the least recently used stages are forgotten and linked again when somebody asks for them.
 */
import {
  isClientCertificateEntryId,
  type AccessKeyEntry,
  type ApiKeyEntry,
  type CertificateEntry,
  type DomainNameEntry,
  type ServiceAccessEntry,
  type UsagePlanEntry,
} from '@gatehouse/contracts';
import { LinkRefusal, type LinkedStage } from '@gatehouse/engine-exchange';
import { LinkedAccessKey } from './access-keys.js';
import { LinkedServiceAccess } from './service-access.js';
import { LinkedCertificate, LinkedDomainName } from './domain-names.js';
import { labelsOf, linkStageInTurns, routeCount, type LinkBindings, type RefusedRoute, type Routing } from './link-stage.js';
import { readSnapshotInTurns, type SnapshotName } from './read-snapshot.js';
import { RecentTexts } from './recent-texts.js';
import { giveBack } from './routes-text.js';
import {
  checkAccessKey,
  checkApiKey,
  checkCertificate,
  checkDomainName,
  checkServiceAccess,
  checkUsagePlan,
  type Check,
} from './shapes.js';
import { Turns } from './turns.js';
import { LinkedUsagePlan, World } from './world.js';

/** One published thing; the shape control-link hands over. */
export interface WorldEntry {
  readonly kind:
    | 'STAGE'
    | 'USAGE_PLAN'
    | 'API_KEY'
    | 'FUNCTION'
    | 'DOMAIN_NAME'
    | 'CERTIFICATE'
    | 'ACCESS_KEY'
    | 'SERVICE_ACCESS';
  readonly id: string;
  readonly tenant: string;
  readonly digest: string | null;
  /** Canonical JSON. */
  readonly inline: string;
}

export interface WorldEntryName {
  readonly kind: WorldEntry['kind'];
  readonly id: string;
}

export interface WorldChange {
  readonly revision: number;
  readonly entries: readonly WorldEntry[];
  readonly removed: readonly WorldEntryName[];
}

/** One entry that was not taken over; its last good form goes on being served. */
export interface WorldRefusal extends WorldEntryName {
  readonly reason: string;
}

/** The blob's bytes from the local disk store, which are nobody else's; `null` when they cannot be had now. */
export type SnapshotSource = (digest: string) => Uint8Array | null | Promise<Uint8Array | null>;

/** There is no such stage, or there is one that cannot be linked. */
export type NoStage = 'ABSENT' | 'REFUSED';

export interface WorldKeeperOptions {
  readonly bindings: LinkBindings;
  /** Routes of linked stages kept at a time. */
  readonly routesMax?: number;
  /** Of one change, so many stages are linked before it is taken over; further ones only if they are in use. */
  readonly eagerLinksMax?: number;
  /** A stage could not be linked when a request asked for it. */
  readonly onRefusal?: (stage: SnapshotName, reason: string) => void;
  /** The stage is served, but one of its routes answers 500. */
  readonly onRefusedRoute?: (stage: SnapshotName, route: string, reason: string) => void;
  /** After a change of domain names or of their certificates. */
  readonly onDomainNames?: () => void;
}

/** Of stages that were read lately: their next snapshots are mostly the same text. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

interface Kept {
  readonly name: SnapshotName;
  /**
   * `null` once it is dropped. A Map that is rehashed leaves its former table behind, which goes on naming what it held, and the table
   * after it: as long as V8 collects young objects alone, one such table that got old keeps all stages that come after it.
   */
  linked: LinkedStage | null;
  /** `null` once it is dropped. */
  routing: Routing | null;
  readonly routeCount: number;
  /** Of `WorldKeeper.uses`. */
  lastUse: number;
}

export class WorldKeeper {
  private world = World.EMPTY;
  private source: SnapshotSource = () => null;
  /** By digest. */
  private readonly kept = new Map<string, Kept>();
  private keptRouteCount = 0;
  /** Digests of linked stages that may not be those of the current World any more, or not yet. */
  private readonly doubtful = new Set<string>();
  /**
   * By API, then stage: what requests of the current World found; forgotten when anything changes. A name that is joined for each request
   * would be hashed for each, too.
   */
  private readonly found = new Map<string, Map<string, Kept>>();
  private uses = 0;
  private readonly linking = new Map<string, Promise<LinkedStage>>();
  /** By digest: what this node cannot link. Asked for again and again, refused at once. */
  private readonly refused = new Map<string, SnapshotName>();
  private adopting: Promise<unknown> = Promise.resolve();
  private readonly turns = new Turns();
  /** By digest of what is kept. */
  private readonly texts = new RecentTexts(TEXT_BYTES_MAX);
  private readonly routesMax: number;
  private readonly eagerLinksMax: number;

  constructor(private readonly options: WorldKeeperOptions) {
    this.routesMax = options.routesMax ?? 200_000;
    this.eagerLinksMax = options.eagerLinksMax ?? 256;
  }

  /** To be read once per request. */
  get current(): World {
    return this.world;
  }

  get linkedCount(): number {
    return this.kept.size;
  }

  /** One change after the other; what is refused keeps its last good form. Never throws for what a change holds. */
  adopt(change: WorldChange, source: SnapshotSource): Promise<readonly WorldRefusal[]> {
    const result = this.adopting.then(() => this.adoptNow(change, source));
    this.adopting = result.catch(() => undefined);
    return result;
  }

  stage(world: World, apiId: string, stageName: string): LinkedStage | NoStage | Promise<LinkedStage | NoStage> {
    const isCurrent = world === this.world;
    const found = isCurrent ? this.found.get(apiId)?.get(stageName) : undefined;
    if (found !== undefined) {
      found.lastUse = ++this.uses;
      return found.linked!;
    }
    const name = world.stages.get(`${apiId}/${stageName}`);
    if (name === null) return 'ABSENT';
    const kept = this.kept.get(name.digest);
    if (kept !== undefined) {
      kept.lastUse = ++this.uses;
      if (isCurrent) this.noteFound(apiId, stageName, kept);
      return kept.linked!;
    }
    if (this.refused.has(name.digest)) return 'REFUSED';
    return this.link(name, null).catch((cause: unknown) => {
      this.options.onRefusal?.(name, (cause as Error).message);
      return 'REFUSED';
    });
  }

  private noteFound(apiId: string, stageName: string, kept: Kept): void {
    const stages = this.found.get(apiId);
    if (stages === undefined) this.found.set(apiId, new Map([[stageName, kept]]));
    else stages.set(stageName, kept);
  }

  private async adoptNow(change: WorldChange, source: SnapshotSource): Promise<readonly WorldRefusal[]> {
    this.source = source;
    this.turns.begin();
    const before = this.world;
    const refusals: WorldRefusal[] = [];
    const edits = new Edits(before);
    for (const { kind, id } of change.removed) edits.remove(kind, id);
    let eagerCount = 0;
    for (const entry of change.entries) {
      try {
        const name = edits.put(entry);
        if (name === null) continue;
        const former = this.kept.get(before.stages.get(entry.id)?.digest ?? '') ?? null;
        if (eagerCount++ < this.eagerLinksMax || former !== null) await this.link(name, former);
        edits.stages.set(entry.id, name);
        if (this.turns.isOver) await this.turns.next();
      } catch (cause) {
        refusals.push({ kind: entry.kind, id: entry.id, reason: (cause as Error).message });
      }
    }
    this.world = edits.apply(change.revision);
    this.found.clear();
    this.forgetUnpublished(before, edits.stages.keys());
    if (edits.concernsDomainNames) this.options.onDomainNames?.();
    return refusals;
  }

  /**
   * Rejects with what is wrong with the snapshot, or when its bytes cannot be had. `former`: of the stage's present snapshot, which has most of its
   * routes already.
   */
  private async link(name: SnapshotName, former: Kept | null): Promise<LinkedStage> {
    const present = this.kept.get(name.digest);
    if (present !== undefined) return present.linked!;
    let pending = this.linking.get(name.digest);
    if (pending === undefined) {
      pending = this.linkNow(name, former);
      this.linking.set(name.digest, pending);
      const over = (): void => void this.linking.delete(name.digest);
      pending.then(over, over);
    }
    return pending;
  }

  private async linkNow(name: SnapshotName, former: Kept | null): Promise<LinkedStage> {
    const { digest } = name;
    const bytes = await this.source(digest);
    if (bytes === null) throw new Error(`snapshot ${digest} is not on this node`);
    const { turns } = this;
    const routing = former?.routing ?? null;
    const text = routing === null ? null : this.texts.get(former!.name.digest);
    const formerRead = text === null ? null : { text, routes: routing!.routes };
    try {
      if (turns.isOver) await turns.next();
      const { snapshot, read } = await readSnapshotInTurns(bytes, name, formerRead, turns);
      if (read?.text.content !== bytes) giveBack(bytes);
      const tell = ({ route, reason }: RefusedRoute): void => this.options.onRefusedRoute?.(name, route, reason);
      const linking = { turns, former: routing, onRefusedLater: tell };
      const { refusedRoutes, ...linked } = await linkStageInTurns(snapshot, digest, this.options.bindings, linking);
      const { stage } = linked;
      refusedRoutes.forEach(tell);
      if (read !== null) this.texts.set(digest, read.text);
      this.keep({ name, linked: stage, routing: linked.routing, routeCount: routeCount(snapshot), lastUse: ++this.uses });
      return stage;
    } catch (cause) {
      // Not only LinkRefusal: a snapshot that a step factory stumbles over must not take the node down.
      const reason =
        cause instanceof LinkRefusal ? cause.message : `snapshot ${name.digest} cannot be linked: ${(cause as Error).message}`;
      this.refused.set(name.digest, name);
      throw new LinkRefusal(reason);
    }
  }

  private keep(entry: Kept): void {
    const { digest } = entry.name;
    this.kept.set(digest, entry);
    if (!this.isPublished(entry.name)) this.doubtful.add(digest);
    this.keptRouteCount += entry.routeCount;
    while (this.keptRouteCount > this.routesMax && this.kept.size > 1) this.drop(this.leastUsed(entry));
  }

  /** Looks at all of them: only a node that holds more than its budget asks, and only when it links another stage. */
  private leastUsed(other: Kept): Kept {
    let least: Kept | null = null;
    for (const kept of this.kept.values()) if (kept !== other && (least === null || kept.lastUse < least.lastUse)) least = kept;
    return least!;
  }

  private drop(entry: Kept): void {
    this.kept.delete(entry.name.digest);
    this.texts.delete(entry.name.digest);
    this.found.clear();
    this.keptRouteCount -= entry.routeCount;
    entry.linked = null;
    entry.routing = null;
  }

  /**
   * What the current World does not name any more is nobody's but that of requests in flight, which hold it themselves.
   * Looks at what changed, not at all that is linked.
   */
  private forgetUnpublished(before: World, changed: Iterable<string>): void {
    for (const key of changed) {
      const name = before.stages.get(key);
      if (name === null) continue;
      this.doubtful.add(name.digest);
      const linked = this.kept.get(name.digest)?.linked ?? null;
      const next = this.world.stages.get(key);
      if (next === null) this.forgetMetrics(name, linked);
      else if (linked?.canary && this.kept.get(next.digest)?.linked?.canary === null) this.forgetRoutes(linked.canary);
    }
    for (const digest of this.doubtful) {
      const kept = this.kept.get(digest);
      if (kept !== undefined && !this.isPublished(kept.name)) this.drop(kept);
    }
    this.doubtful.clear();
    for (const [digest, name] of this.refused) if (!this.isPublished(name)) this.refused.delete(digest);
  }

  /** Of a stage that is gone: a node would else remember every API that ever was. */
  private forgetMetrics({ tenant, apiId, stage }: SnapshotName, linked: LinkedStage | null): void {
    this.options.bindings.metrics.forget?.({ tenant, apiId, stage, resource: '*', httpMethod: '*' });
    if (linked === null) return;
    this.forgetRoutes(linked);
    if (linked.canary !== null) this.forgetRoutes(linked.canary);
  }

  private forgetRoutes(linked: LinkedStage): void {
    const { metrics } = this.options.bindings;
    for (const labels of labelsOf(linked)) metrics.forget?.(labels);
  }

  private isPublished({ apiId, stage, digest }: SnapshotName): boolean {
    return this.world.stages.get(`${apiId}/${stage}`)?.digest === digest;
  }
}

/** What a change does to the maps of a World. */
class Edits {
  readonly stages = new Map<string, SnapshotName | null>();
  private readonly keys = new Map<string, ApiKeyEntry | null>();
  private readonly plans = new Map<string, LinkedUsagePlan | null>();
  private readonly domainNames = new Map<string, LinkedDomainName | null>();
  private readonly certificates = new Map<string, LinkedCertificate | null>();
  private readonly accessKeys = new Map<string, LinkedAccessKey | null>();
  private readonly clientCertificates = new Map<string, LinkedCertificate | null>();
  private readonly services = new Map<string, LinkedServiceAccess | null>();

  constructor(private readonly before: World) {}

  remove(kind: WorldEntry['kind'], id: string): void {
    if (kind === 'STAGE') this.stages.set(id, null);
    else if (kind === 'USAGE_PLAN') this.plans.set(id, null);
    else if (kind === 'API_KEY') this.keys.set(id, null);
    else if (kind === 'DOMAIN_NAME') this.domainNames.set(id, null);
    else if (kind === 'CERTIFICATE') this.certificatesLike(id).set(id, null);
    else if (kind === 'ACCESS_KEY') this.accessKeys.set(id, null);
    else if (kind === 'SERVICE_ACCESS') this.services.set(id, null);
  }

  private certificatesLike(id: string): Map<string, LinkedCertificate | null> {
    return isClientCertificateEntryId(id) ? this.clientCertificates : this.certificates;
  }

  get concernsDomainNames(): boolean {
    return this.domainNames.size > 0 || this.certificates.size > 0;
  }

  /** The name of a stage, which its caller puts in once it is linked; `null` for what is in already. Throws for bad content. */
  put(entry: WorldEntry): SnapshotName | null {
    switch (entry.kind) {
      case 'STAGE': {
        const slash = entry.id.indexOf('/');
        if (slash <= 0 || entry.digest === null) throw new Error(`stage "${entry.id}" has no snapshot`);
        return { tenant: entry.tenant, apiId: entry.id.slice(0, slash), stage: entry.id.slice(slash + 1), digest: entry.digest };
      }
      case 'USAGE_PLAN': {
        const plan = parseInline<UsagePlanEntry>(entry, 'usagePlanId', checkUsagePlan);
        this.plans.set(entry.id, new LinkedUsagePlan(plan));
        return null;
      }
      case 'API_KEY': {
        this.keys.set(entry.id, parseInline<ApiKeyEntry>(entry, 'apiKeyId', checkApiKey));
        return null;
      }
      case 'DOMAIN_NAME': {
        const domain = parseInline<DomainNameEntry>(entry, 'domainName', checkDomainName);
        this.domainNames.set(entry.id, new LinkedDomainName(domain));
        return null;
      }
      case 'CERTIFICATE': {
        const certificate = parseInline<CertificateEntry>(entry, 'certificateId', checkCertificate, `${entry.tenant}:`);
        this.certificatesLike(entry.id).set(entry.id, new LinkedCertificate(certificate));
        return null;
      }
      case 'ACCESS_KEY': {
        const key = parseInline<AccessKeyEntry>(entry, 'accessKeyId', checkAccessKey);
        this.accessKeys.set(entry.id, new LinkedAccessKey(key));
        return null;
      }
      case 'SERVICE_ACCESS': {
        const access = parseInline<ServiceAccessEntry>(entry, 'tenant', checkServiceAccess);
        this.services.set(entry.id, new LinkedServiceAccess(access));
        return null;
      }
      case 'FUNCTION':
        return null; // the function runner's
    }
  }

  apply(revision: number): World {
    const { before } = this;
    return new World(
      revision,
      before.stages.with(this.stages),
      before.keys.with(this.keys),
      before.plans.with(this.plans),
      before.domainNames.with(this.domainNames),
      before.certificates.with(this.certificates),
      before.accessKeys.with(this.accessKeys),
      before.clientCertificates.with(this.clientCertificates),
      before.services.with(this.services),
    );
  }
}

function parseInline<T extends { readonly tenant: string }>(
  entry: WorldEntry,
  idMember: keyof T & string,
  check: Check,
  idPrefix = '',
): T {
  const content = parseJson(entry) as T;
  check(content, `${entry.kind} ${entry.id}`);
  if (content.tenant !== entry.tenant || `${idPrefix}${content[idMember] as string}` !== entry.id)
    throw new Error(`${entry.kind} ${entry.id}: its content belongs to something else`);
  return content;
}

/** Without the parser's message, which quotes what it could not read: there may be a key in it. */
function parseJson({ kind, id, inline }: WorldEntry): unknown {
  try {
    return JSON.parse(inline);
  } catch {
    throw new Error(`${kind} ${id}: its content is not JSON`);
  }
}
