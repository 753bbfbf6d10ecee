export { Finder, type Match } from './finder.js';
export { RegexError, type Dialect } from './parse-regex.js';
export { Regex, WorkLimitExceeded, type RegexLimits, type WorkBudget } from './regex.js';
