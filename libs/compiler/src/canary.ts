/**
 * The second deployment of a stage with a canary: a snapshot like any other, of which only what differs is written. What a route is may
 * depend on the stage's variables, which are in place by then, so routes are compared as they are compiled.
 */
import type { CanarySnapshot, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type { CanarySettings, Stage } from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { compareText } from './diagnostics.js';

/** Of a canary that nobody is sent to, nothing is published. */
export function canaryWithTraffic({ canarySettings }: Stage): CanarySettings | null {
  return canarySettings !== null && canarySettings.percentTraffic > 0 ? canarySettings : null;
}

/** The stage as its canary has it. */
export function stageOfCanary(stage: Stage, { stageVariableOverrides }: CanarySettings): Stage {
  return { ...stage, variables: { ...stage.variables, ...stageVariableOverrides }, canarySettings: null };
}

export function canaryDifference(base: StageSnapshot, canary: StageSnapshot, settings: CanarySettings): CanarySnapshot {
  const differing = Object.entries(canary).filter(
    ([name, value]) => name !== 'routes' && !isSame(value, base[name as keyof StageSnapshot]),
  );
  return {
    percentTraffic: settings.percentTraffic,
    useStageCache: settings.useStageCache,
    members: Object.fromEntries(differing),
    absent: Object.keys(base)
      .filter((name) => !Object.hasOwn(canary, name))
      .sort(compareText),
    routes: routesOf(base, canary),
  };
}

function routesOf(base: StageSnapshot, canary: StageSnapshot): (RouteSnapshot | number)[] {
  const indexes = new Map(base.routes.map((route, index) => [canonicalJson(route), index]));
  return canary.routes.map((route) => indexes.get(canonicalJson(route)) ?? route);
}

const isSame = (a: unknown, b: unknown): boolean => b !== undefined && canonicalJson(a) === canonicalJson(b);
