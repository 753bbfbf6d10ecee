import type { NameAnswer, NameService, ResolvedAddress } from './name-service.js';

type Said = { readonly addresses: readonly string[]; readonly ttlMs: number | null } | { readonly code: string } | 'HANGS';

/** The fake: says about each name what it was told to, counts questions, and knows nothing of other names. */
export class ScriptedNameService implements NameService {
  readonly asked: string[] = [];
  private readonly script = new Map<string, Said>();

  answers(host: string, addresses: readonly string[], ttlMs: number | null = 60_000): void {
    this.script.set(host, { addresses, ttlMs });
  }

  fails(host: string, code = 'ENOTFOUND'): void {
    this.script.set(host, { code });
  }

  hangs(host: string): void {
    this.script.set(host, 'HANGS');
  }

  async lookUp(host: string): Promise<NameAnswer> {
    this.asked.push(host);
    const said = this.script.get(host) ?? { code: 'ENOTFOUND' };
    if (said === 'HANGS') return new Promise(() => {});
    if ('code' in said) throw Object.assign(new Error(`${said.code} ${host}`), { code: said.code });
    return { addresses: said.addresses.map(toAddress), ttlMs: said.ttlMs };
  }
}

const toAddress = (address: string): ResolvedAddress => ({ address, family: address.includes(':') ? 6 : 4 });
