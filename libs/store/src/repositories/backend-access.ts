import type { ClientCertificate, ClientCertificateRepository, PageRequest, VpcLink, VpcLinkRepository } from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import { document, fromDocument, PrismaRepository, type TransactionScope } from './prisma-repository.js';

export class PrismaClientCertificates
  extends PrismaRepository<string, ClientCertificate, rows.ClientCertificate>
  implements ClientCertificateRepository
{
  constructor(scope: TransactionScope) {
    const place = (id: string) => `client certificate ${scope.tenant}/${id}`;
    super(scope, {
      entity: 'client certificate',
      rows: (tx) => tx.clientCertificate,
      table: 'client_certificates',
      keyColumns: ['id'],
      keyOf: ({ id }) => id,
      where: (id) => ({ id: columnText(id) }),
      toRow: ({ privateKeyPem, ...rest }) => ({
        sealedKey: scope.sealer.seal(privateKeyPem, place(rest.id)),
        document: document(rest),
      }),
      toEntity: (row) => ({
        ...fromDocument<Omit<ClientCertificate, 'privateKeyPem'>>(row),
        privateKeyPem: scope.sealer.open(row.sealedKey, place(row.id)),
      }),
    });
  }
  page(request: PageRequest) {
    return this.pageBy({}, 'id', 'asc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
}

export class PrismaVpcLinks extends PrismaRepository<string, VpcLink, rows.VpcLink> implements VpcLinkRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'VPC link',
      rows: (tx) => tx.vpcLink,
      table: 'vpc_links',
      keyColumns: ['id'],
      keyOf: ({ id }) => id,
      where: (id) => ({ id: columnText(id) }),
      toRow: (link) => ({ document: document(link) }),
      toEntity: fromDocument,
    });
  }
  page(request: PageRequest) {
    return this.pageBy({}, 'id', 'asc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
}
