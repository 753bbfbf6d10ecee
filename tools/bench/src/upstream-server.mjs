// The upstream in Node, where nginx or its Lua module is missing. Argument: port.
import http from 'node:http';
import { ITEM, STREAMED_BYTES } from './bodies.mjs';

const DOWNLOAD = Buffer.alloc(STREAMED_BYTES, 'x');

http
  .createServer({ keepAliveTimeout: 3_600_000 }, async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = (type, body) => response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body);
    if (request.url === '/echo') answer('application/json', Buffer.concat(chunks));
    else if (request.url === '/download') answer('text/plain', DOWNLOAD);
    else if (request.url === '/upload') answer('text/plain', String(chunks.reduce((sum, chunk) => sum + chunk.length, 0)));
    else answer('application/json', ITEM);
  })
  .listen(Number(process.argv[2]), '127.0.0.1');
