--- Many calls at once on one thread: tasks that wait without stopping each other.
---
---     local pages = aws.async.map(regions, function(region)
---       return aws.client("ec2", { region_name = region }):describe_instances{}
---     end, { concurrency = 10 })
---
--- A task is a coroutine. A call made in one yields to the scheduler below; core.turn says which coroutines
--- can go on. Outside any task the same functions block: they run the scheduler until what they wait for is
--- done.
local core = require("luaws.core")
local errors = require("luaws.errors")
local methods = require("luaws.methods")
local nearest = require("luaws.nearest")

local async = {}

local DEFAULT_CONCURRENCY = 10
local CLEANUP_S = 5      -- what is left to be undone after an interruption gets no more
local MAX_INTERRUPTS = 2 -- the one that began it, and one too hasty

local Task = {}
local task_mt = { __name = "luaws.task", __index = Task }

local tasks = {}                      -- coroutine → task, of every task that is not done
local queue, first, last = {}, 1, 0   -- tasks that can go on

local function enqueue(task)
  task._queued = true
  last = last + 1
  queue[last] = task
end

-- The task on whose behalf this runs; or, where it is no coroutine of the script's own that it made, the task
-- itself, which can yield.
local function enclosing()
  local co = core.task()
  return co and tasks[co]
end

local function current()
  local me = enclosing()
  return me and me._co == coroutine.running() and me or nil
end

-- Tasks that failed while nobody waited for them, of which somebody may still ask.
local MAX_UNHEARD <const> = 20
local unheard = {}

