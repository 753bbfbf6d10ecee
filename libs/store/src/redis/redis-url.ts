/**
 * The one place that reads `REDIS_URL`.
 *
 *   redis://[user:password@]host[:port][/db]                              one server; rediss:// with TLS
 *   redis+sentinel://[user:password@]host[:port],host.../name[/db]        Sentinels that watch `name`; ?sentinelPassword=
 *   redis+cluster://[user:password@]host[:port],host...                   any of a Cluster's servers
 *
 * Both longer forms also as rediss+sentinel:// and rediss+cluster://.
 */
export interface RedisServer {
  readonly host: string;
  readonly port: number;
}

export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly servers: readonly RedisServer[];
  readonly usesTls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  /** Of a Sentinel's group; `null` for the other kinds. */
  readonly masterName: string | null;
  readonly sentinelPassword: string | null;
  readonly database: number;
}

const FORM = /^(rediss?)(\+sentinel|\+cluster)?:\/\/(?:([^@/]*)@)?([^/?]+)((?:\/[^?]*)?)(?:\?(.*))?$/;
const PORTS = { single: 6379, sentinel: 26379, cluster: 6379 } as const;

/** Throws an Error whose message says what is wrong and never repeats the password. */
export function parseRedisUrl(url: string): RedisAddress {
  const match = FORM.exec(url);
  if (match === null)
    throw new Error('expected redis://, redis+sentinel:// or redis+cluster:// (or rediss...), hosts and, for Sentinel, /name');
  const [, scheme, form = '', login = '', hosts = '', path = '', query = ''] = match;
  const kind = form === '+sentinel' ? 'sentinel' : form === '+cluster' ? 'cluster' : 'single';
  const servers = hosts.split(',').map((text) => readServer(text, PORTS[kind]));
  if (kind === 'single' && servers.length > 1) throw new Error('several hosts need redis+sentinel:// or redis+cluster://');
  const parts = path.split('/').filter((part) => part !== '');
  const masterName = kind === 'sentinel' ? (parts.shift() ?? null) : null;
  if (kind === 'sentinel' && masterName === null)
    throw new Error('redis+sentinel:// needs the name of the group after the hosts: /name');
  const database = Number(parts.shift() ?? '0');
  if (!Number.isInteger(database) || database < 0 || parts.length > 0)
    throw new Error('the part after the hosts is not a database number');
  if (kind === 'cluster' && database !== 0) throw new Error('a Cluster has only database 0');
  const options = new URLSearchParams(query);
  for (const name of options.keys())
    if (name !== 'sentinelPassword') throw new Error(`unknown option "${name}"; known: sentinelPassword`);
  const colonAt = login.indexOf(':');
  return {
    kind,
    servers,
    usesTls: scheme === 'rediss',
    username: decoded(colonAt === -1 ? login : login.slice(0, colonAt)),
    password: decoded(colonAt === -1 ? '' : login.slice(colonAt + 1)),
    masterName,
    sentinelPassword: options.get('sentinelPassword'),
    database,
  };
}

const decoded = (text: string): string | null => (text === '' ? null : decodeURIComponent(text));

function readServer(text: string, defaultPort: number): RedisServer {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  const port = Number(match?.[2] ?? defaultPort);
  if (match === null || port < 1 || port > 65_535) throw new Error(`"${text}" is not a host or host:port`);
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}
