--- Patterns of file names: `*` and `?` match within a folder, `**` across folders, `[a-z]` and `[!a-z]` one
--- character. A pattern without "/" matches the last part of a name; "build/" is everything under build.
local glob = {}

-- What a set "[…]" that begins at i says of a character, and where the pattern goes on; nil when it never
-- ends.
local function in_set(pattern, i, character)
  local negated = pattern:find("^[!^]", i + 1) ~= nil
  local at, found = i + (negated and 2 or 1), false
  local first = at
  while at <= #pattern do
    local c = pattern:sub(at, at)
    if c == "]" and at > first then
      return found ~= negated and character ~= "/", at + 1
    end
    local last = pattern:match("^%-([^%]])", at + 1)
    if last then
      found = found or c <= character and character <= last
      at = at + 3
    else
      found = found or c == character
      at = at + 1
    end
  end
  return nil
end

local match_from

-- A star at i, with the name from j on: each place where it may end is tried. What was in vain once is not
-- tried again, however many stars there are.
local function match_star(pattern, i, name, j, in_vain)
  local state = i * (#name + 2) + j
  if in_vain[state] then
    return false
  end
  local across = pattern:sub(i, i + 1) == "**"
  local rest = i + (across and 2 or 1)
  if across and pattern:sub(rest, rest) == "/" and match_from(pattern, rest + 1, name, j, in_vain) then
    return true -- "**/" is also no folder at all
  end
  local stop = across and #name + 1 or name:find("/", j, true) or #name + 1
  for at = j, stop do
    if match_from(pattern, rest, name, at, in_vain) then
      return true
    end
  end
  in_vain[state] = true
  return false
end

function match_from(pattern, i, name, j, in_vain)
  while i <= #pattern do
    local c = pattern:sub(i, i)
    if c == "*" then
      return match_star(pattern, i, name, j, in_vain)
    end
    local character = name:sub(j, j)
    local hit, after
    if c == "[" then
      hit, after = in_set(pattern, i, character)
    end
    if after == nil then
      hit, after = c == character or c == "?" and character ~= "/", i + 1
    end
    if character == "" or not hit then
      return false
    end
    i, j = after, j + 1
  end
  return j > #name
end

--- Whether the pattern matches the whole name.
---@param pattern string
---@param name string with "/" between folders
---@return boolean
function glob.match(pattern, name)
  if pattern:sub(-1) == "/" then
    pattern = pattern .. "**"
  end
  if not pattern:find("/", 1, true) then
    name = name:match("[^/]*$")
  end
  return match_from(pattern, 1, name, 1, {})
end

local function any(patterns, name)
  for _, pattern in ipairs(patterns) do
    if glob.match(pattern, name) then
      return true
    end
  end
  return false
end

--- Whether one of the patterns says by itself that whatever a folder may hold is excluded.
---@param exclude table|string|nil patterns
---@param folder string without "/" at its end
---@return boolean
function glob.covers(exclude, folder)
  for _, pattern in ipairs(type(exclude) == "string" and { exclude } or exclude or {}) do
    local above = pattern:match("^(.*)/$") or pattern:match("^(.*)/%*%*$")
    if pattern == "*" or pattern == "**" or above and match_from(above, 1, folder, 1, {}) then
      return true
    end
  end
  return false
end

--- Whether a name is among what is included (everything without such a list) and not excluded.
---@param name string
---@param include table|string|nil patterns
---@param exclude table|string|nil patterns
---@return boolean
function glob.wanted(name, include, exclude)
  include = type(include) == "string" and { include } or include
  exclude = type(exclude) == "string" and { exclude } or exclude
  return (not include or any(include, name)) and not (exclude and any(exclude, name))
end

return glob
