// The tables of `npm run bench -- steps`.

/** How much a warm call of a local function may add to the plain proxy's p50. */
export const FUNCTION_ADDS_MS = 1;
/** Of velocityjs' time for the same template. */
export const VTL_FASTER = 10;

/** Sentences for whatever misses its bar or was not measured. */
export function problemsOf({ rows, functionCall, templates }) {
  return [
    ...rows.flatMap(({ title, problem, errors, ratio, most }) => {
      if (problem !== undefined) return [`${title}: not measured: ${problem}`];
      if (errors > 0) return [`${title}: ${errors} requests failed`];
      return most !== undefined && ratio > most ? [`${title}: ${ratio.toFixed(2)} of the plain proxy, at most ${most}`] : [];
    }),
    ...(functionCall.problem !== undefined
      ? [`local function: not measured: ${functionCall.problem}`]
      : functionCall.addedMs > FUNCTION_ADDS_MS
        ? [`local function: adds ${functionCall.addedMs.toFixed(2)} ms, at most ${FUNCTION_ADDS_MS}`]
        : []),
    ...templates
      .filter(({ faster }) => faster < VTL_FASTER)
      .map(({ name, faster }) => `template "${name}": ${faster} x velocityjs, at least ${VTL_FASTER}`),
  ];
}

export function stepsText({ rows, functionCall, templates, settings, at, revision: { commit, isDirty }, machine: on }) {
  const code = commit === null ? 'a checkout without git' : `commit ${commit}${isDirty ? ' with changes' : ''}`;
  return [
    '| step | CPU, ratio to the plain proxy | at most | CPU µs/request | requests/s | p50 ms | p99 ms |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map(rowText),
    '',
    functionCall.problem === undefined
      ? `A warm call of a local function adds ${functionCall.addedMs.toFixed(2)} ms to the plain proxy's p50 of ${functionCall.plainMs.toFixed(2)} ms ` +
        `(one caller; at most ${FUNCTION_ADDS_MS} ms). A cache hit takes ${functionCall.hitMs.toFixed(2)} ms: ` +
        `${(functionCall.plainMs / functionCall.hitMs).toFixed(1)} times as fast.`
      : `A call of a local function was not measured: ${functionCall.problem}`,
    '',
    '| template | CPU µs | velocityjs CPU µs | times as fast |',
    '| --- | ---: | ---: | ---: |',
    ...templates.map(({ name, ownUs, theirUs, faster }) => `| ${name} | ${ownUs} | ${theirUs} | **${faster}** |`),
    ...['engine', 'request'].map((kind) => `| ${kind}, geometric mean | | | **${geometricMean(templates, kind)}** |`),
    '',
    `_${at.slice(0, 10)}, ${code}: ${settings.rounds} rounds of ${settings.seconds} s, upstream ${settings.upstream}; ${on.cores} cores of ${on.cpu} ` +
      `(${on.arch}), ${on.kernel}, Node ${on.node}._`,
  ].join('\n');
}

function geometricMean(templates, kind) {
  const logs = templates.filter(({ name }) => name.startsWith(`${kind}:`)).map(({ faster }) => Math.log(faster));
  return logs.length === 0 ? '' : Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length).toFixed(1);
}

function rowText({ title, problem, errors, ratio, most, cpuUsPerRequest, requestsPerSecond, p50Us, p99Us }) {
  if (problem !== undefined) return `| ${title} | not measured: ${problem.split('\n')[0].replaceAll('|', '/')} | | | | | |`;
  if (errors > 0) return `| ${title} | invalid: ${errors} errors | | | | | |`;
  const cells = [
    ratio === null ? '1' : `**${ratio.toFixed(2)}**`,
    most ?? '',
    cpuUsPerRequest.toFixed(1),
    Math.round(requestsPerSecond),
    ...[p50Us, p99Us].map((us) => (us / 1000).toFixed(2)),
  ];
  return `| ${[title, ...cells].join(' | ')} |`;
}

/** What vtl.bench.ts prints: name, own microseconds, velocityjs', and how many times as fast. */
export function templatesOf(stdout) {
  return [...stdout.matchAll(/^(.+?) +([\d.]+) us +velocityjs +([\d.]+) us +([\d.]+) x$/gm)].map(
    ([, name, ownUs, theirUs, faster]) => ({ name, ownUs: Number(ownUs), theirUs: Number(theirUs), faster: Number(faster) }),
  );
}
