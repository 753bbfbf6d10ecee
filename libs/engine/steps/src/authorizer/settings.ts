import type { AuthorizerSnapshot, StageSnapshot } from '@gatehouse/contracts';
import { LinkRefusal } from '@gatehouse/engine-exchange';

/** Of one that can be asked. Throws LinkRefusal. */
export function settingsOf(
  { authorizers = {} }: StageSnapshot,
  authorizerId: string,
): Exclude<AuthorizerSnapshot, { readonly type: 'REFUSE' }> {
  const settings = Object.hasOwn(authorizers, authorizerId) ? authorizers[authorizerId]! : null;
  if (settings === null) throw new LinkRefusal(`authorizer ${authorizerId} is not in the snapshot`);
  if (settings.type === 'REFUSE') throw new LinkRefusal(`authorizer ${authorizerId}: ${settings.reason}`);
  return settings;
}
