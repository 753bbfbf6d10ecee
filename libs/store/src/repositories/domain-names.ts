import {
  certificateIdsOf,
  type BasePathMapping,
  type BasePathMappingKey,
  type BasePathMappingRepository,
  type Certificate,
  type CertificateRepository,
  type DomainName,
  type DomainNameRepository,
  type PageRequest,
} from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import { document, fromDocument, PrismaRepository, type TransactionScope } from './prisma-repository.js';

export class PrismaDomainNames extends PrismaRepository<string, DomainName, rows.DomainName> implements DomainNameRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'domain name',
      rows: (tx) => tx.domainName,
      table: 'domain_names',
      keyColumns: ['name'],
      keyOf: (domain) => domain.name,
      where: (name) => ({ name: columnText(name) }),
      toRow: (domain) => ({ certificateIds: certificateIdsOf(domain).map(columnText), document: document(domain) }),
      toEntity: fromDocument,
    });
  }
  page(request: PageRequest) {
    return this.pageBy({}, 'name', 'asc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
  usingCertificate(certificateId: string) {
    return this.list({ certificateIds: { has: columnText(certificateId) } }, { name: 'asc' });
  }
}

export class PrismaBasePathMappings
  extends PrismaRepository<BasePathMappingKey, BasePathMapping, rows.BasePathMapping>
  implements BasePathMappingRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'base path mapping',
      rows: (tx) => tx.basePathMapping,
      table: 'base_path_mappings',
      keyColumns: ['domain_name', 'base_path'],
      keyOf: (mapping) => mapping,
      where: (key) => ({ domainName: columnText(key.domainName), basePath: columnText(key.basePath) }),
      toRow: (mapping) => ({ apiId: columnText(mapping.restApiId), document: document(mapping) }),
      toEntity: fromDocument,
    });
  }
  page(domainName: string, request: PageRequest) {
    return this.pageBy({ domainName: columnText(domainName) }, 'basePath', 'asc', request);
  }
  ofDomain(domainName: string) {
    return this.list({ domainName: columnText(domainName) }, { basePath: 'asc' });
  }
  usingApi(apiId: string) {
    return this.list({ apiId: columnText(apiId) }, [{ domainName: 'asc' }, { basePath: 'asc' }]);
  }
}

export class PrismaCertificates extends PrismaRepository<string, Certificate, rows.Certificate> implements CertificateRepository {
  constructor(scope: TransactionScope) {
    const place = (id: string) => `certificate ${scope.tenant}/${id}`;
    super(scope, {
      entity: 'certificate',
      rows: (tx) => tx.certificate,
      table: 'certificates',
      keyColumns: ['id'],
      keyOf: (certificate) => certificate.id,
      where: (id) => ({ id: columnText(id) }),
      toRow: ({ privateKeyPem, ...rest }) => ({
        isInline: rest.inlineOf !== null,
        sealedKey: scope.sealer.seal(privateKeyPem, place(rest.id)),
        document: document(rest),
      }),
      toEntity: (row) => ({
        ...fromDocument<Omit<Certificate, 'privateKeyPem'>>(row),
        privateKeyPem: scope.sealer.open(row.sealedKey, place(row.id)),
      }),
    });
  }
  page(request: PageRequest) {
    return this.pageBy({ isInline: false }, 'id', 'asc', request);
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
}
