-- What a script says when its load is over: one line of JSON.

return function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "bytes": %d, "socketErrors": %d, "statusErrors": %d, '
      .. '"p50Microseconds": %.1f, "p99Microseconds": %.1f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50), latency:percentile(99)))
end
