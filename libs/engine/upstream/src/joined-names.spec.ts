import { ManualClock } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { Destination, FORBIDDEN, NO_ADDRESS, RESOLVING } from './destination.js';
import { JoinedNames, type Target } from './joined-names.js';
import { Resolver } from './resolver.js';
import { ScriptedNameService } from './scripted-name-service.js';
import { upstreamSettings } from './settings.js';
import { TenantAddressRules } from './tenant-address-rules.js';

const settings = upstreamSettings({ breaker: null });
const rules = new TenantAddressRules({ allow: [], refusedLoopbackPorts: [7090] });

function destination(targets: readonly Target[], isOperators = true, names = new ScriptedNameService()): Destination {
  const resolver = new Resolver({ names, settings: settings.resolver, clock: new ManualClock(0) });
  const ruling = isOperators ? rules.operatorsRules : rules.rulesFor('1');
  return new Destination({
    tenant: '1',
    port: 1,
    name: new JoinedNames(resolver, targets),
    rules: ruling,
    settings,
    random: () => 0,
  });
}

const picks = (from: Destination, count: number): string[] =>
  Array.from({ length: count }, () => {
    const picked = from.pick(0);
    return typeof picked === 'number' ? String(picked) : `${picked.address}:${picked.port}`;
  }).sort();

test('calls go to all targets in turn, each with its own port', () => {
  const targets = [
    { host: '10.0.0.5', port: 80 },
    { host: '10.0.0.5', port: 81 },
    { host: 'fd00::1', port: 82 },
  ];
  expect(picks(destination(targets), 6)).toEqual([
    '10.0.0.5:80',
    '10.0.0.5:80',
    '10.0.0.5:81',
    '10.0.0.5:81',
    'fd00::1:82',
    'fd00::1:82',
  ]);
});

test('the operator may name private and loopback addresses, but no port that is closed to all, and no metadata service', () => {
  expect(picks(destination([{ host: '127.0.0.1', port: 80 }]), 1)).toEqual(['127.0.0.1:80']);
  expect(picks(destination([{ host: '192.168.0.1', port: 80 }]), 1)).toEqual(['192.168.0.1:80']);
  expect(picks(destination([{ host: '127.0.0.1', port: 7090 }]), 1)).toEqual([String(FORBIDDEN)]);
  expect(picks(destination([{ host: '169.254.169.254', port: 80 }]), 1)).toEqual([String(FORBIDDEN)]);
});

test("a tenant's own targets are judged by the tenant's rules", () => {
  expect(picks(destination([{ host: '10.0.0.5', port: 80 }], false), 1)).toEqual([String(FORBIDDEN)]);
  expect(picks(destination([{ host: '192.0.2.7', port: 80 }], false), 1)).toEqual(['192.0.2.7:80']);
});

test('a name that is not there yet is waited for; beside a target that is there, it is not', async () => {
  const names = new ScriptedNameService();
  names.hangs('slow.example');
  const alone = destination([{ host: 'inner.example', port: 80 }], true, names);
  expect(alone.pick(0)).toBe(RESOLVING);
  const targets = [
    { host: 'slow.example', port: 80 },
    { host: '10.0.0.5', port: 81 },
  ];
  const both = destination(targets, true, names);
  expect(picks(both, 2)).toEqual(['10.0.0.5:81', '10.0.0.5:81']);
  await alone.whenResolved();
  expect(alone.pick(0)).toBe(NO_ADDRESS);
});
