-- Every resource of every service and version has the names that boto3's objects have.
local aws = require("luaws")
local cjson = require("cjson")
local collection = require("luaws.resource.collection")
local resource = require("luaws.resource")

local ITERATION = { all = true, filter = true, iterator = true, limit = true, page_size = true, pages = true }

local function read_fixture(name)
  local file <close> = assert(io.open("spec/fixtures/" .. name))
  return cjson.decode(file:read("a"))
end

local function words(text)
  local out = {}
  for word in text:gmatch("%S+") do
    out[#out + 1] = word
  end
  return out
end

-- The row of the fixture for an object, made from the object.
local function describe_object(object)
  local groups = { identifier = table.concat(object.meta.identifiers, " ") }
  local by_kind, batch = {}, {}
  for name, kind in pairs(resource.members(object)) do
    if kind ~= "identifier" and kind ~= "method" and name ~= "reload" then
      by_kind[kind] = by_kind[kind] or {}
      table.insert(by_kind[kind], name)
    end
    if kind == "collection" then
      local actions = {}
      for _, action in ipairs(collection.names(object[name])) do
        actions[#actions + 1] = not ITERATION[action] and action or nil
      end
      batch[name] = actions[1] and table.concat(actions, " ") or nil
    end
  end
  for kind, names in pairs(by_kind) do
    table.sort(names)
    groups[kind] = table.concat(names, " ")
  end
  groups.batch = next(batch) and batch or nil
  return groups
end

describe("resources", function()
  local session = aws.session { region_name = "us-east-1" }

  for service_version, rows in pairs(read_fixture("resource_names.json")) do
    local service, version = service_version:match("(%S+) (%S+)")

    it("of " .. service_version .. " have boto3's names", function()
      local client = session:client(service, { api_version = version })
      -- Without what is added to the models: the names are those of the models.
      local root = resource.of_client(client, { events = require("luaws.events").new() }, version)
      local family = getmetatable(root).class.family
      for name, row in pairs(rows) do
        local class = family:class(name, client)
        local identifiers = {}
        for _, identifier in ipairs(words(row.identifier)) do
          identifiers[identifier] = "x"
        end
        local got = describe_object(class:make(client, identifiers))
        for _, kind in ipairs { "action", "alias", "attribute", "load", "waiter" } do
          if got[kind] ~= row[kind] then
            assert.same(words(row[kind] or ""), words(got[kind] or ""), name)
          end
        end
        assert.same(row, got, name)
      end
    end)
  end

  it("exist for nine services", function()
    assert.same(words("cloudformation cloudwatch dynamodb ec2 glacier iam s3 sns sqs"),
      session:get_available_resources())
  end)
end)
