/** What a World knows of how a tenant's integrations reach AWS services. */
import type { RoleCredentialsEntry, ServiceAccessEntry, ServiceEndpointEntry } from '@gatehouse/contracts';
import type { RoleCredentials, ServiceAccessView } from '@gatehouse/engine-exchange';
import { Secret } from '@gatehouse/kernel';

export class LinkedServiceAccess implements ServiceAccessView {
  private readonly services: ReadonlyMap<string, ServiceEndpointEntry>;
  private readonly roles: ReadonlyMap<string, RoleCredentials>;

  constructor({ services, roles }: ServiceAccessEntry) {
    this.services = new Map(Object.entries(services));
    this.roles = new Map(Object.entries(roles).map(([name, credentials]) => [name, sealed(credentials)]));
  }

  endpoint(service: string): ServiceEndpointEntry | null {
    return this.services.get(service) ?? null;
  }

  role(name: string): RoleCredentials | null {
    return this.roles.get(name) ?? null;
  }
}

/** Whoever prints them prints no secret. */
const sealed = ({ accessKeyId, secretAccessKey, sessionToken }: RoleCredentialsEntry): RoleCredentials => ({
  accessKeyId,
  secret: new Secret(secretAccessKey),
  sessionToken: sessionToken === null ? null : new Secret(sessionToken),
});
