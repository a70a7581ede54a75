--- Writes many items to one table with few requests.
---
---     do
---       local batch <close> = table:batch_writer{ overwrite_by_pkeys = { "id" } }
---       for i = 1, 1000 do batch:put_item{ Item = { id = i } } end
---       batch:delete_item{ Key = { id = 5 } }
---     end
---
--- 25 writes go out at once. Those that DynamoDB leaves undone are sent again, after a wait that grows for
--- as long as there are any. What remains is sent when the scope is left, by an error too, as what was put in
--- before it was meant; only a task that is cancelled drops it, since it must not wait any more.
local async = require("luaws.async")
local convert = require("luaws.dynamodb.convert")
local core = require("luaws.core")
local errors = require("luaws.errors")
local binary = require("luaws.dynamodb.binary")
local nearest = require("luaws.nearest")
local number = require("luaws.dynamodb.number")

local batch_writer = {}

local Writer = {}
local writer_mt = { __name = "luaws.dynamodb.batch_writer", __index = Writer }

setmetatable(Writer, { __index = nearest.no_such("a batch writer", Writer) })

local BATCH_SIZE <const> = 25
local FIRST_WAIT <const>, LONGEST_WAIT <const> = 0.05, 10 -- seconds

local function key_part(value)
  if number.is_number(value) then
    return "N" .. number.key(value)
  elseif binary.is_binary(value) then
    return "B" .. value.bytes
  end
  return type(value):sub(1, 1) .. tostring(value)
end

-- A text that is the same for writes to the same item.
local function key_of(writer, values)
  local parts = {}
  for i, name in ipairs(writer._key_names) do
    if values[name] == nil then
      errors.raise("KeyError", "'%s', which is in overwrite_by_pkeys, is not in this write", name)
    end
    local part = key_part(values[name])
    parts[i] = #part .. ":" .. part
  end
  return table.concat(parts)
end

local function values_of(request)
  return request.PutRequest and request.PutRequest.Item or request.DeleteRequest.Key
end

-- Where a write to this item waits, if one does.
local function place_of(writer, key)
  for i, request in ipairs(writer._requests) do
    if key_of(writer, values_of(request)) == key then
      return i
    end
  end
end

-- Puts what was left undone behind what waits, but for what a write of another task has overtaken meanwhile.
local function take_back(writer, undone)
  for _, request in ipairs(undone) do
    if not writer._key_names or not place_of(writer, key_of(writer, values_of(request))) then
      table.insert(writer._requests, request)
    end
  end
end

local function send(writer)
  if writer._undone > 0 then
    local most = math.min(LONGEST_WAIT, FIRST_WAIT * 2 ^ (writer._undone - 1))
    writer._sleep(most * (0.5 + math.random() / 2))
  end
  local requests = writer._requests
  local batch = core.list(table.move(requests, 1, math.min(#requests, BATCH_SIZE), 1, {}))
  writer._requests = table.move(requests, #batch + 1, #requests, 1, {})
  local answer = writer._client:batch_write_item { RequestItems = { [writer._table_name] = batch } }
  local undone = (answer.UnprocessedItems or {})[writer._table_name] or {}
  writer._undone = #undone > 0 and writer._undone + 1 or 0
  take_back(writer, undone)
end

local function add(writer, request)
  local earlier = writer._key_names and place_of(writer, key_of(writer, values_of(request)))
  if earlier then
    table.remove(writer._requests, earlier)
  end
  writer._requests[#writer._requests + 1] = request
  while #writer._requests >= BATCH_SIZE do
    send(writer)
  end
end

local function check_params(name, params, member)
  if type(params) ~= "table" or type(params[member]) ~= "table" then
    errors.raise("TypeError", "%s takes the table %s: batch:%s{ %s = {…} }", name, member, name, member)
  end
  for key in pairs(params) do
    if key ~= member then
      errors.raise("TypeError", "%s takes %s only, not %s", name, member, tostring(key))
    end
  end
  return convert.copy(params[member], member)
end

--- Puts an item: put_item{ Item = {…} }. It is copied; the table may be used again.
function Writer:put_item(params)
  add(self, { PutRequest = { Item = check_params("put_item", params, "Item") } })
end

--- Deletes an item: delete_item{ Key = {…} }.
function Writer:delete_item(params)
  add(self, { DeleteRequest = { Key = check_params("delete_item", params, "Key") } })
end

--- Sends everything that waits, and again what DynamoDB left undone.
function Writer:flush()
  while #self._requests > 0 do
    send(self)
  end
end

Writer.close = Writer.flush

-- An error on the way out keeps its place: one of the last requests must not hide it.
function writer_mt:__close(err)
  if err == nil and not async.cancelled() then
    self:flush()
  elseif err ~= nil and not (errors.is_error(err) and err:is("CancelledError")) then
    pcall(self.flush, self)
  end
end

--- A writer; table:batch_writer calls this.
---@param client userdata one that takes plain values
---@param table_name string
---@param opts table|nil overwrite_by_pkeys: names of the key attributes; of several writes to one item that
---  wait at the same time only the last is made, as DynamoDB refuses a batch with two
---@return table
function batch_writer.new(client, table_name, opts)
  opts = opts or {}
  if type(opts) ~= "table" then
    errors.raise("TypeError", "batch_writer takes its options in one table, not a %s", type(opts))
  end
  for name in pairs(opts) do
    if name ~= "overwrite_by_pkeys" and name ~= "sleep" then
      errors.raise("TypeError", "batch_writer takes overwrite_by_pkeys only, not %s", tostring(name))
    end
  end
  local key_names = opts.overwrite_by_pkeys
  if key_names ~= nil and type(key_names) ~= "table" then
    errors.raise("TypeError", "overwrite_by_pkeys is a sequence of names, not a %s", type(key_names))
  end
  return setmetatable({
    _client = client,
    _table_name = table_name,
    _key_names = key_names and key_names[1] and key_names,
    _requests = {},
    _undone = 0,
    _sleep = opts.sleep or async.sleep,
  }, writer_mt)
end

return batch_writer
