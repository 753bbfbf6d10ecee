-- What is sent, and the figures of a run on one line. `--latency` alone prints no 99.9th percentile.
-- errors.status counts answers of 400 and above; the benchmark checks beforehand that the route answers 200.
local body = os.getenv('GATEHOUSE_BENCH_BODY')
if body then
  wrk.method = 'POST'
  wrk.body = body
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'gatehouse-bench {"requests":%d,"durationUs":%d,"errors":%d,"p50Us":%d,"p99Us":%d,"p999Us":%d}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
