// The parts of docs/performance.md that a run writes, between markers; everything else there is written by people.
import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces what stands between `<!-- bench:<name> -->` and `<!-- /bench:<name> -->`. */
export function replaceBetween(text, name, content) {
  const open = `<!-- bench:${name} -->`;
  const close = `<!-- /bench:${name} -->`;
  const start = text.indexOf(open);
  const end = text.indexOf(close, start);
  if (start < 0 || end < 0) throw new Error(`docs/performance.md: expected ${open} and ${close}`);
  return `${text.slice(0, start + open.length)}\n${content}\n${text.slice(end)}`;
}

export function document(file, result, tableText) {
  const { at, revision, machine, settings, profile } = result;
  const commit =
    revision.commit === null ? 'a checkout without git' : `commit ${revision.commit}${revision.isDirty ? ' with changes' : ''}`;
  const caption =
    `${at.slice(0, 10)}, ${commit}: ${machine.cores} cores of ${machine.cpu} (${machine.arch}), ${machine.kernel}, Node ${machine.node}; ` +
    `${settings.rounds} rounds of ${settings.seconds} s, ${settings.connections} connections, upstream ${settings.upstream}. ` +
    'Medians over the rounds; in brackets the lowest and the highest.';
  let text = replaceBetween(readFileSync(file, 'utf8'), 'proxy', `${caption}\n\n${tableText}`);
  if (profile !== undefined) text = replaceBetween(text, 'profile', profileText(profile));
  writeFileSync(file, text);
}

/** Also printed by `--profile`. */
export function profileText({ hottest, parts, scavenges }) {
  const { perSecond, medianMs, maxMs } = scavenges;
  return [
    `Young garbage is collected ${perSecond} times a second; a collection takes ${medianMs} ms (median; longest ${maxMs} ms).`,
    '',
    '| time | part |',
    '|---:|---|',
    ...parts.map(({ percent, name }) => `| ${percent.toFixed(1)} % | ${name} |`),
    '',
    '| self time | function | where |',
    '|---:|---|---|',
    ...hottest.map(({ percent, name, place }) => `| ${percent.toFixed(1)} % | \`${name}\` | ${place} |`),
  ].join('\n');
}
