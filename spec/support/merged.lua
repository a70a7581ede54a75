--- All fields of some tables in a new one; of two with the same name the later counts. nil is no table.
---@param ... table|nil
---@return table
return function(...)
  local all = {}
  for i = 1, select("#", ...) do
    for name, value in pairs((select(i, ...)) or {}) do
      all[name] = value
    end
  end
  return all
end
