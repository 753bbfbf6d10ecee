/** Nanoseconds per recorded value; run with `node src/telemetry.bench.ts`. */
import { Histogram } from './histogram.ts';

const histogram = new Histogram();
const values = Array.from({ length: 1024 }, (_, i) => (i * 37) % 500);
const rounds = 10_000_000;
for (let i = 0; i < rounds / 10; i++) histogram.record(values[i & 1023]!);
const start = process.hrtime.bigint();
for (let i = 0; i < rounds; i++) histogram.record(values[i & 1023]!);
console.log(`histogram record ${(Number(process.hrtime.bigint() - start) / rounds).toFixed(1)} ns`);
