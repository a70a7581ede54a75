-- Which instances lack a tag, over all regions at once.
--   luaws examples/tag_audit.lua [--profile NAME] TAG...
-- Exit status 1 when some do.
local aws = require "luaws"

local wanted = { table.unpack(arg) }
if #wanted == 0 then
  wanted = { "Name", "Owner" }
end

local session = aws.default_session()
local regions = {}
for _, region in ipairs(session:client("ec2"):describe_regions().Regions) do
  regions[#regions + 1] = region.RegionName
end
table.sort(regions)

local function missing_tags(instance)
  local has, missing = {}, {}
  for _, tag in ipairs(instance.Tags or {}) do
    has[tag.Key] = true
  end
  for _, name in ipairs(wanted) do
    if not has[name] then
      missing[#missing + 1] = name
    end
  end
  return missing
end

local found = aws.async.map(regions, function(region)
  local lines = {}
  local pages = session:client("ec2", { region_name = region }):get_paginator("describe_instances"):paginate()
  for instance in pages:search("Reservations[].Instances[]") do
    local missing = missing_tags(instance)
    if #missing > 0 then
      lines[#lines + 1] = ("%-15s %-20s lacks %s"):format(region, instance.InstanceId,
        table.concat(missing, ", "))
    end
  end
  return lines
end, { concurrency = 20 })

local count = 0
for _, lines in ipairs(found) do
  for _, line in ipairs(lines) do
    print(line)
    count = count + 1
  end
end
print(("%d instances in %d regions lack tags"):format(count, #regions))
os.exit(count == 0, true)
