export { announcedBytes, finishHeaders, isBodyless, letGo, renderBug } from './finish.js';
export { Intake, refuseRequest, type IntakeOptions } from './intake.js';
export { Randomness } from './randomness.js';
export { isApiHost, parseHost, resolveTarget, type DomainNames, type NoTarget, type Target } from './target.js';
export { completeTrace } from './trace-header.js';
export { visibleHeaders } from './visible-headers.js';
