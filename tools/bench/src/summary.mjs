// From the windows of all rounds to one row per contender, and the rows as a Markdown table.

const FIGURES = ['cpuUsPerRequest', 'requestsPerSecond', 'busyPercent', 'foreignPercent', 'p50Us', 'p99Us', 'p999Us'];

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Medians over the rounds; lowest and highest CPU beside them. The ratio to nginx is taken within each round, so that a slow minute of the
 * machine hits both sides; null when nginx did not run. One error in any round makes the contender invalid.
 */
export function summarise(samples, name) {
  const own = samples.get(name);
  const yardstick = samples.get('nginx');
  const errors = own.reduce((sum, sample) => sum + sample.errors, 0);
  const cpu = own.map((sample) => sample.cpuUsPerRequest);
  const round = (value) => Math.round(value * 100) / 100;
  return {
    isValid: errors === 0,
    ratioToNginx:
      yardstick === undefined ? null : round(median(cpu.map((value, index) => value / yardstick[index].cpuUsPerRequest))),
    ...Object.fromEntries(FIGURES.map((figure) => [figure, round(median(own.map((sample) => sample[figure])))])),
    cpuUsPerRequestRange: [round(Math.min(...cpu)), round(Math.max(...cpu))],
    peakBytes: Math.max(...own.map((sample) => sample.peakBytes)),
    requests: own.reduce((sum, sample) => sum + sample.requests, 0),
    errors,
  };
}

export function table({ contenders }) {
  const ms = (us) => (us / 1000).toFixed(2);
  const rows = contenders.map((row) => {
    const title = `${row.title} (${row.version})`;
    if (!row.isValid) return [title, 'invalid', `${row.errors} errors`, '', '', '', '', '', ''];
    const [low, high] = row.cpuUsPerRequestRange;
    return [
      title,
      row.ratioToNginx === null ? '-' : `**${row.ratioToNginx.toFixed(2)}**`,
      `${row.cpuUsPerRequest.toFixed(1)} (${low.toFixed(1)}-${high.toFixed(1)})`,
      String(Math.round(row.requestsPerSecond)),
      `${row.busyPercent.toFixed(0)} %`,
      ms(row.p50Us),
      ms(row.p99Us),
      ms(row.p999Us),
      `${Math.round(row.peakBytes / 2 ** 20)}`,
    ];
  });
  const head = [
    'contender',
    'CPU, ratio to nginx',
    'CPU µs/request',
    'requests/s',
    'core busy',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'peak MB',
  ];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`, ...rows.map(line)].join('\n');
}
