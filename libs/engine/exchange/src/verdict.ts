/** What a step tells the runner. A small number: compared, never allocated. */
export const CONTINUE = 0;
/** The request half is over; go on with the response half. */
export const RESPOND = 1;
/** `x.fault` is set; render it and run no further step. */
export const FAULT = 2;

/** The step goes on later: it calls `x.proceed` once, never before it has returned this. */
export const PENDING = 3;

/** What a step decided. */
export type Verdict = typeof CONTINUE | typeof RESPOND | typeof FAULT;
