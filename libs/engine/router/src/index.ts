export { buildRouter, type RouteKey, type Router } from './router.js';
