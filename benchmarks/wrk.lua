-- Asks for the addresses of a file, one after the other, from a place in it on; tells what came of it as one line of JSON.
-- wrk -s wrk.lua http://host:port -- FILE OFFSET
local paths = {}
local place = 0

function init(args)
  for line in io.lines(args[1]) do
    paths[#paths + 1] = line
  end
  place = tonumber(args[2])
end

function request()
  local path = paths[place % #paths + 1]
  place = place + 1
  return wrk.format("GET", path)
end

function done(summary, latency, _)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local told = '\nTOLD {"requests": %d, "seconds": %f, "bytes": %d, "failed": %d, "p50": %f, "p99": %f}\n'
  io.write(string.format(told, summary.requests, summary.duration / 1e6, summary.bytes, failed,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
