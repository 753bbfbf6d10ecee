import type { CanarySnapshot, StageSnapshot } from '@gatehouse/contracts';
import { LinkRefusal } from '@gatehouse/engine-exchange';

/** A canary's whole snapshot, put together from what it has of its own and what is around it. Throws LinkRefusal. */
export function snapshotOfCanary(
  { canary: _, ...base }: StageSnapshot,
  { members, absent, routes }: CanarySnapshot,
): StageSnapshot {
  const kept = Object.fromEntries(Object.entries(base).filter(([name]) => !absent.includes(name))) as Omit<
    StageSnapshot,
    'canary'
  >;
  return {
    ...kept,
    ...members,
    // Whose it is, the manifest says: nothing in a snapshot makes it another's.
    tenant: base.tenant,
    apiId: base.apiId,
    stage: base.stage,
    routes: routes.map((route) => {
      if (typeof route !== 'number') return route;
      const shared = base.routes[route];
      if (shared === undefined) throw new LinkRefusal(`canary: there is no route ${route}`);
      return shared;
    }),
  };
}
