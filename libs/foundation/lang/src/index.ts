export { isLiteralTemplate } from './literal-template.js';
