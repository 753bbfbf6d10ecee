/**
 * Certificates of a folder: pairs `<name>.crt` and `<name>.key` in PEM; their SANs say for which hosts they are, the file's name
 * only labels them. `default.crt` is for callers that name no host or one nobody knows.
 *
 * Changes are taken up by themselves, some moments after the last of them. A pair that cannot be used is reported by its name and
 * never takes the place of a good one; a pair whose both files are gone is gone.
 */
import { Secret, type Clock } from '@gatehouse/kernel';
import { watch, type FSWatcher, type Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { isProblem, readCertificate, type Certificate, type CertificateProblem } from './certificate.js';
import { indexByHostName, type CertificateSource } from './certificate-source.js';

export interface FolderCertificatesOptions {
  readonly clock: Clock;
  /** Told after every reading that found something changed, for the better or the worse. */
  readonly onRead?: (summary: FolderSummary) => void;
  /** Files are read so long after the last change: a pair is written in two steps. */
  readonly settleMs?: number;
  /** The folder is looked at this often even when nothing was heard: some file systems tell nothing. */
  readonly rescanMs?: number;
}

export interface FolderSummary {
  readonly certificateCount: number;
  readonly problems: readonly CertificateProblem[];
}

const DEFAULT_LABEL = 'default';

/** A pair as it was read, good or not; `stamp` changes with its files. */
interface Reading {
  readonly stamp: string;
  readonly certificate: Certificate | null;
  readonly problem: CertificateProblem | null;
}

export class FolderCertificates implements CertificateSource {
  onChange: (() => void) | null = null;
  private byName: ReadonlyMap<string, Certificate> = new Map();
  private readings: ReadonlyMap<string, Reading> = new Map();
  private folderProblem: CertificateProblem | null = null;
  private watcher: FSWatcher | null = null;
  private settling: NodeJS.Timeout | null = null;
  private rescan: NodeJS.Timeout | null = null;
  private reading: Promise<void> = Promise.resolve();
  private isClosed = false;

  private constructor(
    private readonly folder: string,
    private readonly options: FolderCertificatesOptions,
  ) {}

  /** After the first reading. A folder that is not there is a problem to be told of, not an error: it may come. */
  static async open(folder: string, options: FolderCertificatesOptions): Promise<FolderCertificates> {
    const certificates = new FolderCertificates(folder, options);
    certificates.watch();
    await certificates.read();
    certificates.rescan = setInterval(() => {
      if (certificates.watcher === null) certificates.watch();
      void certificates.read();
    }, options.rescanMs ?? 60_000).unref();
    return certificates;
  }

  get fallback(): Certificate | null {
    return this.readings.get(DEFAULT_LABEL)?.certificate ?? null;
  }

  find(hostName: string): Certificate | null {
    return this.byName.get(hostName) ?? null;
  }

  has(certificate: Certificate): boolean {
    return this.readings.get(certificate.label)?.certificate === certificate;
  }

  *all(): Iterable<Certificate> {
    for (const { certificate } of this.readings.values()) if (certificate !== null) yield certificate;
  }

  get problems(): readonly CertificateProblem[] {
    const pairs = [...this.readings.values()].flatMap(({ problem }) => (problem === null ? [] : [problem]));
    return this.folderProblem === null ? pairs : [this.folderProblem, ...pairs];
  }

  /** Reads what has changed; readings take place one after the other. */
  read(): Promise<void> {
    this.reading = this.reading.then(() => this.readOnce());
    return this.reading;
  }

  close(): void {
    this.isClosed = true;
    this.watcher?.close();
    if (this.settling !== null) clearTimeout(this.settling);
    if (this.rescan !== null) clearInterval(this.rescan);
  }

  private watch(): void {
    try {
      this.watcher = watch(this.folder, () => this.settle()).unref();
      this.watcher.on('error', () => {
        this.watcher?.close();
        this.watcher = null; // tried again at the next rescan
      });
    } catch {
      this.watcher = null;
    }
  }

  private settle(): void {
    if (this.isClosed) return;
    if (this.settling !== null) clearTimeout(this.settling);
    this.settling = setTimeout(() => void this.read(), this.options.settleMs ?? 500).unref();
  }

  private async readOnce(): Promise<void> {
    if (this.isClosed) return;
    const labels = await this.labels();
    if (labels === null) return; // what was there stays in use
    const readings = new Map<string, Reading>();
    let isChanged = labels.length !== this.readings.size || this.folderProblem !== null;
    this.folderProblem = null;
    for (const label of labels) {
      const before = this.readings.get(label);
      const reading = await this.readPair(label, before);
      if (reading !== before) isChanged = true;
      readings.set(label, reading);
    }
    this.readings = readings;
    this.byName = indexByHostName(this.all());
    if (!isChanged) return;
    this.onChange?.();
    this.tell();
  }

  private tell(): void {
    this.options.onRead?.({ certificateCount: [...this.all()].length, problems: this.problems });
  }

  private async labels(): Promise<string[] | null> {
    try {
      const labels = new Set<string>();
      for (const file of await readdir(this.folder)) {
        if (!file.startsWith('.') && (file.endsWith('.crt') || file.endsWith('.key'))) labels.add(file.slice(0, -'.crt'.length));
      }
      return [...labels].sort();
    } catch (cause) {
      const message = `${this.folder}: ${(cause as Error).message}`;
      const isNews = this.folderProblem?.message !== message;
      this.folderProblem = { label: this.folder, fault: 'UNREADABLE', message };
      if (isNews) this.tell();
      return null;
    }
  }

  private async readPair(label: string, before: Reading | undefined): Promise<Reading> {
    const file = (extension: string): string => path.join(this.folder, label + extension);
    const stamp = `${await stampOf(file('.crt'))} ${await stampOf(file('.key'))}`;
    if (before?.stamp === stamp) return before;
    const good = before?.certificate ?? null;
    const read = await this.readText(label, file('.crt'), file('.key'));
    if (!isProblem(read)) return { stamp, certificate: read, problem: null };
    return { stamp, certificate: good, problem: read };
  }

  private async readText(label: string, crt: string, key: string): Promise<Certificate | CertificateProblem> {
    try {
      const chainPem = await readFile(crt, 'utf8');
      const keyPem = new Secret(await readFile(key, 'utf8'));
      return readCertificate({ label, chainPem, keyPem, isDefault: label === DEFAULT_LABEL }, this.options.clock.nowMs());
    } catch (cause) {
      return { label, fault: 'UNREADABLE', message: `${label}: ${(cause as Error).message}` };
    }
  }
}

/** Another one whenever the file is written or replaced. */
async function stampOf(file: string): Promise<string> {
  const stats: Stats | null = await stat(file).catch(() => null);
  return stats === null ? '-' : `${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;
}
