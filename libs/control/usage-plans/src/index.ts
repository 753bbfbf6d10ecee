export { usagePlanOperations, type UsagePlanDependencies, type UsagePlanOperations } from './usage-plans.operations.js';
