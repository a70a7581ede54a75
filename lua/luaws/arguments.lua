local errors = require("luaws.errors")

--- The named arguments of a method that takes them in a row or in one table.
---@param method string
---@param names string[] in their order
---@param required integer how many of the first must be there
---@param first any the first argument, or all in one table
---@return table name → value
local function arguments(method, names, required, first, ...)
  local opts = {}
  if type(first) == "table" then
    local known = {}
    for _, name in ipairs(names) do
      known[name] = true
    end
    for name, value in pairs(first) do
      if not known[name] then
        errors.raise("TypeError", "%s: %s", method, require("luaws.nearest").message(tostring(name), names))
      end
      opts[name] = value
    end
  else
    if select("#", ...) >= #names then
      errors.raise("TypeError", "%s takes %d arguments, not %d", method, #names, select("#", ...) + 1)
    end
    opts[names[1]] = first
    for i = 2, #names do
      opts[names[i]] = (select(i - 1, ...))
    end
  end
  for i = 1, required do
    if opts[names[i]] == nil then
      errors.raise("TypeError", "%s needs %s", method, names[i])
    end
  end
  return opts
end

return arguments
