import type { Secret } from '@gatehouse/kernel';
import { badRequest, notFound } from '../errors.js';
import type { PatchRules } from '../patch/patch.js';
import { property, textOrNull } from '../patch/rules.js';
import type { TextMap } from '../rest-apis/rest-api.js';

/** What a stage shows its backends, so that they know who calls. Gatehouse makes the key; nobody is ever shown it. */
export interface ClientCertificate {
  readonly id: string;
  readonly description: string | null;
  /** PEM; signed by its own key. */
  readonly certificatePem: string;
  /** PKCS #8, PEM. */
  readonly privateKeyPem: Secret;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly tags: TextMap;
}

/** UpdateClientCertificate. */
export const clientCertificatePatchRules: PatchRules<ClientCertificate> = {
  style: 'listsPaths',
  rules: [property('/description', 'description', textOrNull)],
};

// The wording of both is ours: AWS's is not known.
export const unknownClientCertificate = (): Error => notFound('Invalid client certificate identifier specified');
/** Of a stage that names one: what is wrong is the stage's setting. */
export const noSuchClientCertificate = (): Error => badRequest('Invalid client certificate identifier specified');
