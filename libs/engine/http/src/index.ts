export { HttpListener, type HttpListenerOptions } from './http-listener.js';
export { completeTrace } from './trace-header.js';
