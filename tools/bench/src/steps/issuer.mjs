// An OpenID Connect issuer with one key, and a token of its for a day.
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';

const DAY_SECONDS = 86_400;

/** Listens on localhost, with a certificate for that name. Returns its address, `token`, and `close`. */
export async function startIssuer({ crt, key }) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const documents = {};
  const server = https.createServer({ cert: readFileSync(crt), key: readFileSync(key) }, ({ url }, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(documents[url] ?? {}));
  });
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const authority = `localhost:${server.address().port}`;
  const issuer = `https://${authority}`;
  documents['/.well-known/openid-configuration'] = { issuer, jwks_uri: `${issuer}/keys` };
  documents['/keys'] = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }] };
  const nowSeconds = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, sub: 'bench', aud: 'bench', iat: nowSeconds, exp: nowSeconds + DAY_SECONDS, token_use: 'id' };
  const encoded = [{ alg: 'RS256', kid: 'bench' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signature = sign('sha256', Buffer.from(encoded.join('.')), privateKey).toString('base64url');
  return { authority, token: `${encoded.join('.')}.${signature}`, close: () => server.close() };
}
