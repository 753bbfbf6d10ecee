// What a gateway out of nginx and Lua does for the keyed route: key of a caller -> plan, token bucket and daily quota of the plan, counters of
// the route and of the tenant, one line of JSON access log. State is in shared dictionaries, as it must be with more than one worker.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { itemUpstream, LUA_MODULES, nginxConfig, PROXY_PASS } from './nginx.mjs';

const KEY = 'bench-key-0123456789abcdef0123456789abcdef';
const RATE = 1_000_000;
const BURST = 1_000_000;
const QUOTA = 2_000_000_000;

const ACCESS = `local now = ngx.now()
local plan = ngx.var.http_x_api_key and ngx.shared.keys:get(ngx.var.http_x_api_key)
if not plan then return ngx.exit(403) end
ngx.ctx.plan = plan
local buckets = ngx.shared.buckets
local tokens = buckets:get('tokens:' .. plan) or ${BURST}
local last = buckets:get('at:' .. plan) or now
tokens = math.min(${BURST}, tokens + (now - last) * ${RATE})
if tokens < 1 then return ngx.exit(429) end
buckets:set('tokens:' .. plan, tokens - 1)
buckets:set('at:' .. plan, now)
local used = ngx.shared.counters:incr('quota:' .. plan .. ':' .. ngx.today(), 1, 0)
if used > ${QUOTA} then return ngx.exit(429) end`;

const COUNT = `local counters = ngx.shared.counters
local class = math.floor(ngx.status / 100)
local ms = (tonumber(ngx.var.request_time) or 0) * 1000
local bucket = ms < 5 and 5 or ms < 25 and 25 or ms < 100 and 100 or ms < 500 and 500 or 30000
counters:incr('requests:item:GET:' .. class, 1, 0)
counters:incr('latency:item:GET:' .. bucket, 1, 0)
counters:incr('latency-sum:item:GET', ms, 0)
counters:incr('bytes:item:GET', tonumber(ngx.var.bytes_sent) or 0, 0)
counters:incr('metered:' .. (ngx.ctx.plan or 'none'), 1, 0)`;

const LOG = `log_format json escape=json '{"requestId":"$request_id","ip":"$remote_addr","requestTime":"$time_iso8601",'
    '"httpMethod":"$request_method","path":"$uri","status":$status,"responseLength":$body_bytes_sent,'
    '"responseLatency":$request_time,"integrationLatency":"$upstream_response_time","userAgent":"$http_user_agent"}';`;

export const nginxLua = {
  name: 'nginx-lua',
  title: 'nginx + Lua: key, throttle, quota, counters, JSON access log',
  needs: ['nginx', 'nginxLua'],
  versionFlag: '-v',
  headers: { 'x-api-key': KEY },
  start({ servers, programs, folder, core, port, connections, upstreamPort }) {
    const [access, count] = [ACCESS, COUNT].map((lua, index) => {
      const file = path.join(folder, `nginx-${index}.lua`);
      writeFileSync(file, lua);
      return file;
    });
    const file = nginxConfig(folder, 'nginx-lua', {
      modules: LUA_MODULES,
      connections,
      http: `lua_shared_dict keys 1m;
  lua_shared_dict buckets 1m;
  lua_shared_dict counters 1m;
  init_by_lua_block { ngx.shared.keys:set('${KEY}', 'plan') }
  ${LOG}
  ${itemUpstream(upstreamPort)}
  server {
    listen 127.0.0.1:${port} backlog=1024;
    access_log ${folder}/nginx-lua-access.log json buffer=64k flush=1s;
    location / {
      access_by_lua_file ${access};
      log_by_lua_file ${count};
      ${PROXY_PASS}
      proxy_set_header X-Request-Id $request_id;
    }
  }`,
    });
    return servers.start(core, [programs.nginx, '-c', file]);
  },
};
