/** One page of metrics for a node with workers, asked for at each scrape. */
import { mergePages, pageOf, renderPage, sumsOnly, type MetricsPage, type MetricsRegistry } from '@gatehouse/telemetry';
import type { WorkerProcess } from './worker-processes.js';

/** A worker that says nothing for so long is shown as it was at the scrape before. */
const PATIENCE_MS = 1_000;

interface Scrape {
  readonly waiting: Set<WorkerProcess>;
  readonly done: () => void;
}

export class NodeMetrics {
  private readonly pages = new Map<WorkerProcess, MetricsPage>();
  /** Of pages that are still coming, by scrape. */
  private readonly parts = new Map<WorkerProcess, Map<number, MetricsPage[]>>();
  /** The sums of processes that are gone, as they were at the last scrape they lived to see. */
  private gone: MetricsPage | null = null;
  private readonly scrapes = new Map<number, Scrape>();
  private lastId = 0;

  constructor(
    private readonly own: MetricsRegistry,
    private readonly workers: () => readonly WorkerProcess[],
  ) {}

  async text(): Promise<string> {
    const workers = this.workers().filter(({ isServing }) => isServing);
    await this.ask(workers);
    const pages = [{ process: 'supervisor', page: pageOf(this.own) }];
    for (const worker of workers) {
      const page = this.pages.get(worker);
      if (page !== undefined) pages.push({ process: `worker ${worker.slot}`, page });
    }
    if (this.gone !== null) pages.push({ process: 'gone', page: this.gone });
    return renderPage(mergePages(pages));
  }

  received(worker: WorkerProcess, id: number, part: MetricsPage | null): void {
    let coming = this.parts.get(worker);
    if (coming === undefined) this.parts.set(worker, (coming = new Map()));
    const parts = coming.get(id) ?? [];
    if (part !== null) return void coming.set(id, [...parts, part]);
    coming.delete(id);
    if (parts.length > 0) this.pages.set(worker, { ...parts[0]!, series: parts.flatMap(({ series }) => series) });
    this.heard(id, worker);
  }

  ended(worker: WorkerProcess): void {
    const last = this.pages.get(worker);
    this.pages.delete(worker);
    this.parts.delete(worker);
    if (last !== undefined) {
      const pages = this.gone === null ? [] : [{ process: 'gone', page: this.gone }];
      this.gone = mergePages([...pages, { process: 'gone', page: sumsOnly(last) }]);
    }
    for (const id of this.scrapes.keys()) this.heard(id, worker);
  }

  private ask(workers: readonly WorkerProcess[]): Promise<void> {
    if (workers.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const id = ++this.lastId;
      const patience = setTimeout(() => this.scrapes.get(id)?.done(), PATIENCE_MS);
      const done = (): void => {
        clearTimeout(patience);
        this.scrapes.delete(id);
        resolve();
      };
      this.scrapes.set(id, { waiting: new Set(workers), done });
      for (const worker of workers) worker.send({ kind: 'page', id });
    });
  }

  private heard(id: number, worker: WorkerProcess): void {
    const scrape = this.scrapes.get(id);
    if (scrape === undefined) return;
    scrape.waiting.delete(worker);
    if (scrape.waiting.size === 0) scrape.done();
  }
}
