-- Stops running instances whose CPU stayed below a limit for a day. Only says what it would do unless told
-- --really.
--   luaws examples/stop_idle.lua [--really] [--below PERCENT]
local aws = require "luaws"

local really, below = false, 5
local i = 1
while arg[i] do
  if arg[i] == "--really" then
    really = true
  elseif arg[i] == "--below" and tonumber(arg[i + 1]) then
    i = i + 1
    below = tonumber(arg[i])
  else
    io.stderr:write("usage: luaws examples/stop_idle.lua [--really] [--below PERCENT]\n")
    os.exit(2)
  end
  i = i + 1
end

local ec2, cloudwatch = aws.resource("ec2"), aws.client("cloudwatch")
local DAY = 24 * 60 * 60

-- The highest hourly average of the last day, nil when there are no data.
local function busiest_hour(instance_id)
  local now = os.time()
  local points = cloudwatch:get_metric_statistics{
    Namespace = "AWS/EC2", MetricName = "CPUUtilization", Statistics = { "Average" }, Period = 3600,
    StartTime = now - DAY, EndTime = now, Dimensions = { { Name = "InstanceId", Value = instance_id } },
  }.Datapoints
  local highest
  for _, point in ipairs(points) do
    highest = math.max(highest or 0, point.Average)
  end
  return highest
end

local running = {}
local is_running = { Name = "instance-state-name", Values = { "running" } }
for instance in ec2.instances:filter{ Filters = { is_running } } do
  running[#running + 1] = instance
end

local stopped = 0
local loads = aws.async.map(running, function(instance)
  return busiest_hour(instance.id) or false
end)
for n, instance in ipairs(running) do
  local load = loads[n]
  if load and load < below then
    print(("%s %s: at most %.1f%% CPU"):format(really and "stopping" or "would stop", instance.id, load))
    if really then
      instance:stop()
    end
    stopped = stopped + 1
  end
end
print(("%d of %d running instances are idle%s"):format(stopped, #running,
  really and "" or "; nothing was stopped (say --really)"))
