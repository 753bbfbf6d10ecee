import type { ApiGateway } from '@gatehouse/aws-api';
import type { Handlers } from '@gatehouse/control-wire';
import { pageRequest, type TenantStore } from '@gatehouse/domain';
import type { Clock, IdSource } from '@gatehouse/kernel';
import { clientCertificateToWire, newVpcLinkToWire, vpcLinkToWire } from './backend-access.wire.js';
import { ClientCertificates } from './client-certificates.service.js';
import { VpcLinks } from './vpc-links.service.js';

export interface BackendAccessDependencies {
  readonly store: TenantStore;
  readonly clock: Clock;
  readonly ids: IdSource;
}

export type BackendAccessOperations = Handlers<
  ApiGateway.Operations,
  | 'GenerateClientCertificate'
  | 'GetClientCertificate'
  | 'GetClientCertificates'
  | 'UpdateClientCertificate'
  | 'DeleteClientCertificate'
  | 'CreateVpcLink'
  | 'GetVpcLink'
  | 'GetVpcLinks'
  | 'UpdateVpcLink'
  | 'DeleteVpcLink'
>;

export function backendAccessOperations({ store, clock, ids }: BackendAccessDependencies): BackendAccessOperations {
  const certificates = new ClientCertificates(store, clock, ids);
  const links = new VpcLinks(store, ids);
  return {
    GenerateClientCertificate: async ({ caller }, { description = '', tags = {} }) =>
      clientCertificateToWire(
        await certificates.generate(caller.tenant, { description: description === '' ? null : description, tags }),
      ),
    GetClientCertificate: async ({ caller }, input) =>
      clientCertificateToWire(await certificates.find(caller.tenant, input.clientCertificateId)),
    GetClientCertificates: async ({ caller }, input) => {
      const { items, next } = await certificates.page(caller.tenant, pageRequest(input));
      return { items: items.map(clientCertificateToWire), position: next ?? undefined };
    },
    UpdateClientCertificate: async ({ caller }, input) =>
      clientCertificateToWire(await certificates.update(caller.tenant, input.clientCertificateId, input.patchOperations)),
    DeleteClientCertificate: ({ caller }, input) => certificates.remove(caller.tenant, input.clientCertificateId),

    CreateVpcLink: async ({ caller }, input) => newVpcLinkToWire(await links.create(caller.tenant, input)),
    GetVpcLink: async ({ caller }, input) => {
      const link = await links.find(caller.tenant, input.vpcLinkId);
      return { ...vpcLinkToWire(link), tags: link.tags };
    },
    GetVpcLinks: async ({ caller }, input) => {
      const { items, next } = await links.page(caller.tenant, pageRequest(input));
      return { items: items.map(vpcLinkToWire), position: next ?? undefined };
    },
    UpdateVpcLink: async ({ caller }, input) => {
      const link = await links.update(caller.tenant, input.vpcLinkId, input.patchOperations);
      return { ...vpcLinkToWire(link), tags: link.tags };
    },
    DeleteVpcLink: ({ caller }, input) => links.remove(caller.tenant, input.vpcLinkId),
  };
}
