import type { SessionCredentials, SessionSource } from '@gatehouse/control-wire';
import { publishSession } from '@gatehouse/control-publish';
import { ApiError, DuplicateKey, type Caller, type Session, type TenantRepositories, type TenantStore } from '@gatehouse/domain';
import { Secret, sha256Hex, type Clock, type IdSource } from '@gatehouse/kernel';

/** Ours: a session of the default length for each of a few thousand callers. */
const SESSIONS_MAX = 5_000;
const TOKEN_CHARS = 128;
const ID_ATTEMPTS = 3;

/**
 * Temporary credentials of a principal. They go with the key that asked for them: who disables a key that leaked means what was made with it, too.
 */
export class Sessions implements SessionSource {
  constructor(
    private readonly store: TenantStore,
    private readonly ids: IdSource,
    private readonly clock: Clock,
  ) {}

  create({ tenant, accessKeyId }: Caller, durationSeconds: number): Promise<SessionCredentials> {
    // Whole seconds, as they are told.
    const expiresAtMs = (Math.floor(this.clock.nowMs() / 1_000) + durationSeconds) * 1_000;
    const token = this.ids.secret(TOKEN_CHARS);
    return this.store.transact(tenant, async (tx) => {
      await tx.placement.lock();
      const key = await tx.accessKeys.find(accessKeyId);
      if (key === null || !key.enabled)
        throw new ApiError('UnrecognizedClientException', 403, 'The security token included in the request is invalid.');
      if ((await tx.sessions.count()) >= SESSIONS_MAX) throw new ApiError('Throttling', 400, 'Rate exceeded');
      const session = await this.insert(tx, { tokenDigest: sha256Hex(token), expiresAtMs, madeBy: accessKeyId });
      await publishSession(tx, session, key);
      return { accessKeyId: session.accessKeyId, secretAccessKey: session.secret.reveal(), sessionToken: token, expiresAtMs };
    });
  }

  private async insert(tx: TenantRepositories, terms: Pick<Session, 'tokenDigest' | 'expiresAtMs' | 'madeBy'>): Promise<Session> {
    for (let attempt = 1; ; attempt++) {
      const accessKeyId = `ASIA${this.ids.id(16).toUpperCase()}`;
      const session = { accessKeyId, tenant: tx.tenant, secret: new Secret(this.ids.secret(40)), ...terms };
      try {
        await tx.sessions.insert(session);
        return session;
      } catch (error) {
        if (!(error instanceof DuplicateKey) || attempt === ID_ATTEMPTS) throw error;
      }
    }
  }
}
