--- What DynamoDB needs beside plain Lua values, and conditions on items.
---
---     local ddb = require("luaws").dynamodb
---     table:put_item{ Item = { id = "a", tags = ddb.set{ "x", "y" }, photo = ddb.binary(bytes) } }
---     table:query{ KeyConditionExpression = ddb.Key("id"):eq("a"), FilterExpression = ddb.Attr("n"):gt(2) }
---
--- Everything made through aws.resource("dynamodb") takes and returns such values, its meta.client too.
local binary = require("luaws.dynamodb.binary")
local conditions = require("luaws.dynamodb.conditions")
local convert = require("luaws.dynamodb.convert")
local nearest = require("luaws.nearest")
local number = require("luaws.dynamodb.number")
local set = require("luaws.dynamodb.set")

local dynamodb = {
  Key = conditions.Key,
  Attr = conditions.Attr,
  And = conditions.And,
  Or = conditions.Or,
  Not = conditions.Not,
  is_condition = conditions.is_condition,

  set = set.new,
  binary = binary.new,
  number = number.new,
  is_set = set.is_set,
  is_binary = binary.is_binary,
  is_number = number.is_object,

  -- For plain clients and streams, which know AttributeValues only.
  serialize = convert.serialize,
  deserialize = convert.deserialize,
}

return setmetatable(dynamodb, { __index = nearest.no_such("aws.dynamodb", dynamodb) })
