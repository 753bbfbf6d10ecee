export { deploymentOperations, type DeploymentDependencies, type DeploymentOperations } from './deployments.operations.js';