local function remember_failure(task, err)
  local kept = {}
  for _, other in ipairs(unheard) do
    kept[#kept + 1] = not other._heard and other or nil
  end
  unheard = kept
  local expected = errors.is_error(err) and (err.kind == "CancelledError" or errors.is_interruption(err))
  if not expected and #unheard < MAX_UNHEARD then
    unheard[#unheard + 1] = task
  end
end

local CORE <const> = { _done = false } -- as one that waits

-- Whether somebody waits for it who has not been cancelled meanwhile.
local function is_awaited(task)
  for _, waiter in pairs(task._watchers) do
    if not waiter._done then
      return true
    end
  end
  return false
end

local function finish(task, ok, ...)
  task._done, task._ok, task._results = true, ok, table.pack(...)
  tasks[task._co] = nil
  if not ok and not is_awaited(task) then
    remember_failure(task, (...))
  end
  for wake in pairs(task._watchers) do
    wake()
  end
  task._watchers = nil
end

-- Looks at how a resumed coroutine stopped: it ended, or it waits for the core or for another task.
local function settle(task, outer, resumed, ...)
  task._features = core.features(outer)
  if not resumed then
    coroutine.close(task._co)
    finish(task, false, ...)
  elseif coroutine.status(task._co) == "dead" then
    finish(task, true, ...)
  end
end

local function cancelled()
  return errors.new("CancelledError", "the task was cancelled")
end

-- What has begun and must not stay so (async.undo), until it is over one way or the other.
local undone = {}
local closing_all = false -- what is left to be undone comes after all tasks are closed

local function resume(task, ...)
  return settle(task, core.features(task._features), core.resume(task._co, ...))
end

local function step(task)
  task._queued = false
  if task._done then
    return
  end
  if task._cancelled then
    if coroutine.status(task._co) ~= "suspended" then
      return -- it runs the scheduler just now: at its next wait
    end
    coroutine.close(task._co) -- its <close> variables are closed, a call under way is dropped
    return finish(task, false, cancelled())
  end
  local args = task._args
  if args then
    task._args = nil
    return resume(task, table.unpack(args, 1, args.n))
  end
  resume(task)
end

local cancel_all

local function enqueue_all(ready)
  for _, co in ipairs(ready) do
    if tasks[co] then
      enqueue(tasks[co])
    end
  end
end

-- Resumes what can go on; when nothing can, first waits for the core, at most `seconds` when they are given.
local function turn(seconds)
  if first > last then
    if not seconds and not core.busy() then
      errors.raise("RuntimeError", "the tasks wait for each other: none can go on")
    end
    local ok, ready = pcall(core.turn, seconds)
    if not ok then -- Ctrl-C: nothing goes on behind the back of whoever gets the error
      if not core.hosted() then -- a host sees to it itself
        cancel_all()
      end
      error(ready, 0)
    end
    enqueue_all(ready)
  end
  local stop = last
  while first <= stop do
    local task = queue[first]
    queue[first] = nil
    first = first + 1
    if task then
      step(task)
    end
  end
end

-- ---- what has to come to its end ----

local function cleaning()
  core.clean(1)
  return setmetatable({}, { __close = function()
    core.clean(-1)
  end })
end

-- Lets what is shielded go on for a moment; false when none of it can.
local function step_shielded()
  local stepped = false
  for i = first, last do
    local task = queue[i]
    if task and task._shielded then
      queue[i] = false
      step(task)
      stepped = true
    end
  end
  return stepped
end

-- Lets what is shielded, and nothing else, go on until is_over(), in the middle of whatever is running. After
-- so many interruptions there is only so much time. Returns false when it did not get there.
local function see_through(is_over, interrupts)
  local _ <close> = cleaning()
  local before, stop = interrupts, interrupts > 0 and core.monotonic() + CLEANUP_S or nil
  local over = is_over()
  while not over and interrupts <= MAX_INTERRUPTS and (not stop or core.monotonic() < stop) do
    if not step_shielded() then
      if not core.busy() then
        break -- it waits for a task that cannot go on now
      end
      local ok, ready = pcall(core.turn, stop and math.max(0, stop - core.monotonic()))
      if ok then
        enqueue_all(ready)
      elseif errors.is_interruption(ready) then
        interrupts, stop = interrupts + 1, stop or core.monotonic() + CLEANUP_S
      else
        error(ready, 0)
      end
    end
    over = is_over()
  end
  if interrupts > before then
    core.interrupt() -- for whoever waits next
  end
  return over
end

local function complete(task)
  local over = see_through(function()
    return task._done
  end, 0)
  if not over and not core.hosted() then
    task:cancel()
  end
end

-- Cancels all tasks but those that are shielded, or these.
local function close_tasks(shielded)
  for _, task in pairs(tasks) do
    if task._shielded == shielded then
      task._cancelled = true
      enqueue(task)
    end
  end
  while first <= last do
    local task = queue[first]
    queue[first] = nil
    first = first + 1
    if task then
      step(task)
    end
  end
end

local function begin_undoing()
  local left = false
  for undo in pairs(undone) do
    left = true
    undo:_begin()
  end
  return left
end

-- Sees to the end of what is shielded and of what is to be undone, as far as there is time; then that is over
-- as well.
local function clean_up(interrupts)
  if core.hosted() then -- which stops tasks without a word: they may go on now
    for _, task in pairs(tasks) do
      if not task._queued then
        enqueue(task)
      end
    end
  end
  see_through(function()
    local left = begin_undoing()
    for _, task in pairs(tasks) do
      left = left or task._shielded
    end
    return not left
  end, interrupts)
  close_tasks(true)
  for undo in pairs(undone) do
    undone[undo] = nil
  end
end

-- Cancels every task but those that are shielded.
local function close_all()
  closing_all = true
  local _ <close> = setmetatable({}, { __close = function()
    closing_all = false
  end })
  close_tasks(false)
end

function cancel_all()
  local _ <close> = cleaning()
  close_all()
  clean_up(1)
end

-- Waits until condition() holds; it is asked again whenever one of the tasks is done.
local function wait_for(list, condition)
  local me = current()
  if not me then
    while not condition() do
      turn()
    end
    return
  end
  local parked = false
  local function wake()
    if parked then
      parked = false
      enqueue(me)
    end
  end
  for _, task in ipairs(list) do
    if not task._done then
      task._watchers[wake] = me
    end
  end
  while not condition() do
    parked = true
    coroutine.yield()
  end
  for _, task in ipairs(list) do
    if not task._done then
      task._watchers[wake] = nil
    end
  end
end

local function start(fn, ...)
  if type(fn) ~= "function" then
    errors.raise("TypeError", "a task needs a function, not a %s", type(fn))
  end
  local me = enclosing()
  local task = setmetatable({
    _co = coroutine.create(fn), _watchers = {}, _done = false, _args = table.pack(...),
    _shielded = me ~= nil and me._shielded, -- with what it does for another one
    _within = me and me._within,
    _features = core.features(),
  }, task_mt)
  tasks[task._co] = task
  enqueue(task)
  return task
end

local function result(task)
  task._heard = true
  if task._ok then
    return table.unpack(task._results, 1, task._results.n)
  end
  error(task._results[1], 0)
end

--- Waits for the task and returns what its function returned, or raises what it raised.
function Task:await()
  wait_for({ self }, function()
    return self._done
  end)
  return result(self)
end

--- Stops the task at its next wait, or where it waits now: a call under way is dropped. Whoever awaits
--- it gets a CancelledError. A task that is done stays as it is.
function Task:cancel()
  self._heard = true -- whoever cancels it does not care any more how it ends
  if self._done then
    return
  end
  self._cancelled = true
  local status = coroutine.status(self._co)
  if status == "suspended" then
    step(self)
  end
end

--- Whether it has ended, one way or another.
---@return boolean
function Task:done()
  return self._done
end

methods.all("task", task_mt, Task)

function task_mt:__tostring()
  return ("luaws.task(%s)"):format(self._done and (self._ok and "done" or "failed") or "running")
end

-- Cancels every task of the list that is not done when the scope that holds it is left.
local function guard(list)
  return setmetatable({}, { __close = function()
    for _, task in ipairs(list) do
      task:cancel()
    end
  end })
end

-- Waits for all; the first that fails ends the wait and its error is raised.
local function wait_for_all(list)
  local failed
  wait_for(list, function()
    local all = true
    for _, task in ipairs(list) do
      if task._done and not task._ok then
        failed = task
        return true
      end
      all = all and task._done
    end
    return all
  end)
  if failed then
    result(failed)
  end
end

--- Starts a task; it begins to run when this one next waits. What it raises is raised by its await; the
--- shell tells at the end of a script what nobody awaited.
---@param fn function
---@return table task
function async.spawn(fn, ...)
  return start(fn, ...)
end

local function start_shielded(fn)
  local task = start(fn)
  task._shielded = true
  return task
end

--- Calls fn, and sees to it that it comes to its end: when the task that asks is cancelled meanwhile, it
--- ends only after that. For what would leave something behind if it was dropped half-way. After an
--- interruption (Ctrl-C, a host's limit) it has five seconds more.
---@param fn function
function async.shield(fn)
  local task = start_shielded(fn)
  local _ <close> = setmetatable({}, { __close = function()
    if not task._done and not closing_all then
      complete(task)
    end
  end })
  return task:await()
end

-- ---- undoing ----

local Undo = {}
local undo_mt = { __name = "luaws.undo", __index = Undo }

--- From now on there is something to be undone, by fn.
function Undo:arm(fn)
  self._fn = fn
  undone[self] = true
end

--- It came to its good end: there is nothing to be undone any more.
function Undo:drop()
  undone[self] = nil
end

local function was_stopped(err)
  return errors.is_interruption(err) or err == "not enough memory"
end

function Undo:_begin()
  if self._task and not self._task._done then
    return
  end
  self._task = start_shielded(function()
    local _ <close> = cleaning()
    local ok, err = pcall(self._fn)
    if ok or not was_stopped(err) then -- else there will be another chance
      undone[self] = nil
    end
  end)
end

--- Undoes it now. In a task others go on meanwhile.
function Undo:run()
  if undone[self] then
    self:_begin()
    local task = self._task
    local _ <close> = setmetatable({}, { __close = function()
      if not task._done and not closing_all then
        complete(task)
      end
    end })
    task:await()
  end
end

function undo_mt:__close()
  if undone[self] and not closing_all then
    self:_begin()
    complete(self._task)
  end
end

--- For what has begun and must not stay so, whatever ends the task (an upload in parts): a to-be-closed
--- variable, upon which it is undone unless it was dropped. Where the task is cancelled with all others it
--- is undone after that, within five seconds.
function async.undo()
  return setmetatable({}, undo_mt)
end

--- Runs fn as a task and returns what it returns. Within a task it just calls fn.
---@param fn function
function async.run(fn, ...)
  if current() then
    return fn(...)
  end
  local task = start(fn, ...)
  local _ <close> = guard({ task })
  return task:await()
end

--- For whoever drives the scheduler from outside (a C host): lets the tasks go on, and waits for the core
--- first when `blocking` and none can. Returns whether the task is done. If so, then true and its results or
--- false and its error; if not, whether some task can go on at once.
---@param task table
---@param blocking boolean|nil
function async.poll(task, blocking)
  if not task._done then
    turn(not blocking and 0 or nil)
  end
  if task._done then
    task._heard = true
    return true, task._ok, table.unpack(task._results, 1, task._results.n)
  end
  local runnable = first <= last
  if not runnable and not core.busy() then
    errors.raise("RuntimeError", "the tasks wait for each other: none can go on")
  end
  return false, runnable
end

--- For the program that ran a script, or a line of it: what is to be told of tasks that failed and that
--- nobody has awaited, each once.
---@return string[]
function async.unheard()
  local lines = {}
  for _, task in ipairs(unheard) do
    if not task._heard then
      local ok, text = pcall(errors.shown, task._results[1])
      lines[#lines + 1] = "a task failed, and nobody awaited it: "
        .. (ok and text or "an error that cannot be shown")
    end
  end
  unheard = {}
  return lines
end

--- For the same: cancels every task there is, as when the script that made them is over; but for what is
--- shielded and to be undone, which is clean_up's.
function async.close_all()
  close_all()
end

--- Sees to its end, within five seconds.
function async.clean_up()
  clean_up(1)
end

--- Runs the functions at once and returns the first result of each, in order. The first error cancels the
--- others and is raised. Tasks are taken as well as functions.
function async.gather(...)
  local list = {}
  local _ <close> = guard(list) -- also of those that began before one that is no function
  for i = 1, select("#", ...) do
    local fn = select(i, ...)
    list[i] = getmetatable(fn) == task_mt and fn or start(fn)
  end
  wait_for_all(list)
  local results = {}
  for i, task in ipairs(list) do
    results[i] = task._results[1]
  end
  return table.unpack(results, 1, #list)
end

--- Waits until one of the tasks is done, and returns it; its await then gives what it returned.
---@param list table a sequence of tasks, not empty
---@return table task
function async.first(list)
  if type(list) ~= "table" or getmetatable(list[1]) ~= task_mt then
    errors.raise("TypeError", "first() takes a sequence of tasks, which is not empty")
  end
  local found
  wait_for(list, function()
    for _, task in ipairs(list) do
      if task._done then
        found = task
        return true
      end
    end
    return false
  end)
  return found
end

--- Calls fn(item, index) for every item, several at once; returns the results in order. The first error
--- cancels the rest and is raised.
---@param list table a sequence
---@param fn function
---@param opts table|nil { concurrency = 10 }
---@return table
function async.map(list, fn, opts)
  if type(list) ~= "table" or type(fn) ~= "function" then
    errors.raise("TypeError", "map() takes a list and a function, not a %s and a %s", type(list), type(fn))
  end
  if #list == 0 and next(list) ~= nil then
    errors.raise("TypeError", "map() takes a list, and this table has names only")
  end
  nearest.check_options("map", opts or {}, { "concurrency" })
  local concurrency = opts and opts.concurrency or DEFAULT_CONCURRENCY
  if math.type(concurrency) ~= "integer" or concurrency < 1 then
    errors.raise("ValueError", "map: concurrency must be a positive integer, not %s", tostring(concurrency))
  end
  local results, next_index, count = {}, 1, #list
  local function worker()
    while next_index <= count do
      local i = next_index
      next_index = i + 1
      results[i] = fn(list[i], i)
    end
  end
  local workers = {}
  for i = 1, math.min(concurrency, count) do
    workers[i] = start(worker)
  end
  local _ <close> = guard(workers)
  wait_for_all(workers)
  return results
end

--- Whether the task that asks was cancelled. It then is about to end: what closes its <close> variables
--- must not wait for anything more.
---@return boolean
function async.cancelled()
  local task = tasks[coroutine.running()]
  return task ~= nil and task._cancelled == true
end

local MOST_S = 999999999 -- some thirty years: the core's timers take no more

--- Waits, and lets other tasks go on meanwhile.
---@param seconds number
function async.sleep(seconds)
  if type(seconds) ~= "number" then
    errors.raise("TypeError", "sleep() takes a number of seconds, not a %s", type(seconds))
  elseif not (seconds >= 0 and seconds <= MOST_S) then
    errors.raise("ValueError", "sleep() takes a number of seconds from 0 to %d, not %s", MOST_S,
      tostring(seconds))
  end
  if current() then
    return core.sleep(seconds)
  end
  start(core.sleep, seconds):await()
end

--- Runs fn; when it has not returned after so many seconds it is cancelled and a TimeoutError is raised.
---@param seconds number
---@param fn function
function async.timeout(seconds, fn, ...)
  if type(seconds) ~= "number" or type(fn) ~= "function" then
    errors.raise("TypeError", "timeout() takes a number of seconds and a function, not a %s and a %s",
      type(seconds), type(fn))
  end
  local work = start(fn, ...)
  local clock = start(core.sleep, math.min(math.max(0, seconds), MOST_S))
  local both = { work, clock }
  local _ <close> = guard(both)
  wait_for(both, function()
    return work._done or clock._done
  end)
  if not work._done then
    errors.raise("TimeoutError", "not done after %s seconds", tostring(seconds))
  end
  return result(work)
end

-- What the core needs of the scheduler for functions that it waits for (bindings/l_run.h). The tasks under
-- one know what it is that waits: waiting for that would be waiting for themselves.
core.set_scheduler{
  -- Starts fn(…) as a task on behalf of owner; tell(ok, error) is called when it has ended, however that was.
  start = function(tell, owner, fn, ...)
    local task = start(fn, ...)
    task._within = { owner = owner, outer = task._within }
    task._watchers[function()
      tell(task._ok, task._results[1])
    end] = CORE
    return task
  end,

  -- Cancels such a task when the scheduler next runs.
  drop = function(task)
    if not task._done then
      task._cancelled = true
      enqueue(task)
    end
  end,

  -- Whether owner waits for the task that runs now.
  within = function(owner)
    local me = enclosing()
    local scope = me and me._within
    while scope and scope.owner ~= owner do
      scope = scope.outer
    end
    return scope ~= nil
  end,

  turn = function()
    turn()
  end,
}

return setmetatable(async, { __index = nearest.no_such("aws.async", async) })
