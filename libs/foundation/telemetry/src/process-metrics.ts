import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { MetricsRegistry } from './metrics.js';

const NANOSECONDS_PER_MS = 1e6;

/** Adds what the process itself uses to the registry. Returns the way to stop watching the event loop. */
export function watchProcess(registry: MetricsRegistry): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const gauge = (name: string, help: string, read: () => number): void =>
    registry.gauge(name, help, read, { isPerProcess: true });
  gauge('gatehouse_process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  gauge('gatehouse_process_heap_used_bytes', 'Used JavaScript heap', () => process.memoryUsage().heapUsed);
  gauge('gatehouse_process_cpu_seconds', 'User and system CPU time since the start', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  gauge('gatehouse_process_uptime_seconds', 'Time since the start', () => process.uptime());
  gauge('gatehouse_process_event_loop_delay_max_milliseconds', 'Largest event loop delay since the last scrape', () => {
    const maxMs = delay.count === 0 ? 0 : delay.max / NANOSECONDS_PER_MS;
    delay.reset();
    return maxMs;
  });
  return () => delay.disable();
}
