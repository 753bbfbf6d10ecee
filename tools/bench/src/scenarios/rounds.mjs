// The shape of every measurement: in each round each contender is warmed up, then measured; the order rotates from round to round.
import { summarise } from '../summary.mjs';

/**
 * `warmUp(contender, seconds)` and `sample(contender)` are the scenario's. A contender that fails is out from then on, and its row says why;
 * the others go on.
 */
export async function inRounds({ contenders, options, tell }, { warmUp, sample, compared, yardstick }) {
  const samples = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of rotated(contenders, round)) {
      if (contender.problem !== null) continue;
      const place = `round ${round + 1}/${options.rounds}  ${contender.title.slice(0, 52).padEnd(52)}`;
      try {
        // The first round also pays for compilation: V8's optimised code and warm pools are what we compare.
        await warmUp(contender, round === 0 ? options.firstWarmUpSeconds : options.warmUpSeconds);
        const figures = await sample(contender);
        samples.get(contender.name).push(figures);
        tell(`${place} ${figuresText(figures)}`);
      } catch (error) {
        contender.problem = error.message;
        tell(`${place} ${error.message}`);
      }
    }
  }
  return contenders.map((contender) => rowOf(contender, () => summarise(samples, contender.name, compared, yardstick)));
}

export function rowOf({ name, title, version, problem }, figures) {
  return { name, title, version, ...(problem === null ? figures() : { problem }) };
}

function figuresText({ cpuUsPerRequest, requestsPerSecond, p99Us, foreignPercent, errors }) {
  return (
    `${cpuUsPerRequest.toFixed(1).padStart(8)} µs/request ${requestsPerSecond.toFixed(0).padStart(6)}/s` +
    (p99Us === undefined ? '' : `  p99 ${(p99Us / 1000).toFixed(2).padStart(6)} ms`) +
    (errors > 0 ? `  ${errors} ERRORS` : '') +
    (foreignPercent > 3 ? `  (others used ${foreignPercent.toFixed(0)} % of the core)` : '')
  );
}

function rotated(list, by) {
  const cut = by % list.length;
  return [...list.slice(cut), ...list.slice(0, cut)];
}
