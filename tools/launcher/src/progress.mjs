// One line per step: "Starting PostgreSQL ... done (1.2 s)".
export function progress(title) {
  const startedMs = performance.now();
  process.stdout.write(`${title} ... `);
  const seconds = () => ((performance.now() - startedMs) / 1000).toFixed(1);
  return {
    done: (note = '') => process.stdout.write(`done (${seconds()} s)${note === '' ? '' : ` ${note}`}\n`),
    failed: () => process.stdout.write(`failed (${seconds()} s)\n`),
  };
}
