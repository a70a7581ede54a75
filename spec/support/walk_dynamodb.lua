-- Writes and reads items of DynamoDB and makes conditions with luaws: the other side of
-- scripts/walk-dynamodb, which says what is asked for. Values are told as AttributeValues with hexadecimal
-- bytes; a double's text begins with an f. Whether a number is written as an integer, a float or a number
-- object is left to chance.
local aws = require("luaws")
local cjson = require("cjson")
local expression = require("luaws.dynamodb.expression")

local ddb = aws.dynamodb

local songs

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

local function hex_of(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- ---- what is told, as Lua values ----

local function number_of(text)
  local plain = tonumber(text)
  if math.type(plain) == "integer" and math.random() < 0.8 then
    return plain
  elseif math.type(plain) == "float" and #text < 16 and math.random() < 0.8 then
    return plain
  end
  return ddb.number(text)
end

local value_of

local function each(list, convert)
  local made = {}
  for i, one in ipairs(list) do
    made[i] = convert(one)
  end
  return made
end

local FROM = {
  S = function(text) return text end,
  N = number_of,
  B = function(hex) return ddb.binary(bytes_of(hex)) end,
  BOOL = function(truth) return truth end,
  NULL = function() return aws.null end,
  SS = function(list) return ddb.set(list) end,
  NS = function(list) return ddb.set(each(list, number_of)) end,
  BS = function(list) return ddb.set(each(list, function(hex) return ddb.binary(bytes_of(hex)) end)) end,
  L = function(list) return aws.list(each(list, value_of)) end,
  M = function(map)
    local made = {}
    for name, inner in pairs(map) do
      made[name] = value_of(inner)
    end
    return made
  end,
}

function value_of(told)
  local kind, inner = next(told)
  return FROM[kind](inner)
end

-- ---- and the way back ----

local function digits_of(number)
  if ddb.is_number(number) then
    return number.digits
  end
  return math.type(number) == "integer" and tostring(number) or ("f%.17g"):format(number)
end

local tell

local function tell_table(value)
  local mt = getmetatable(value)
  local made = {}
  for name, inner in pairs(value) do
    made[name] = tell(inner)
  end
  if value[1] ~= nil or mt and mt.__jsontype == "array" then
    return { L = aws.list(made) }
  end
  return { M = aws.map(made) }
end

local function tell_set(set)
  local kind, list = set:element_type(), {}
  for one in set:values() do
    list[#list + 1] = select(2, next(tell(one)))
  end
  return { [kind .. "S"] = list }
end

function tell(value)
  if type(value) == "string" then
    return { S = value }
  elseif type(value) == "number" or ddb.is_number(value) then
    return { N = digits_of(value) }
  elseif type(value) == "boolean" then
    return { BOOL = value }
  elseif value == aws.null then
    return { NULL = true }
  elseif ddb.is_binary(value) then
    return { B = hex_of(value.bytes) }
  elseif ddb.is_set(value) then
    return tell_set(value)
  end
  return tell_table(value)
end

-- ---- conditions ----

local function subject(told)
  return ddb[told[1]](told[2])
end

local function plain(value)
  return type(value) == "number" and math.tointeger(value) or value
end

local function operand(told)
  if told.attribute then
    return subject(told.attribute)
  end
  return plain(told.value)
end

local build

local BUILD = {
  ["and"] = function(a, b) return build(a) & build(b) end,
  ["or"] = function(a, b) return build(a) | build(b) end,
  ["not"] = function(a) return ~build(a) end,
  bare = subject,
  sized = function(compare, of, with)
    local size = subject(of):size()
    return size[compare](size, operand(with))
  end,
  is_in = function(of, list) return subject(of):is_in(each(list, plain)) end,
}

function build(tree)
  local make = BUILD[tree[1]]
  if make then
    return make(table.unpack(tree, 2))
  end
  local of = subject(tree[2])
  local operands = each({ table.unpack(tree, 3) }, operand)
  return of[tree[1]](of, table.unpack(operands))
end

-- ---- what is asked for ----

local VERBS = {}

function VERBS.open(question)
  songs = aws.resource("dynamodb", { endpoint_url = question.url, region_name = "us-east-1",
    aws_access_key_id = "a", aws_secret_access_key = "b" }):Table("walk")
  return {}
end

function VERBS.write(question)
  math.randomseed(math.tointeger(question.seed))
  local items = each(question.items, function(item) return FROM.M(item) end)
  if question.batch then
    local batch <close> = songs:batch_writer { overwrite_by_pkeys = { "id", "number" } }
    for _, item in ipairs(items) do
      batch:put_item { Item = item }
    end
  else
    for _, item in ipairs(items) do
      songs:put_item { Item = item }
    end
  end
  return {}
end

function VERBS.read()
  local items = {}
  local paginator = songs.meta.client:get_paginator("scan")
  for page in paginator:paginate { TableName = "walk", ConsistentRead = true } do
    for _, item in ipairs(page.Items) do
      items[#items + 1] = tell(item).M
    end
  end
  return { items = aws.list(items) }
end

function VERBS.condition(question)
  local builder = expression.builder()
  local text = builder:build(build(question.tree), question.key)
  return { expression = text, names = aws.map(builder.names), values = aws.map(builder.values) }
end

local WRONG = {
  infinity = function() return math.huge end,
  nan = function() return 0 / 0 end,
  ["empty set"] = function() return ddb.set {} end,
  ["39 digits"] = function() return ("1"):rep(39) end,
  ["too large"] = function() return "1E127" end,
  ["too small"] = function() return "1E-131" end,
  ["1E400"] = function() return "1E400" end,
  ["mixed set"] = function() return { 1, "a" } end,
  ["function"] = function() return print end,
  ["set of lists"] = function() return { {} } end,
}

local NUMBERS = { ["39 digits"] = true, ["too large"] = true, ["too small"] = true, ["1E400"] = true }
local SETS = { ["mixed set"] = true, ["set of lists"] = true }

-- What is refused when it is made says so there; it has no place in an item yet.
function VERBS.wrong(question)
  local words = question.words
  local value = WRONG[words]()
  local make = NUMBERS[words] and ddb.number or SETS[words] and ddb.set
  if make then
    local ok, err = pcall(make, value)
    return ok and { error = "taken" } or { error = "Item.v: refused when made: " .. tostring(err) }
  end
  songs:put_item { Item = { id = "a", number = 1, v = value } }
  return {}
end

for line in io.lines() do
  local question = cjson.decode(line)
  local ok, answer = pcall(VERBS[question.verb], question)
  if not ok then
    local err = answer
    local kind = type(err) == "table" and err.kind or "bug: " .. tostring(err)
    answer = { error = question.verb == "condition" and kind or tostring(err) }
  end
  io.write(cjson.encode(answer), "\n")
  io.flush()
end
