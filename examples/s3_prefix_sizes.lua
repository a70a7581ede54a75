-- How much is stored under each first-level prefix of a bucket.
--   luaws examples/s3_prefix_sizes.lua BUCKET [PREFIX]
local aws = require "luaws"

local bucket, prefix = arg[1], arg[2] or ""
if not bucket then
  io.stderr:write("usage: luaws examples/s3_prefix_sizes.lua BUCKET [PREFIX]\n")
  os.exit(2)
end

local sizes, counts, names = {}, {}, {}
for object in aws.resource("s3"):Bucket(bucket).objects:filter{ Prefix = prefix } do
  local name = object.key:sub(#prefix + 1):match("^[^/]*/") or "(files)"
  if not sizes[name] then
    sizes[name], counts[name] = 0, 0
    names[#names + 1] = name
  end
  sizes[name] = sizes[name] + object.size
  counts[name] = counts[name] + 1
end

table.sort(names, function(a, b)
  return sizes[a] > sizes[b]
end)

local UNITS = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" }
local function readable(bytes)
  local unit = 1
  while bytes >= 1024 and unit < #UNITS do
    bytes, unit = bytes / 1024, unit + 1
  end
  return (unit == 1 and "%d %s" or "%.1f %s"):format(bytes, UNITS[unit])
end

for _, name in ipairs(names) do
  print(("%12s  %8d objects  %s%s"):format(readable(sizes[name]), counts[name], prefix, name))
end
