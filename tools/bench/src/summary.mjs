// From the windows of all rounds to one row per contender, and the rows as a Markdown table.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Of ascending values, by nearest rank; 0 of none. */
export function percentile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

const round = (value) => Math.round(value * 100) / 100;
const ratio = (own, base) => own / base;

/** The comparison that most scenarios make: name of the new figure -> the figure it is made of, and how. */
export const CPU_RATIO = { ratioToNginx: ['cpuUsPerRequest', ratio] };
export const ratioOf = (figure) => [figure, ratio];
export const differenceOf = (figure) => [figure, (own, base) => own - base];

/**
 * Medians over the rounds of every figure; the highest memory, the sum of requests and errors, lowest and highest CPU. What is compared with
 * the yardstick is compared within each round, so that a slow minute of the machine hits both sides; null when the yardstick did not run.
 * One error in any round makes the row invalid.
 */
export function summarise(samples, name, compared = CPU_RATIO, yardstick = 'nginx') {
  const own = samples.get(name);
  const base = samples.get(yardstick) ?? [];
  const all = (figure) => own.map((sample) => sample[figure]);
  const sum = (figure) => all(figure).reduce((total, value) => total + value, 0);
  const compare = ([figure, how]) => {
    const values = own.flatMap((sample, index) => (base[index] === undefined ? [] : [how(sample[figure], base[index][figure])]));
    return values.length === 0 ? null : round(median(values));
  };
  const cpu = all('cpuUsPerRequest');
  return {
    isValid: sum('errors') === 0,
    ...Object.fromEntries(Object.entries(compared).map(([figure, comparison]) => [figure, compare(comparison)])),
    ...Object.fromEntries(Object.keys(own[0]).map((figure) => [figure, round(median(all(figure)))])),
    cpuUsPerRequestRange: [round(Math.min(...cpu)), round(Math.max(...cpu))],
    peakBytes: Math.max(...all('peakBytes')),
    requests: sum('requests'),
    errors: sum('errors'),
  };
}

const ms = (us) => (us / 1000).toFixed(2);
const bold = (value) => (value === null ? '-' : `**${value.toFixed(2)}**`);

/** The cells that scenarios choose from: heading and text of a row. */
export const COLUMNS = {
  ratio: ['CPU, ratio to nginx', ({ ratioToNginx }) => bold(ratioToNginx)],
  cpu: [
    'CPU µs/request',
    ({ cpuUsPerRequest, cpuUsPerRequestRange: [low, high] }) =>
      `${cpuUsPerRequest.toFixed(1)} (${low.toFixed(1)}-${high.toFixed(1)})`,
  ],
  rate: ['requests/s', ({ requestsPerSecond }) => String(Math.round(requestsPerSecond))],
  ratePerCore: ['requests/s per core', ({ cpuUsPerRequest }) => String(Math.round(1e6 / cpuUsPerRequest))],
  busy: ['core busy', ({ busyPercent }) => `${busyPercent.toFixed(0)} %`],
  p50: ['p50 ms', ({ p50Us }) => ms(p50Us)],
  p99: ['p99 ms', ({ p99Us }) => ms(p99Us)],
  p999: ['p99.9 ms', ({ p999Us }) => ms(p999Us)],
  peak: ['peak MB', ({ peakBytes }) => megabytes(peakBytes)],
};

export function megabytes(bytes) {
  return String(Math.round(bytes / 2 ** 20));
}
export { bold, ms };

/** `columns`: heading and text of a row. A row without figures says why in their place. */
export function table(rows, columns) {
  const cells = rows.map((row) => {
    const title = row.version === undefined ? row.title : `${row.title} (${row.version})`;
    const failure = failureOf(row);
    return [title, ...columns.map(([, text], index) => (failure === null ? text(row) : index === 0 ? failure : ''))];
  });
  const head = ['contender', ...columns.map(([heading]) => heading)];
  const line = (texts) => `| ${texts.join(' | ')} |`;
  return [line(head), `|${head.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`, ...cells.map(line)].join('\n');
}

function failureOf({ problem, isValid, errors }) {
  if (problem !== undefined)
    return `not measured: ${problem
      .split('\n')[0]
      .replaceAll('|', '/')
      .replace(/:\d{4,5}\b/, '')}`;
  return isValid ? null : `invalid: ${errors} errors`;
}
