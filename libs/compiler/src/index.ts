export { compileAuthorizer } from './authorizer.js';
export { canaryWithTraffic } from './canary.js';
export { compileStage, encodeSnapshot, type CompiledStage, type StageInput } from './compile-stage.js';
export type { Diagnostic } from './diagnostics.js';
