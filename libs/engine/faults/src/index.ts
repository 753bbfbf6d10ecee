export { FAULTS, type FaultName } from './faults.js';
export { BUILT_IN_FAULTS, linkFaults } from './responder.js';
