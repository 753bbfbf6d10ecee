import type { NodeRecord, NodeRefusal } from '../../publish/publish.js';
import type { HeardNode, NodeRegistry } from '../store.js';
import type { InMemoryManifestLog } from './manifest.js';
import { compareText, copyOf, keyText } from './rows.js';

export class InMemoryNodes implements NodeRegistry {
  readonly #nodes = new Map<string, NodeRecord>();
  readonly #refusals = new Map<string, NodeRefusal>();

  constructor(private readonly manifest: InMemoryManifestLog) {}

  async connected(node: NodeRecord): Promise<void> {
    const known = this.#nodes.get(node.nodeId);
    if (known === undefined || known.epoch <= node.epoch) this.#nodes.set(node.nodeId, copyOf(node));
  }

  async turnedAway(node: NodeRecord): Promise<void> {
    const known = this.#nodes.get(node.nodeId);
    const { ackedRevision, ackedAtMs } = known ?? node;
    await this.connected({ ...node, ackedRevision, ackedAtMs });
  }

  async heard(nodes: readonly HeardNode[]): Promise<void> {
    for (const node of nodes) this.#hear(node);
  }

  #hear({ nodeId, epoch, revision, atMs }: HeardNode): void {
    const isKnown = this.#change(nodeId, epoch, (node) =>
      revision !== null && revision >= node.ackedRevision
        ? { ackedRevision: revision, ackedAtMs: atMs, connected: true, lastSeenAtMs: atMs }
        : { connected: true, lastSeenAtMs: atMs },
    );
    if (!isKnown || revision === null) return;
    for (const [key, refusal] of this.#refusals) {
      if (refusal.nodeId !== nodeId) continue;
      const entries = [...this.manifest.entries.values()].filter(
        (entry) => entry.kind === refusal.kind && entry.id === refusal.entryId,
      );
      const isStill = entries.some((entry) => entry.revision <= refusal.revision || entry.revision > revision);
      if (!isStill) this.#refusals.delete(key);
    }
  }

  async refused(refusal: NodeRefusal): Promise<void> {
    const key = keyText(refusal.nodeId, refusal.kind, refusal.entryId);
    const known = this.#refusals.get(key);
    if (!this.#nodes.has(refusal.nodeId) || (known !== undefined && known.revision > refusal.revision)) return;
    this.#refusals.set(key, copyOf(refusal));
  }

  async disconnected(nodeId: string, epoch: number, atMs: number): Promise<void> {
    this.#change(nodeId, epoch, () => ({ connected: false, lastSeenAtMs: atMs }));
  }

  async list(): Promise<NodeRecord[]> {
    return [...this.#nodes.values()].sort((left, right) => compareText(left.nodeId, right.nodeId)).map(copyOf);
  }

  async refusals(): Promise<NodeRefusal[]> {
    const place = (row: NodeRefusal) => keyText(row.nodeId, row.kind, row.entryId);
    return [...this.#refusals.values()].sort((left, right) => compareText(place(left), place(right))).map(copyOf);
  }

  async forget(beforeMs: number): Promise<number> {
    let forgotten = 0;
    for (const [nodeId, node] of this.#nodes) {
      if (node.lastSeenAtMs >= beforeMs) continue;
      this.#nodes.delete(nodeId);
      for (const [key, refusal] of this.#refusals) if (refusal.nodeId === nodeId) this.#refusals.delete(key);
      forgotten++;
    }
    return forgotten;
  }

  /** False when the node is unknown or has started anew since. */
  #change(nodeId: string, epoch: number, change: (node: NodeRecord) => Partial<NodeRecord>): boolean {
    const node = this.#nodes.get(nodeId);
    if (node === undefined || node.epoch !== epoch) return false;
    this.#nodes.set(nodeId, { ...node, ...change(node) });
    return true;
  }
}
