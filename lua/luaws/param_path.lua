--- Puts a value into an operation's parameters at the place a resource model names for it:
---   "Bucket"                  a member
---   "Filters[0].Name"         a member of a list's item, counted from 0 as in the models
---   "Delete.Objects[].Key"    of a new item at the end of the list
---   "Entries[*].Id"           of the item the caller says, counted from 1
--- What is missing on the way is made: tables, and empty tables up to the item's place in a list.
local errors = require("luaws.errors")
local values = require("luaws.jmespath.values")

local param_path = {}

local function list_at(holder, name)
  if not values.is_array(holder[name]) then
    holder[name] = {}
  end
  return holder[name]
end

-- The place in a list that "[…]" means, from 1.
local function place_of(subscript, list, index, target)
  if subscript == "" then
    return #list + 1
  elseif subscript == "*" then
    return index or #list + 1
  end
  local n = subscript:match("^%d+$")
  if not n then
    errors.raise("ValueError", "'%s' is not an index, in '%s'", subscript, target)
  end
  return math.tointeger(tonumber(n)) + 1
end

-- The table and the key in it that one part of a target stands for.
local function locate(holder, part, index, target)
  if type(holder) ~= "table" then
    errors.raise("TypeError", "no table to put '%s' of '%s' into, but a %s", part, target, type(holder))
  end
  local name, subscript = part:match("^(.-)%[(.*)%]$")
  if not name then
    return holder, part, index
  end
  local list = list_at(holder, name)
  local place = place_of(subscript, list, index, target)
  for i = #list + 1, place do
    list[i] = {}
  end
  -- A "[*]" further on goes to the place found here, as in boto3.
  return list, place, place
end

--- Sets the value at target within params; params is changed in place and returned.
---@param params table
---@param target string
---@param value any
---@param index integer|nil which item "[*]" means, from 1; without it a new one
---@return table params
function param_path.build(params, target, value, index)
  local holder, key = nil, nil
  for part in (target .. "."):gmatch("([^.]*)%.") do
    if key ~= nil then
      if holder[key] == nil then
        holder[key] = {}
      end
      holder = holder[key]
    else
      holder = params
    end
    holder, key, index = locate(holder, part, index, target)
  end
  holder[key] = value
  return params
end

return param_path
