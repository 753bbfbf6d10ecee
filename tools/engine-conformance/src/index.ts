export { ENGINES, type Engine, type Extras, type Listener, type UpstreamClient } from './engines.js';
