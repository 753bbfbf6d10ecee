import { Destinations, type DestinationsOptions } from './destinations.js';
import type { NameService } from './name-service.js';
import { NodeNameService } from './node-name-service.js';
import { Resolver } from './resolver.js';
import { upstreamSettings, type UpstreamSettingsOverrides } from './settings.js';

export interface OpenDestinationsOptions {
  readonly rules: DestinationsOptions['rules'];
  readonly names?: NameService;
  readonly settings?: UpstreamSettingsOverrides;
}

/** A process's destinations on the clock of `performance.now()`, which steps by nobody's hand. Throws for bad settings. */
export function openDestinations({ rules, names = new NodeNameService(), settings }: OpenDestinationsOptions): Destinations {
  const all = upstreamSettings(settings);
  const clock = { nowMs: () => performance.now() };
  return new Destinations({ resolver: new Resolver({ names, settings: all.resolver, clock }), rules, settings: all });
}
