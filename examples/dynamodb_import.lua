-- Writes a file of JSON lines, an object each, into a DynamoDB table. Of two with the same key the last wins.
--   luaws examples/dynamodb_import.lua [--profile NAME] TABLE FILE.jsonl
local aws = require "luaws"
local cjson = require "cjson"

local name, path = arg[1], arg[2]
if not path then
  io.stderr:write("usage: luaws dynamodb_import.lua TABLE FILE.jsonl\n")
  os.exit(2)
end

local target = aws.resource("dynamodb"):Table(name)
local keys = {}
for i, part in ipairs(target.key_schema) do
  keys[i] = part.AttributeName
end

local function fail(number, why)
  error(("%s:%d: %s"):format(path, number, why), 0)
end

local count, started = 0, os.time()
do
  local batch <close> = target:batch_writer{ overwrite_by_pkeys = keys }
  for line in io.lines(path) do
    count = count + 1
    local ok, item = pcall(cjson.decode, line)
    if not ok or type(item) ~= "table" then
      fail(count, ok and "not an object" or item)
    end
    local put, err = pcall(batch.put_item, batch, { Item = item })
    if not put then
      fail(count, tostring(err))
    end
  end
end
print(("%d lines into %s in %d s"):format(count, name, os.time() - started))
