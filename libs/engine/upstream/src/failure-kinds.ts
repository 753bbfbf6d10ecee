/**
 * How a call failed, seen from outside the upstream's application.
 *
 *                    ejects an address   opens the breaker
 *   CONNECT_FAILED         yes                 yes           refused, unreachable, not in time, TLS handshake
 *   RESET                  yes                 yes           broke before the whole answer was there
 *   TIMEOUT                yes                 yes           connected, but no (whole) answer in time
 *   UNREADABLE             yes                 yes           what came is no HTTP answer
 *   GATEWAY_STATUS         yes                 no            an answer with status 502, 503 or 504
 *
 * Other 5xx are no failure at all: they are the application's answer to this request. One route with a bug answers 500 to every
 * call while its neighbours on the same origin work, and its caller must see that answer, not our 503. A 502-504 says that
 * *this address* is in trouble (a proxy before a dead process, a process that is shutting down), so another one is tried; but
 * the answer, often with its own Retry-After, is still the upstream's to give.
 */
export const CONNECT_FAILED = 1;
export const RESET = 2;
export const TIMEOUT = 3;
export const UNREADABLE = 4;
export const GATEWAY_STATUS = 5;
export type FailureKind = typeof CONNECT_FAILED | typeof RESET | typeof TIMEOUT | typeof UNREADABLE | typeof GATEWAY_STATUS;
