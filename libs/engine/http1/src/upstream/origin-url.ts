export interface OriginUrl {
  readonly isTls: boolean;
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** As it goes out in Host: the port is left out where it is the scheme's own. */
  readonly hostHeader: string;
}

/** Ports 80, 443 and 1024 to 65535, as on AWS (data-plane reference §3.2, `uri`); `null` for what names no HTTP origin. */
export function splitOrigin(text: string): OriginUrl | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const isTls = url.protocol === 'https:';
  if (!isTls && url.protocol !== 'http:') return null;
  if (url.username !== '' || url.password !== '' || url.hostname === '') return null;
  const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
  if (port !== 80 && port !== 443 && port < 1024) return null;
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return { isTls, host, port, hostHeader: url.host };
}
