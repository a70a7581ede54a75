-- Prints what is logged to a log group, and goes on with what comes until Ctrl-C.
--   luaws examples/tail_logs.lua GROUP [PATTERN]
local aws = require "luaws"

local group, pattern = arg[1], arg[2]
if not group then
  io.stderr:write("usage: luaws examples/tail_logs.lua GROUP [PATTERN]\n")
  os.exit(2)
end

local MINUTE <const> = 60 * 1000 -- the service counts in milliseconds
local logs = aws.client("logs")
local pages = logs:get_paginator("filter_log_events")

-- Events come late, and several within one millisecond: so the last minute is asked for again and again, and
-- what was printed is remembered.
local start, printed = os.time() * 1000 - 10 * MINUTE, {}

local function print_news()
  local newest = start
  local events = pages:paginate{ logGroupName = group, filterPattern = pattern, startTime = start }
  for event in events:search("events[]") do
    if not printed[event.eventId] then
      print(os.date("!%FT%TZ", event.timestamp // 1000), event.logStreamName, event.message)
    end
    printed[event.eventId] = event.timestamp
    newest = math.max(newest, event.timestamp)
  end
  io.stdout:flush()
  start = math.max(start, newest - MINUTE)
  for id, timestamp in pairs(printed) do
    if timestamp < start then
      printed[id] = nil
    end
  end
end

local ok, err = pcall(function()
  while true do
    print_news()
    aws.async.sleep(2)
  end
end)
if not ok and not (aws.errors.is_error(err) and err:is("KeyboardInterrupt")) then
  error(err, 0)
end
