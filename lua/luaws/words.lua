--- A list of names that is written as one text, with blanks or line ends between them.
---@param text string
---@return string[]
return function(text)
  local list = {}
  for word in text:gmatch("%S+") do
    list[#list + 1] = word
  end
  return list
end
