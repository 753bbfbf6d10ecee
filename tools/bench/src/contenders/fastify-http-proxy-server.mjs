// @fastify/http-proxy as its manual shows it, without a log. Arguments: port to listen on, port of the upstream.
import fastifyHttpProxy from '@fastify/http-proxy';
import fastify from 'fastify';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const app = fastify({ keepAliveTimeout: 3_600_000 });
await app.register(fastifyHttpProxy, { upstream: `http://127.0.0.1:${upstreamPort}` });
await app.listen({ port, host: '127.0.0.1' });
