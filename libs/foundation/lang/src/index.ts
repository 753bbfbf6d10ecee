export { isLiteralTemplate } from './literal-template.js';
export { SelectionPattern, SelectionPatternError } from './selection-pattern.js';
