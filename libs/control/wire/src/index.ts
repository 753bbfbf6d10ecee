export { Authenticator, type AuthenticatorDependencies, type WireRequest } from './authenticator.js';
export { AwsEndpoint, type AwsEndpointDependencies, type EndpointBug } from './aws-endpoint.js';
export { BODY_LIMIT_MAX_BYTES } from './body-limits.js';
export type { Handler, Handlers, OperationContext, OperationTypes } from './handlers.js';
export { noneYet, notYet, type NotYet } from './not-yet.js';
export type { SessionCredentials, SessionSource } from './sts.js';
export type { OperationTables } from './operation-tables.js';
export type { WireResponse } from '@gatehouse/aws-api';
