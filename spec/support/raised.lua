--- What a call raises, which must raise something.
---@param fn function
---@return any error
return function(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, "nothing was raised")
  return err
end
