// A signature as the AWS SDK makes it.
import { NodeSha256 } from '@gatehouse/testkit';
import { SignatureV4 } from '@smithy/signature-v4';

/** The headers of a GET, those of its signature among them. `management`: region and credentials of the caller. */
export async function signedHeaders(url, { Host, ...headers }, { credentials, region }) {
  const signer = new SignatureV4({ service: 'execute-api', region, credentials, sha256: NodeSha256 });
  const request = {
    method: 'GET',
    protocol: 'http:',
    hostname: Host,
    path: new URL(url).pathname,
    headers: { host: Host, ...headers },
  };
  const { headers: signed } = await signer.sign(request);
  delete signed.host;
  return { Host, ...signed };
}
