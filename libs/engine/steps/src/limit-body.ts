import { CONTINUE, type Step, type StepFactory } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';

/** API Gateway's payload limit (data-plane reference §10.9). */
export const BODY_BYTES_MAX = 10 * 1024 * 1024;

/** By header now; what has no declared length is counted while it streams. */
export const limitBody: StepFactory = () => limit;

const limit: Step = (x) => {
  if (x.requestBody === null) return CONTINUE;
  const { declaredBytes } = x.requestBody;
  if (declaredBytes !== null && declaredBytes > BODY_BYTES_MAX)
    return x.fail(FAULTS.REQUEST_TOO_LARGE, null, 'reading Content-Length');
  x.bodyLimitBytes = BODY_BYTES_MAX;
  return CONTINUE;
};
