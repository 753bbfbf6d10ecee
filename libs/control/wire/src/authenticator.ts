import { ApiError, type Caller, type TenantDirectory } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import { readClaim, SIGNATURE_FAULT_STATUS, SignatureVerifier, type SignatureFault, type SignedRequest } from '@gatehouse/sigv4';

/** A request as it came over HTTP. */
export interface WireRequest extends SignedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
}

export interface AuthenticatorDependencies {
  readonly directory: TenantDirectory;
  readonly clock: Clock;
  /** Regions a signature may name; 'any' takes every name of AWS's form. Regions only name things here. */
  readonly regions: readonly string[] | 'any';
}

// Becomes part of ARNs and URLs, so its alphabet is closed.
const REGION = /^[a-z]{2,12}(-[a-z]{1,12}){1,3}-\d{1,2}$/;

/** Finds out who calls, from the signature. Shared by AWS's protocols and the admin API. */
export class Authenticator {
  private readonly directory: TenantDirectory;
  private readonly verifier: SignatureVerifier;
  private readonly isValidRegion: (region: string) => boolean;

  constructor({ directory, clock, regions }: AuthenticatorDependencies) {
    this.directory = directory;
    this.verifier = new SignatureVerifier(clock);
    this.isValidRegion = regions === 'any' ? (region) => REGION.test(region) : (region) => regions.includes(region);
  }

  /** Throws ApiError 403 in AWS's words. `services` are the names the credential scope may carry. */
  async authenticate(request: WireRequest, services: readonly string[]): Promise<Caller> {
    const { caller, callsOnly } = await this.identify(request, services);
    if (callsOnly)
      throw new ApiError(
        'AccessDeniedException',
        403,
        `User: ${caller.principalArn} may not manage APIs: the access key is one for calls alone`,
      );
    return caller;
  }

  /** For what everybody may ask who has a key, also one for calls alone. */
  async identify(request: WireRequest, services: readonly string[]): Promise<{ caller: Caller; callsOnly: boolean }> {
    const result = readClaim(request);
    if ('fault' in result) throw refusal(result.fault);
    const { claim } = result;
    const credential = await this.directory.credential(claim.accessKeyId);
    const owner = credential && { ...credential, session: credential.session ?? null };
    const fault = this.verifier.verify(request, claim, owner, { services, isValidRegion: this.isValidRegion });
    if (fault !== null) throw refusal(fault);
    const { tenant, accessKeyId, principalArn, session, callsOnly = false } = credential!;
    const madeBy = session && { madeBy: session.madeBy };
    return { caller: { tenant, accessKeyId, principalArn, ...madeBy, region: claim.region }, callsOnly };
  }
}

function refusal(fault: SignatureFault): ApiError {
  return new ApiError(fault.type, SIGNATURE_FAULT_STATUS, fault.message);
}
