// The one backend of the fleet: answers with the path it was asked for. Argument: port.
import http from 'node:http';

http
  .createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': request.url.length }).end(request.url);
  })
  .listen(Number(process.argv[2]), '127.0.0.1');
