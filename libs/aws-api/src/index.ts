export * as ApiGateway from './gen/api-gateway.js';
export * as ApiGatewayV2 from './gen/api-gateway-v2.js';
export * as ApiGatewayManagement from './gen/api-gateway-management.js';
export * as Lambda from './gen/lambda.js';
export type {
  Binding,
  ErrorModel,
  MemberModel,
  OperationModel,
  ServiceId,
  ServiceModel,
  ShapeModel,
  TimestampFormat,
  TypeModel,
} from './model.js';
export { decodeInput, type OperationRequest } from './decode-input.js';
export { encodeError, encodeOutput, type WireError, type WireResponse } from './encode-output.js';
export { OperationRouter, type OperationMatch } from './operation-router.js';
export { ProtocolError } from './protocol-error.js';
export { readQuery, type QueryParameter } from './query.js';
