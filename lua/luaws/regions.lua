--- Partitions and regions, as endpoints.json has them.
local core = require("luaws.core")
local errors = require("luaws.errors")

local regions = {}

local OPTIONS = { partition = true, partition_name = true, allow_non_regional = true }

--- The names of all partitions.
function regions.partitions(session)
  return core.partitions(session._core)
end

--- The partition that a region belongs to, by its list or its pattern.
function regions.partition(session, region)
  if type(region) ~= "string" then
    errors.raise("TypeError", "get_partition_for_region takes the name of a region, not a %s", type(region))
  end
  return core.partition_for_region(session._core, region)
end

-- endpoints.json knows services by their endpoint prefix.
local function endpoint_prefix(session, service)
  local ok, client = pcall(session.client, session, service, { region_name = "us-east-1" })
  if ok then
    local prefix = core.client_info(client).endpoint_prefix
    client:close()
    return prefix
  end
end

--- The regions that a service is known to be in; none for a service that does not exist.
---@param opts table { partition = "aws", allow_non_regional = false }
function regions.of_service(session, service, opts)
  if type(service) ~= "string" or type(opts) ~= "table" then
    errors.raise("TypeError", "get_available_regions takes the name of a service and a table of options, "
      .. "not a %s and a %s", type(service), type(opts))
  end
  for name in pairs(opts) do
    if not OPTIONS[name] then
      errors.raise("TypeError", "get_available_regions: %s", require("luaws.nearest").message(tostring(name),
        { "partition", "allow_non_regional" }))
    end
  end
  local prefix = endpoint_prefix(session, service)
  if not prefix then
    return {}
  end
  return core.regions(session._core, prefix, opts.partition or opts.partition_name, opts.allow_non_regional)
end

return regions
