export { readDeployed, settingsOf, templatesOf } from './deployed.js';
