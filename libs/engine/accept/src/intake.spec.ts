import { Exchange, HeaderBlock, type DomainNameView } from '@gatehouse/engine-exchange';
import type { World, WorldKeeper } from '@gatehouse/engine-link';
import { expect, test } from 'vitest';
import { Intake } from './index.js';

/** Where a custom domain name leads in one World. */
function worldOf(apiId: string): World {
  const domainName = {
    match: (path: string) => ({ basePath: null, apiId, stage: 'prod', rest: path }),
  } as unknown as DomainNameView;
  return { domainName: () => domainName } as unknown as World;
}

/** Asks for the same with the same head, as a caller does that keeps its connection; tells which stages were looked for. */
class RepeatingCaller {
  readonly asked: string[] = [];
  readonly worlds = { current: worldOf('first'), stage: this.stage.bind(this) };
  private readonly intake = new Intake({ worlds: this.worlds as unknown as WorldKeeper, baseDomain: 'localhost' });
  private readonly block = new HeaderBlock(['Host', 'a.example']);

  private stage(_world: unknown, apiId: string, stage: string): string {
    this.asked.push(`${apiId}/${stage}`);
    return 'ABSENT';
  }

  ask(url: string, host = 'a.example'): Exchange {
    const x = new Exchange();
    x.requestBlock = this.block;
    x.requestHeaders = this.block.fields;
    this.intake.identify(x, url, 0);
    this.intake.start(x, host, url);
    return x;
  }
}

test('a request that repeats another leads where the World of this moment says, not where it led before', () => {
  const caller = new RepeatingCaller();
  caller.ask('/pets');
  caller.ask('/pets');
  caller.worlds.current = worldOf('second');
  caller.ask('/pets');
  expect(caller.asked).toEqual(['first/prod', 'first/prod', 'second/prod']);
});

test('headers that come again with another target, or another host, lead there', () => {
  const caller = new RepeatingCaller();
  const shown = [
    ['/pets'],
    ['/pets?a=1'],
    ['/dogs'],
    ['/_aws/execute-api/abc/dev/x', 'b.example'],
    ['/_aws/execute-api/abc/dev/x', 'c.example'],
  ].map(([url, host]) => {
    const { path, rawQuery, host: seen } = caller.ask(url!, host);
    return [seen, path, rawQuery];
  });
  expect(shown).toEqual([
    ['a.example', '/pets', ''],
    ['a.example', '/pets', 'a=1'],
    ['a.example', '/dogs', ''],
    ['b.example', '/dev/x', ''],
    ['c.example', '/dev/x', ''],
  ]);
  expect([caller.ask('/../x').fault?.name, caller.ask('/../x').fault?.name]).toEqual(['MALFORMED_TARGET', 'MALFORMED_TARGET']);
});
