-- Sends requests that are all alike, with the field lines of a file, and writes the result as one line of JSON.
-- Arguments: path, file.

local request_text = ""

function init(args)
  local file = io.open(args[2])
  request_text = "GET " .. args[1] .. " HTTP/1.1\r\nHost: h0.bench.test\r\n"
  for line in file:lines() do request_text = request_text .. line .. "\r\n" end
  file:close()
  request_text = request_text .. "\r\n"
end

function request() return request_text end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %.6f, "socketErrors": %d, "statusErrors": %d}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
