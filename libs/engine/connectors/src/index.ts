export { AddressRules, ForbiddenAddress, type AddressRange, type AddressRulesOptions } from '@gatehouse/engine-upstream';
export { FunctionConnector, type FunctionConnectorOptions } from './function-connector.js';
export { HttpConnector, type HttpConnectorOptions } from './http-connector.js';
export { mockAnswer } from './mock-connector.js';
