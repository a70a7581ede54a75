-- Lives through stories of events with luaws' emitter: the other side of scripts/walk-events, which says what
-- the steps are. Reads lines of JSON, a story each, and answers each with what its steps came to.
local cjson = require("cjson")
require("luaws")
local events = require("luaws.events")

local NONE = "$none"

local heard

local function handler(number)
  return function(event)
    heard[#heard + 1] = { number, event.event_name }
    if number % 2 == 0 then
      return number
    end
  end
end

local handlers, numbers = {}, {}
for n = 1, 6 do
  handlers[n] = handler(n)
  numbers[handlers[n]] = n
end

local function list(t)
  return t[1] ~= nil and t or "$empty"
end

local STEPS = {}

function STEPS.copy(story)
  table.insert(story.emitters, story.emitters[story.now]:copy())
  return "copied"
end

function STEPS.turn(story)
  story.now = story.now % #story.emitters + 1
  return "turned"
end

function STEPS.emit(story, name)
  local responses = {}
  for i, pair in ipairs(story.emitters[story.now]:emit(name)) do
    responses[i] = { numbers[pair[1]], pair[2] == nil and NONE or pair[2] }
  end
  return { list(heard), list(responses) }
end

STEPS["until"] = function(story, name)
  local found, response = story.emitters[story.now]:emit_until_response(name)
  return { list(heard), found and numbers[found] or NONE, response == nil and NONE or response }
end

for _, verb in ipairs { "register", "register_first", "register_last", "unregister" } do
  STEPS[verb] = function(story, name, number, unique, counted)
    local id = unique ~= cjson.null and unique or nil
    local emitter = story.emitters[story.now]
    local ok, err = pcall(emitter[verb], emitter, name, handlers[math.tointeger(number)], id, counted)
    if not ok and err.kind ~= "ValueError" then
      error(err, 0)
    end
    return ok and "done" or "refused"
  end
end

for line in io.lines() do
  local story = { emitters = { events.new() }, now = 1 }
  local out = {}
  for i, step in ipairs(cjson.decode(line)) do
    heard = {}
    out[i] = STEPS[step[1]](story, table.unpack(step, 2))
  end
  io.write(cjson.encode(out), "\n")
  io.flush()
end
