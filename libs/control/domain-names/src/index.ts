export { accessAssociationOperations, type AccessAssociationOperations } from './access-associations.js';
export { Certificates, type CertificateReport } from './certificates.service.js';
export { domainNameOperations, type DomainNameDependencies, type DomainNameOperations } from './domain-names.operations.js';
