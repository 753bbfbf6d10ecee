// The ratios to nginx as bars, one group per scenario. Plain SVG text: readable on a light and on a dark page, and without colours.

const WIDTH = 920;
const LABEL_WIDTH = 440;
const BAR_WIDTH = WIDTH - LABEL_WIDTH - 70;
const ROW = 20;
const GROUP_HEAD = 40;
const TOP = 46;

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #24292f; }
    .head { font-weight: 600; font-size: 14px; }
    .other { fill: #8c959f; }
    .ours { fill: #0969da; }
    .yardstick { stroke: #57606a; stroke-dasharray: 3 3; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .other { fill: #6e7681; }
      .ours { fill: #58a6ff; }
      .yardstick { stroke: #8b949e; }
    }`;

/** What is drawn of a scenario: heading, and the figure of a row. */
const GROUPS = [
  ['get', 'CPU per request', 'ratioToNginx'],
  ['post', 'CPU per request', 'ratioToNginx'],
  ['tls', 'CPU per request', 'ratioToNginx'],
  ['h2', 'CPU per request', 'ratioToNginx'],
  ['stream', 'CPU per body, to the caller', 'downCpuRatio'],
  ['stream', 'CPU per body, from the caller', 'upCpuRatio'],
];

export function chart({ scenarios }) {
  const groups = GROUPS.flatMap(([name, what, figure]) => {
    const bars = (scenarios[name]?.rows ?? []).filter((row) => row.isValid && typeof row[figure] === 'number');
    return bars.length === 0
      ? []
      : [
          {
            title: `${scenarios[name].title}: ${what}`,
            bars: bars.map((row) => ({ title: row.title, value: row[figure], isOurs: row.name.startsWith('gatehouse') })),
          },
        ];
  });
  const longest = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  const scale = BAR_WIDTH / longest;
  let y = TOP;
  const drawn = groups.map((group) => {
    const text = draw(group, y, scale);
    y += GROUP_HEAD + group.bars.length * ROW;
    return text;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img">
  <title>CPU time per request, ratio to nginx</title>
  <style>
    ${STYLE}
  </style>
  <text x="0" y="20" class="head">CPU time of the proxy, ratio to nginx (dashed line: 1.0; shorter is better)</text>
${drawn.join('\n')}
</svg>
`;
}

function draw({ title, bars }, top, scale) {
  const first = top + GROUP_HEAD - 14;
  const one = (LABEL_WIDTH + scale).toFixed(1);
  const rows = bars.map(({ title: label, value, isOurs }, index) => {
    const y = first + index * ROW;
    const width = (value * scale).toFixed(1);
    return `  <text x="${LABEL_WIDTH - 8}" y="${y + 12}" text-anchor="end">${escaped(label)}</text>
  <rect x="${LABEL_WIDTH}" y="${y + 2}" width="${width}" height="13" class="${isOurs ? 'ours' : 'other'}"/>
  <text x="${(LABEL_WIDTH + value * scale + 6).toFixed(1)}" y="${y + 12}">${value.toFixed(2)}</text>`;
  });
  return `  <text x="0" y="${top + 16}" class="head">${escaped(title)}</text>
${rows.join('\n')}
  <line x1="${one}" x2="${one}" y1="${first}" y2="${first + bars.length * ROW}" class="yardstick"/>`;
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
