--- Did you mean …? Finds the names nearest to a misspelt one.
local errors = require("luaws.errors")

local nearest = {}

local MAX_NAMES = 3

-- ListBuckets, list_buckets and list-buckets are the same letters.
local function letters(name)
  return (name:gsub("[^%w\x80-\xFF]+", ""):lower())
end

-- The words of a name in alphabetical order, so that bucket_list is near to list_buckets.
local function sorted_words(name)
  local words = {}
  for word in name:gsub("(%l)(%u)", "%1_%2"):gmatch("%w+") do
    words[#words + 1] = word:lower()
  end
  table.sort(words)
  return table.concat(words)
end

--- How many letters to change, add, leave out, or swap with a neighbour to get from a to b; any number
--- above limit when it is more than that.
---@param a string
---@param b string
---@param limit integer
---@return integer
function nearest.distance(a, b, limit)
  if math.abs(#a - #b) > limit then
    return limit + 1
  end
  local before, above = nil, {}
  for j = 0, #b do
    above[j] = j
  end
  for i = 1, #a do
    local row = { [0] = i }
    local best = i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local cost = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        cost = math.min(cost, before[j - 2] + 1)
      end
      row[j] = cost
      best = math.min(best, cost)
    end
    if best > limit then
      return limit + 1
    end
    before, above = above, row
  end
  return above[#b]
end

-- Smaller is nearer; nil for a name too far off.
local function score(wanted, words, name, limit)
  local plain = letters(name)
  local away = nearest.distance(wanted, plain, limit)
  if away > 1 then
    away = math.min(away, nearest.distance(words, sorted_words(name), limit) + 0.5)
  end
  if away > 1 and #wanted >= 3 and plain:sub(1, #wanted) == wanted then
    away = math.min(away, 1 + (#plain - #wanted) / 100)
  elseif away > 1 and #plain >= 3 and wanted:sub(1, #plain) == plain then
    away = math.min(away, 1.5 + (#wanted - #plain) / 100)
  end
  return away <= limit and away or nil
end

--- The names nearest to a misspelt one, nearest first, at most three.
---@param name string
---@param names table a sequence
---@return table
function nearest.find(name, names)
  local wanted, words = letters(name), sorted_words(name)
  local limit = math.max(1, #wanted // 3)
  if limit == 1 and #wanted >= 3 then
    limit = 2
  end
  local found, scores = {}, {}
  for _, candidate in ipairs(names) do
    local away = score(wanted, words, candidate, limit)
    if away and not scores[candidate] then
      found[#found + 1] = candidate
      scores[candidate] = away
    end
  end
  table.sort(found, function(a, b)
    if scores[a] ~= scores[b] then
      return scores[a] < scores[b]
    end
    return a < b
  end)
  -- Beside an obvious one, those that are merely possible only distract.
  local best = found[1] and scores[found[1]]
  local chosen = {}
  for i = 1, math.min(MAX_NAMES, #found) do
    if scores[found[i]] <= best + 1.5 then
      chosen[i] = found[i]
    end
  end
  return chosen
end

--- The line for an error: "no 'list_bukets'; did you mean 'list_buckets'?"
---@param name string
---@param names table a sequence
---@return string
function nearest.message(name, names)
  local found = nearest.find(name, names)
  local line = ("no '%s'"):format(name)
  if #found == 0 then
    return line
  end
  for i, candidate in ipairs(found) do
    found[i] = ("'%s'"):format(candidate)
  end
  local last = table.remove(found)
  local list = #found > 0 and table.concat(found, ", ") .. " or " .. last or last
  return ("%s; did you mean %s?"):format(line, list)
end

--- Raises for what is no table of options, or has one that nobody knows.
---@param what string whose options they are, such as "PaginationConfig"
---@param options any
---@param names table a sequence
function nearest.check_options(what, options, names)
  if type(options) ~= "table" then
    errors.raise("TypeError", what:find("^%l") and "%s takes its options in a table, not a %s"
      or "%s is a table, not a %s", what, type(options))
  end
  for name in pairs(options) do
    local known = false
    for _, candidate in ipairs(names) do
      known = known or candidate == name
    end
    if not known then
      errors.raise("TypeError", "%s: %s", what, nearest.message(tostring(name), names))
    end
  end
end

--- An __index that raises for a name that is not there, instead of giving nil, which would be called or
--- compared somewhere else. Names that begin with "_" are nobody's business.
---@param what string such as "aws.async"
---@param known table by name; methods of what it inherits from are found too
---@return function
function nearest.no_such(what, known)
  return function(_, name)
    if type(name) ~= "string" or name:sub(1, 1) == "_" then
      return nil
    end
    local names, at = {}, known
    while type(at) == "table" do
      for other in next, at do
        names[#names + 1] = other
      end
      at = (getmetatable(at) or {}).__index
    end
    errors.raise("AttributeError", "%s has %s", what, nearest.message(name, names))
  end
end

return nearest
