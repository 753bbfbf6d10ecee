export { ENGINES, type Engine, type Extras, type Listener, type ResolveName, type UpstreamClient } from './engines.js';
