-- The same story of each service that has resources, told with luaws and with boto3, each against a moto of
-- its own: both see the same on the way, and leave the same behind, as boto3 reads it.
local child = require("spec.support.child")
local cjson = require("cjson")
local moto = require("spec.support.moto")
local stories = require("spec.support.resource_stories")
local aws = require("luaws")

-- As the stories in Python write what they saw: ids made by chance as numbers.
local IDS = { "i", "vpc", "subnet", "sg", "vol", "snap", "eipalloc" }

local function open(service)
  return aws.resource(service, { region_name = "us-east-1", endpoint_url = moto.url, aws_access_key_id = "a",
    aws_secret_access_key = "b" })
end

local function plain(value)
  if type(value) == "string" then
    for _, prefix in ipairs(IDS) do
      assert(not value:find("^" .. prefix .. "%-%x+$"), "a story sees no ids made by chance")
    end
    return (value:gsub("127%.0%.0%.1:%d+", "HOST"))
  elseif type(value) == "number" then
    return math.type(value) == "float" and math.tointeger(value) or value
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for name, item in pairs(value) do
    copy[name] = plain(item)
  end
  return copy
end

describe("a story told with resources of", function()
  local told, seen, failures = nil, {}, {}

  setup(function()
    moto.reset()
    for name, story in pairs(stories) do
      seen[name] = {}
      local ok, err = xpcall(story, debug.traceback, open(name), function(...)
        table.insert(seen[name], plain { ... })
      end)
      failures[name] = not ok and tostring(err) or nil
    end
    local line <const>, handle <close> = child.start({ "python3", "spec/support/moto_server.py" }, "moto")
    told = cjson.decode(child.output({ "python3", "spec/support/resource_stories.py",
      "http://127.0.0.1:" .. line, moto.url }))
    assert(handle)
  end)

  for name in pairs(stories) do
    it(name .. " sees and leaves what it does with boto3", function()
      assert.is_nil(failures[name])
      assert.same(plain(told[name].seen), seen[name])
      assert.same(told[name].left, told[name].left_by_luaws)
      assert.is_true(#told[name].left > 0)
    end)
  end
end)
