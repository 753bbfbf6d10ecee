export type { Handler, Handlers, OperationContext, OperationTypes } from './handlers.js';
