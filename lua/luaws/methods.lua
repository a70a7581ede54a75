--- Methods that know whose they are: `client.get_waiter("bucket_exists")`, with "." in place of ":", is told
--- so where it stands in the script, instead of failing somewhere within.
local errors = require("luaws.errors")

local methods = {}

--- A method that takes only objects with this metatable.
---@param noun string what such an object is called in the message
---@param mt table
---@param name string
---@param method function
---@return function
function methods.of(noun, mt, name, method)
  return function(self, ...)
    if getmetatable(self) ~= mt then
      errors.raise("TypeError", "%s is a method: call it as %s:%s(...)", name, noun, name)
    end
    return method(self, ...)
  end
end

--- The same for a table of methods, in place.
---@param noun string
---@param mt table
---@param list table by name
---@return table list
function methods.check(noun, mt, list)
  for name, method in pairs(list) do
    list[name] = methods.of(noun, mt, name, method)
  end
  return list
end

--- The same, and names that are not there raise, too, with the nearest that are.
---@param noun string
---@param mt table whose __index is list
---@param list table by name
---@param fields table|nil what else there is, by name
---@return table list
function methods.all(noun, mt, list, fields)
  local known = setmetatable({}, { __index = list })
  for name in pairs(fields or {}) do
    known[name] = true
  end
  setmetatable(methods.check(noun, mt, list), { __index = function(_, name)
    return require("luaws.nearest").no_such(noun, known)(nil, name)
  end })
  return list
end

return methods
