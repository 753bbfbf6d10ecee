import type { Setting } from '@gatehouse/kernel';

export const siblingsSetting: Setting<readonly string[]> = {
  variable: 'GATEHOUSE_SIBLINGS',
  description:
    'admin URLs of other nodes, separated by commas; asked while this node has nothing to serve and no control plane answers',
  fallback: [],
  parse: (text) =>
    partsOf(text).map((url) => {
      if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new Error(`expected http://host:port, got "${url}"`);
      return url;
    }),
};

export const snapshotKeySetting: Setting<Uint8Array | null> = {
  variable: 'GATEHOUSE_SNAPSHOT_KEY',
  description: 'public key, 64 hex characters, that a control plane logs at its start; what siblings send is checked with it',
  fallback: null,
  parse: (text) => {
    if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error('expected 64 hex characters');
    return Buffer.from(text, 'hex');
  },
};

const partsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
