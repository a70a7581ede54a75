-- Pages and waits with clients of luaws, given answers made up: the other side of scripts/walk-pages.
--
-- Reads JSON lines { service, operation, params, answers, kind } and answers each with { calls, result,
-- error, … }. kind is "pages" (all of them), "full" (build_full_result), "search" and "iters" (its
-- `expression`, or its result keys), and "wait" (for `waiter`). Calls get the answers in order, the last
-- again and again.
local aws = require("luaws")
local cjson = require("cjson")
local core = require("luaws.core")
local walk_values = require("spec.support.walk_values")

local session = aws.session({})
local known = {}

-- The answers and the calls made so far, of the question that is being answered.
local answers, calls

-- The client of a service: a walk goes over one after the other.
local function client_of(service)
  if known.service ~= service then
    if known.client then
      known.client:close()
    end
    local client = session:client(service, {
      region_name = "us-east-1", endpoint_url = "http://127.0.0.1:1", aws_access_key_id = "a",
      aws_secret_access_key = "b", config = { parameter_validation = false },
    })
    client.meta.events:register_first("provide-client-params", function(event)
      calls[#calls + 1] = walk_values.tell(event.params)
    end)
    client.meta.events:register_first("before-call", function()
      local answer = #answers > 1 and table.remove(answers, 1) or answers[1]
      local parsed = walk_values.read(answer)
      return { status_code = parsed.Error and 400 or 200, parsed = parsed }
    end)
    known = { service = service, client = client }
  end
  return known.client
end

local function gather(iterator)
  local found = {}
  for item in iterator do
    found[#found + 1] = item
  end
  return found
end

local RUN = {}

function RUN.pages(pages)
  return gather(pages)
end

function RUN.full(pages)
  return pages:build_full_result()
end

function RUN.search(pages, question)
  return gather(pages:search(question.expression))
end

function RUN.iters(pages)
  local all = {}
  for i, iterator in ipairs(pages:result_key_iters()) do
    all[i] = gather(iterator)
  end
  return all
end

local function page(question, client, out)
  local params = walk_values.read(question.params)
  params.PaginationConfig = walk_values.read(question.paging)
  local pages = client:get_paginator(core.xform_name(question.operation)):paginate(params)
  local ok, result = pcall(RUN[question.kind], pages, question)
  out.resume_token = pages.resume_token
  if not ok then
    error(result, 0)
  end
  out.result = walk_values.tell(result)
  out.non_aggregate = question.kind ~= "full" and walk_values.tell(pages.non_aggregate_part) or nil
end

local function wait(question, client)
  local params = walk_values.read(question.params)
  params.WaiterConfig = { Delay = 0, MaxAttempts = question.attempts }
  client:get_waiter(question.waiter):wait(params)
end

local function run(question, out)
  local client = client_of(question.service)
  if question.kind == "wait" then
    wait(question, client)
  else
    page(question, client, out)
  end
end

for line in io.lines() do
  local question = cjson.decode(line)
  answers, calls = question.answers, {}
  local out = {}
  local ok, err = pcall(run, question, out)
  out.calls = #calls > 0 and calls or nil
  if not ok then
    local is_table = type(err) == "table"
    out.error = { kind = is_table and err.kind or "bug", message = tostring(err),
      last_response = is_table and err.last_response and walk_values.tell(err.last_response) or nil }
  end
  io.write(cjson.encode(out), "\n")
  io.flush()
end
