--- Does an error say what botocore says? Its words come first; where the culprit is, and what to do about
--- it, may follow.
---@param expected string botocore's
---@param said string
---@return boolean
return function(expected, said)
  local rest = said:sub(#expected + 1)
  return said:sub(1, #expected) == expected and (rest == "" or rest:find("^[;,:%s]") ~= nil)
end
