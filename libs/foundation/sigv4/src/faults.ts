/** Why a signature is refused, in AWS's words. All of them are answered with status 403. */
export interface SignatureFault {
  readonly type:
    | 'MissingAuthenticationTokenException'
    | 'IncompleteSignatureException'
    | 'UnrecognizedClientException'
    | 'ExpiredTokenException'
    | 'InvalidSignatureException';
  readonly message: string;
}

export const SIGNATURE_FAULT_STATUS = 403;

export const missingToken: SignatureFault = {
  type: 'MissingAuthenticationTokenException',
  message: 'Missing Authentication Token',
};
export const unknownClient: SignatureFault = {
  type: 'UnrecognizedClientException',
  message: 'The security token included in the request is invalid.',
};
export const expiredToken: SignatureFault = {
  type: 'ExpiredTokenException',
  message: 'The security token included in the request is expired',
};
export const wrongSignature: SignatureFault = {
  type: 'InvalidSignatureException',
  message:
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and ' +
    'signing method. Consult the service documentation for details.',
};
export const incomplete = (message: string): SignatureFault => ({ type: 'IncompleteSignatureException', message });
export const invalid = (message: string): SignatureFault => ({ type: 'InvalidSignatureException', message });
