-- Requests the paths of a file one after the other, beginning at an offset, and prints a summary
-- as one line of JSON. An answer of any other status than the expected one counts as failed.
-- wrk -s wrk.lua http://host:port -- FILE OFFSET STATUS
local paths = {}
local position = 0
local threads = {}
-- Global, so that `done` can get them of each thread.
expected_status = 200
unexpected = 0

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  for path in io.lines(args[1]) do
    paths[#paths + 1] = path
  end
  position = tonumber(args[2])
  expected_status = tonumber(args[3])
  if expected_status ~= 200 then
    -- wrk itself takes every status above 399 for an error. This function costs wrk time for each
    -- answer, so it is there only where it is needed.
    response = function(status)
      if status ~= expected_status then
        unexpected = unexpected + 1
      end
    end
  end
end

function request()
  local path = paths[position % #paths + 1]
  position = position + 1
  return wrk.format("GET", path)
end

function done(summary, latency, _)
  local errors = summary.errors
  if threads[1]:get("expected_status") ~= 200 then
    errors.status = 0
    for _, thread in ipairs(threads) do
      errors.status = errors.status + thread:get("unexpected")
    end
  end
  local failed = {}
  for kind, count in pairs(errors) do
    if count > 0 then
      failed[#failed + 1] = string.format('"%s": %d', kind, count)
    end
  end
  local line = '\nSUMMARY {"requests": %d, "seconds": %f, "bytes": %d, "failed": {%s}, '
    .. '"p50": %f, "p99": %f}\n'
  io.write(string.format(line, summary.requests, summary.duration / 1e6, summary.bytes,
    table.concat(failed, ", "), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
