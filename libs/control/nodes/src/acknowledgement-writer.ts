/**
 * Writes down what nodes have acknowledged: the first at once after a quiet time, what comes right behind it together, of all nodes of this
 * control plane in one statement. Nodes repeat what they have with every heartbeat, so what cannot be written now is not kept.
 */
import type { HeardNode, NodeRegistry } from '@gatehouse/domain';
import type { NodesLog } from './log.js';

/** The registry is behind by so much at most; nobody who waits for a deployment waits for this. */
const GATHER_MS = 100;

/** Told when it stands in the registry. */
export type Acknowledgement = HeardNode & { readonly onWritten: () => void };

export interface AcknowledgementReaders {
  /** Somebody waits for the registry to change. */
  readonly isAwaited: () => boolean;
  readonly onWritten: () => void;
}

export class AcknowledgementWriter {
  /** The newest of each node. */
  private waiting = new Map<string, Acknowledgement>();
  private writing: Promise<void> | null = null;
  private pause: NodeJS.Timeout | null = null;

  constructor(
    private readonly nodes: Pick<NodeRegistry, 'heard'>,
    private readonly log: NodesLog,
    private readonly readers: AcknowledgementReaders,
  ) {}

  add(acknowledgement: Acknowledgement): void {
    this.waiting.set(acknowledgement.nodeId, acknowledgement);
    this.writeSoon();
  }

  /** Somebody waits from now on. */
  hurry(): void {
    if (this.waiting.size > 0) this.writeSoon();
  }

  /** The node's stream is over: resolves when nothing of it is under way. */
  async leave(nodeId: string, epoch: number): Promise<void> {
    if (this.waiting.get(nodeId)?.epoch === epoch) this.waiting.delete(nodeId);
    await this.writing;
  }

  close(): void {
    if (this.pause !== null) clearTimeout(this.pause);
    this.waiting.clear();
  }

  private writeSoon(): void {
    if (this.writing !== null || (this.pause !== null && !this.readers.isAwaited())) return;
    if (this.pause !== null) clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      this.pause = null;
      if (this.waiting.size > 0) this.writeSoon();
    }, GATHER_MS);
    this.writing = this.write().finally(() => {
      this.writing = null;
      if (this.waiting.size > 0) this.writeSoon();
    });
  }

  private async write(): Promise<void> {
    const heard = [...this.waiting.values()];
    this.waiting = new Map();
    try {
      await this.nodes.heard(heard.map(({ nodeId, epoch, revision, atMs }) => ({ nodeId, epoch, revision, atMs })));
    } catch (cause) {
      this.log.warn({ err: cause, nodes: heard.map(({ nodeId }) => nodeId) }, 'acknowledgements could not be recorded');
      return;
    }
    for (const { onWritten } of heard) onWritten();
    this.readers.onWritten();
  }
}
