import { isSigned } from '@gatehouse/contracts';
import { CONTINUE, lastHeader, type Step, type StepFactory } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { decodeBody } from './decode-body.js';

/** API Gateway's payload limit (data-plane reference §10.9), for tenants whose operator said nothing else. */
export const BODY_BYTES_MAX = 10 * 1024 * 1024;

/** By header now; what has no declared length is counted while it streams. Compressed bodies are counted twice: as they come, and decoded. */
export const limitBody: StepFactory = ({ stage: { payloadBytesMax }, route }) => {
  // What was signed is the body as it came: `iam/signature.ts` decodes it afterwards.
  if (isSigned(route.authorization)) return limitTo(payloadBytesMax ?? BODY_BYTES_MAX, false);
  return payloadBytesMax === undefined ? limitAsAws : limitTo(payloadBytesMax, true);
};

const limitTo =
  (bytesMax: number, decodes: boolean): Step =>
  (x) => {
    if (x.requestBody === null) return CONTINUE;
    const { declaredBytes } = x.requestBody;
    if (declaredBytes !== null && declaredBytes > bytesMax)
      return x.fail(FAULTS.REQUEST_TOO_LARGE, null, 'reading Content-Length');
    x.bodyLimitBytes = bytesMax;
    if (decodes && lastHeader(x.requestHeaders, 'content-encoding') !== null) return decodeBody(x, x.requestBody, bytesMax);
    return CONTINUE;
  };

/** One for all routes of all tenants without a limit of their own. */
const limitAsAws = limitTo(BODY_BYTES_MAX, true);
