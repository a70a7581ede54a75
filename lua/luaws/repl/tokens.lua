--- The words of a piece of Lua that may end anywhere: what completion looks at.
local tokens = {}

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
    return then true until while]]):gmatch("%l+") do
  KEYWORDS[word] = true
end
tokens.KEYWORDS = KEYWORDS

local OPENING = { ["("] = ")", ["["] = "]", ["{"] = "}" }
local CLOSING = { [")"] = "(", ["]"] = "[", ["}"] = "{" }

-- The end of a long bracket that begins at `at`, or nil when there is none; false when it has no end.
local function long_bracket(text, at)
  local equals = text:match("^%[(=*)%[", at)
  if not equals then
    return nil
  end
  local _, stop = text:find("]" .. equals .. "]", at, true)
  return stop or false, #equals + 2
end

local function short_string(text, at)
  local quote = text:sub(at, at)
  local i = at + 1
  while i <= #text do
    local c = text:sub(i, i)
    if c == "\\" then
      i = i + 1
    elseif c == quote then
      return i
    elseif c == "\n" then
      return false
    end
    i = i + 1
  end
  return false
end

local function read_string(text, at)
  local stop, skip = long_bracket(text, at)
  if stop == nil then
    stop, skip = short_string(text, at), 1
  end
  return {
    type = "string", at = at, stop = stop or #text, open = not stop, first = at + skip,
    value = text:sub(at + skip, stop and stop - skip or #text),
  }
end

-- Past the comment at `at`, or nil when the text ends within it.
local function skip_comment(text, at)
  local stop = long_bracket(text, at + 2)
  if stop == nil then
    stop = text:find("\n", at, true)
  end
  return stop and stop + 1
end

local function read_symbol(text, at)
  local symbol = text:match("^%.%.%.", at) or text:match("^[=~<>]=", at) or text:match("^%.%.", at)
    or text:match("^//", at) or text:match("^::", at) or text:sub(at, at)
  return { type = "symbol", text = symbol, at = at, stop = at + #symbol - 1 }
end

local function read_token(text, at)
  local name = text:match("^[%a_][%w_]*", at)
  if name then
    return { type = KEYWORDS[name] and "keyword" or "name", text = name, at = at, stop = at + #name - 1 }
  end
  local number = text:match("^%.?%d[%w.]*", at)
  if number then
    return { type = "number", text = number, value = tonumber(number), at = at, stop = at + #number - 1 }
  elseif text:find("^[\"']", at) or text:find("^%[=*%[", at) then
    return read_string(text, at)
  end
  return read_symbol(text, at)
end

--- Splits a text into tokens: each has type ("name", "keyword", "string", "number", "symbol"), text or
--- value, and the places at and stop; a bracket has partner, the index of its other half, and a string that
--- does not end is open.
---@param text string
---@return table|nil sequence nil when the text ends within a comment
function tokens.split(text)
  local list, open, at = {}, {}, 1
  while true do
    at = text:find("%S", at)
    if not at then
      return list
    elseif text:sub(at, at + 1) == "--" then
      at = skip_comment(text, at)
      if not at then
        return nil
      end
    else
      local token = read_token(text, at)
      list[#list + 1] = token
      at = token.stop + 1
      if OPENING[token.text] then
        open[#open + 1] = #list
      elseif CLOSING[token.text] and open[1] and list[open[#open]].text == CLOSING[token.text] then
        token.partner = table.remove(open)
        list[token.partner].partner = #list
      end
    end
  end
end

--- The index of the bracket that is open around the token at `index`, or nil.
---@param list table
---@param index integer
function tokens.enclosing(list, index)
  local i = index - 1
  while i > 0 do
    local token = list[i]
    if CLOSING[token.text] and token.partner then
      i = token.partner
    elseif OPENING[token.text] then
      return i
    end
    i = i - 1
  end
end

--- Whether an expression may end with this token, so that a bracket after it calls or indexes it.
---@param token table|nil
function tokens.ends_expression(token)
  return token ~= nil and (token.type == "name" or token.type == "string" or CLOSING[token.text] ~= nil)
end

return tokens
