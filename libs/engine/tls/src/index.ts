export {
  readCertificate,
  type Certificate,
  type CertificateFault,
  type CertificateProblem,
  type CertificateText,
} from './certificate.js';
export { GivenCertificates, type CertificateSource } from './certificate-source.js';
export { CertificateStore, type CertificateStoreOptions, type ExpiringCertificate } from './certificate-store.js';
export { FolderCertificates, type FolderCertificatesOptions, type FolderSummary } from './folder-certificates.js';
export { createTlsServer, type TlsServerOptions } from './tls-server.js';
