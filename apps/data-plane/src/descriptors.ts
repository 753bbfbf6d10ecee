/**
 * How the process's file descriptors are shared out. With none left libuv can only close callers unheard, or spin while they wait; so
 * callers and upstreams get less than there are together, and files, control stream and admin port have some of their own.
 */
import { readFileSync } from 'node:fs';

export interface DescriptorShares {
  readonly callers: number;
  readonly upstreams: number;
}

/** Of files, pipes, the control stream, the admin port and connections that are told that there is no room. */
const OWN_MIN = 64;
const OWN_MAX = 512;
const OWN_SHARE = 1 / 16;
/** Callers keep connections they do not use; those to upstreams are used again by the next call. */
const CALLERS_SHARE = 3 / 4;

export function descriptorShares(limit: number): DescriptorShares {
  if (limit === Number.POSITIVE_INFINITY) return { callers: limit, upstreams: limit };
  const own = Math.min(OWN_MAX, Math.max(OWN_MIN, Math.ceil(limit * OWN_SHARE)));
  const left = Math.max(2, limit - own);
  const callers = Math.floor(left * CALLERS_SHARE);
  return { callers, upstreams: left - callers };
}

/** Of this process; infinite where the system does not tell. Node has raised the soft limit to the hard one by now. */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY; // not Linux
  }
}
