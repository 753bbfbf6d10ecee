/** Custom domain names of a World: which stage answers on a host, and which certificate its callers are shown. */
import type { BasePathMappingEntry, CertificateEntry, DomainNameEntry } from '@gatehouse/contracts';
import type { DomainNameView, MappedPath } from '@gatehouse/engine-exchange';
import { Secret } from '@gatehouse/kernel';

export class LinkedDomainName implements DomainNameView {
  private readonly byBasePath = new Map<string, BasePathMappingEntry>();
  /** Segments of the longest base path. */
  private readonly segmentsMax: number;

  constructor(readonly settings: DomainNameEntry) {
    let segmentsMax = 0;
    for (const mapping of settings.mappings) {
      this.byBasePath.set(mapping.basePath, mapping);
      if (mapping.basePath !== '') segmentsMax = Math.max(segmentsMax, mapping.basePath.split('/').length);
    }
    this.segmentsMax = segmentsMax;
  }

  /** The longest base path whose segments the path starts with; `null` when there is none. Slashes before it are ignored. */
  match(path: string): MappedPath | null {
    let start = 0;
    while (path[start] === '/') start++;
    let longest: MappedPath | null = this.at(path, '', 0);
    let end = start;
    for (let segments = 1; segments <= this.segmentsMax && end < path.length; segments++) {
      const slash = path.indexOf('/', segments === 1 ? start : end + 1);
      end = slash === -1 ? path.length : slash;
      longest = this.at(path, path.slice(start, end), end) ?? longest;
    }
    return longest;
  }

  private at(path: string, basePath: string, end: number): MappedPath | null {
    const mapping = this.byBasePath.get(basePath);
    return mapping === undefined ? null : { basePath, apiId: mapping.apiId, stage: mapping.stage, rest: path.slice(end) };
  }
}

/** A certificate as it was published; another object is another certificate. */
export class LinkedCertificate {
  readonly chainPem: string;
  readonly keyPem: Secret;
  readonly expiresAtMs: number;
  readonly hostNames: readonly string[];
  /** `{tenant}:{certificateId}`. */
  readonly id: string;

  constructor({ tenant, certificateId, chainPem, privateKeyPem, expiresAtMs, hostNames }: CertificateEntry) {
    this.id = `${tenant}:${certificateId}`;
    this.chainPem = chainPem;
    this.keyPem = new Secret(privateKeyPem);
    this.expiresAtMs = expiresAtMs;
    this.hostNames = hostNames;
  }
}
