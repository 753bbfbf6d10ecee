/** Why a TLS connection to an upstream failed, in words an operator can act on. What OpenSSL says is kept as the error's `cause`. */

/** What is wrong with the upstream's certificate, by the codes of Node and OpenSSL. */
const CERTIFICATE_FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the upstream's certificate has expired",
  CERT_NOT_YET_VALID: "the upstream's certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "the upstream's certificate is for another name",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the upstream's certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the upstream's certificate is of an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "the upstream's certificate is of an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the upstream's certificate is of an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the upstream's certificate is of an unknown authority",
  CERT_UNTRUSTED: "the upstream's certificate is of an unknown authority",
  CERT_REVOKED: "the upstream's certificate is revoked",
  CERT_SIGNATURE_FAILURE: "the upstream's certificate has a wrong signature",
  CERT_CHAIN_TOO_LONG: "the chain of the upstream's certificate is too long",
  INVALID_CA: "the upstream's certificate is signed by one that is no authority",
  INVALID_PURPOSE: "the upstream's certificate is not for servers",
  ERR_SSL_WRONG_VERSION_NUMBER: 'the upstream does not speak TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the upstream speaks no version of TLS that we do',
};

/** By number (RFC 8446 §6): the names in OpenSSL's codes change with its versions. */
const ALERTS: Readonly<Record<number, string>> = {
  40: 'the upstream refused the TLS handshake: no common ciphers, or it asks for a client certificate',
  43: 'the upstream does not support the kind of our client certificate',
  44: 'the upstream refused our client certificate: revoked',
  45: 'the upstream refused our client certificate: expired',
  46: 'the upstream refused our client certificate: not acceptable',
  48: 'the upstream refused our client certificate: of an authority it does not know',
  49: 'the upstream refused our client certificate: it may not come in',
  51: 'the upstream refused our client certificate: wrong signature',
  70: 'the upstream speaks no version of TLS that we do',
  112: 'the upstream has no certificate for the name',
  116: 'the upstream asks for a client certificate',
  120: 'the upstream speaks neither HTTP/2 nor HTTP/1.1',
};
const BAD_CERTIFICATE = 42;

/** The same error, if it is not one of TLS. `hasCertificate`: we were ready to send one. */
export function namedTlsFailure(cause: Error, hasCertificate: boolean): Error {
  const { code, message } = cause as NodeJS.ErrnoException;
  const alert = Number(/SSL alert number (\d+)/.exec(message)?.[1] ?? 0);
  const words = alert === BAD_CERTIFICATE ? badCertificate(hasCertificate) : (ALERTS[alert] ?? CERTIFICATE_FAULTS[code ?? '']);
  if (words === undefined) return cause;
  return new Error(`${words} (${alert === 0 ? code : `TLS alert ${alert}`})`, { cause });
}

/** Some servers say so of none at all. */
function badCertificate(hasCertificate: boolean): string {
  return hasCertificate ? 'the upstream refused our client certificate: bad' : 'the upstream asks for a client certificate';
}
