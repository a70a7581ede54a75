--- Folders and everything in them, to and from a bucket: many objects at once.
---
---     bucket:upload_dir("site", { Prefix = "www", exclude = { "*.tmp" } })
---     local plan = bucket:sync("site", { Prefix = "www", delete = true, dry_run = true })
---
--- Both sides are listed first as maps from the name relative to folder and prefix; what to do is decided
--- from them before anything is done.
local async = require("luaws.async")
local config = require("luaws.transfer.config")
local core = require("luaws.core")
local errors = require("luaws.errors")
local glob = require("luaws.transfer.glob")
local meter = require("luaws.transfer.meter")

local tree = {}

local DEFAULT_CONCURRENCY = 10
local DELETE_AT_ONCE = 1000

-- ---- what is there ----

local function join(folder, name)
  return folder:sub(-1) == "/" and folder .. name or folder .. "/" .. name
end

-- Whether a path leads, through links, out of the folder whose real path is `root`.
local function is_outside(root, path)
  local real = core.real_path(path)
  return real and real ~= root and root ~= "/" and real:sub(1, #root + 1) ~= root .. "/"
end

-- Adds what is under the folder; `above` are the folders on the way to it, so that a circle of links ends.
-- With `root`, folders outside of it do not count, and files behind links are marked. Folders that are
-- excluded with all that is in them are not looked into.
local function walk(folder, prefix, above, found, exclude, root, linked)
  local names, why = core.list_folder(folder)
  if not names then
    errors.raise("IOError", "%s", why)
  end
  for _, name in ipairs(names) do
    local path = join(folder, name)
    local status = core.file_status(path)
    if status and status.kind == "file" then
      found[prefix .. name] = { size = status.size, modified = status.modified, path = path, linked = linked }
    elseif status and status.kind == "folder" and not above[status.id]
      and not glob.covers(exclude, prefix .. name) and not (root and is_outside(root, path)) then
      above[status.id] = true
      local is_link = root and core.file_status(path, "link").kind ~= "folder"
      walk(path, prefix .. name .. "/", above, found, exclude, root, linked or is_link)
      above[status.id] = nil
    end
  end
  return found
end

local function list_files(job, inside)
  local folder = job.folder
  local status, why = core.file_status(folder)
  if not status or status.kind ~= "folder" then
    errors.raise("IOError", "%s", why or folder .. ": Not a directory")
  end
  return walk(folder, "", { [status.id] = true }, {}, job.opts.exclude, inside and core.real_path(folder))
end

local function list_objects(job)
  local found = {}
  local pages = job.client:get_paginator("list_objects_v2"):paginate{ Bucket = job.bucket,
    Prefix = job.prefix }
  for page in pages do
    for _, object in ipairs(page.Contents or {}) do
      local name = object.Key:sub(#job.prefix + 1)
      if name ~= "" and name:sub(-1) ~= "/" then -- a "folder" that some program made
        found[name] = { size = object.Size, modified = object.LastModified }
      end
    end
  end
  return found
end

-- A key is anything; a file must stay under its folder, and be the same after the way back.
local function check_name(name)
  local bad = name:find("[\\%z]") or name:find("^/")
  for part in (name .. "/"):gmatch("([^/]*)/") do
    bad = bad or part == "" or part == "." or part == ".."
  end
  if bad then
    errors.raise("ValueError", "the key %q would be a file outside of the folder, or of another name: "
      .. "leave it out with exclude", name)
  end
end

-- The same of all keys: none of them is a file where another one needs a folder, and none leads through a
-- link out of the folder.
local function check_names(folder, names)
  local files, root = {}, core.real_path(folder)
  for _, name in ipairs(names) do
    check_name(name)
    files[name] = true
  end
  for _, name in ipairs(names) do
    for stop in name:gmatch("()/") do
      local above = name:sub(1, stop - 1)
      if files[above] then
        errors.raise("ValueError", "the keys %q and %q cannot both be files: leave one out with exclude",
          above, name)
      elseif root and is_outside(root, join(folder, above)) then
        errors.raise("ValueError", "the key %q would be a file outside of the folder, through the link %q: "
          .. "leave it out with exclude", name, above)
      end
    end
  end
end

-- ---- what to do ----

-- S3 knows whole seconds only.
local function differs(from, to)
  return not to or to.size ~= from.size or math.floor(from.modified) > to.modified
end

local function sorted_names(...)
  local names = {}
  for _, map in ipairs{ ... } do
    for name in pairs(map) do
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local function wanted(job, all)
  local kept = {}
  for name, item in pairs(all) do
    if glob.wanted(name, job.opts.include, job.opts.exclude) then
      kept[name] = item
    end
  end
  return kept
end

-- The plan, which is also what the caller gets.
local function decide(job, from, to)
  local plan = { files = {}, skipped = {}, deleted = {}, bytes = 0 }
  for _, name in ipairs(sorted_names(from)) do
    if not job.only_changed or differs(from[name], to[name]) then
      plan.files[#plan.files + 1] = name
      plan.bytes = plan.bytes + from[name].size
    else
      plan.skipped[#plan.skipped + 1] = name
    end
  end
  for _, name in ipairs(job.opts.delete and sorted_names(to) or {}) do
    if not from[name] and not to[name].linked then -- which has another name, by which it is looked for
      plan.deleted[#plan.deleted + 1] = name
    end
  end
  return plan
end

-- ---- doing it ----

local function extra_args(job, name)
  local given = job.opts.ExtraArgs
  if type(given) == "function" then
    return given(name)
  end
  return given
end

-- A folder, and those above it that are not there.
local function make_folder(path)
  local made, why = core.make_folder(path)
  local above = not made and path:match("^(.*[^/])/+[^/]+/*$")
  if above and not core.file_status(above) then
    make_folder(above)
    made, why = core.make_folder(path)
  end
  if not made then
    errors.raise("IOError", "%s", why)
  end
end

local function make_folders(folder, name)
  local path = folder
  make_folder(path)
  for part in name:gmatch("([^/]+)/") do
    path = join(path, part)
    make_folder(path)
  end
end

local function upload_one(job, name, item, tell)
  require("luaws.transfer").upload_file(job.client, item.path, job.bucket, job.prefix .. name,
    { ExtraArgs = extra_args(job, name), Config = job.config, Callback = tell })
end

local function download_one(job, name, item, tell)
  local path = join(job.folder, name)
  make_folders(job.folder, name)
  require("luaws.transfer.download").run(job.client, function()
    return require("luaws.transfer.sink").of_name(path)
  end, { Bucket = job.bucket, Key = job.prefix .. name, ExtraArgs = extra_args(job, name),
    Config = job.config, Callback = tell, Listed = item })
  core.set_modified(path, item.modified) -- so that a later sync knows it for the same
end

local function delete_objects(job, names)
  for first = 1, #names, DELETE_AT_ONCE do
    local objects = {}
    for i = first, math.min(first + DELETE_AT_ONCE - 1, #names) do
      objects[#objects + 1] = { Key = job.prefix .. names[i] }
    end
    local answer = job.client:delete_objects{ Bucket = job.bucket, Delete = { Objects = objects,
      Quiet = true } }
    local failed = answer.Errors and answer.Errors[1]
    if failed then
      local text = ("deleting %s: %s: %s"):format(failed.Key, failed.Code, failed.Message)
      error(errors.new("ClientError", text, { code = failed.Code }), 0)
    end
  end
end

local function delete_files(job, names)
  for _, name in ipairs(names) do
    local ok, why = os.remove(join(job.folder, name))
    if not ok then
      errors.raise("IOError", "%s", why)
    end
  end
end

-- The error of one file, which is to name it.
local function naming(job, name, err)
  local is_own, path = errors.is_error(err) and not errors.is_interruption(err), join(job.folder, name)
  if not is_own or tostring(err):find(path, 1, true) then
    return err
  end
  local kind = err.kind == "ClientError" and "S3DownloadFailedError" or err.kind
  local text = ("%s/%s%s and %s: %s"):format(job.bucket, job.prefix, name, path, tostring(err))
  return errors.new(kind, text, { code = err.code, response = err.response, cause = err,
    last_exception = err.last_exception, advice = err.advice })
end

local function carry_out(job, plan, from, one, delete)
  local total = meter.new(job.opts.Callback, plan.bytes)
  local most = math.min(math.tointeger(job.opts.concurrency or DEFAULT_CONCURRENCY), #plan.files)
  local at_once = math.max(1, config.at_once(job.config, most, plan.bytes / math.max(1, #plan.files)))
  job.config = config.share(job.config, at_once)
  local tell = job.opts.Callback and function(bytes)
    total:add(bytes)
  end
  async.map(plan.files, function(name)
    local ok, err = pcall(one, job, name, from[name], tell)
    if not ok then
      error(naming(job, name, err), 0)
    end
  end, { concurrency = at_once })
  delete(job, plan.deleted)
end

-- ---- what callers call ----

local OPTIONS = { "Prefix", "ExtraArgs", "Callback", "Config", "dry_run", "include", "exclude", "delete",
  "concurrency" }

local function check_patterns(method, option, patterns)
  for _, pattern in ipairs(type(patterns) == "table" and patterns or { patterns }) do
    if type(pattern) ~= "string" then
      errors.raise("TypeError", "%s: %s must be a pattern or a list of them, not a %s", method, option,
        type(pattern))
    end
  end
end

local function check_types(method, opts)
  check_patterns(method, "include", opts.include)
  check_patterns(method, "exclude", opts.exclude)
  local prefix, at_once = opts.Prefix, opts.concurrency
  if prefix ~= nil and type(prefix) ~= "string" then
    errors.raise("TypeError", "%s: Prefix must be a string, not a %s", method, type(prefix))
  elseif at_once ~= nil and (type(at_once) ~= "number" or not math.tointeger(at_once) or at_once < 1) then
    errors.raise("ValueError", "%s: concurrency must be a positive integer, not %s", method,
      tostring(at_once))
  end
end

local function new_job(method, client, bucket, folder, opts, more)
  opts = opts or {}
  if type(folder) ~= "string" then
    errors.raise("TypeError", "%s needs a folder, a string, not a %s", method, type(folder))
  elseif type(opts) ~= "table" then
    errors.raise("TypeError", "%s takes its options in a table, not a %s", method, type(opts))
  end
  local known = table.move(OPTIONS, 1, #OPTIONS, 1, {})
  known[#known + 1] = more
  for name in pairs(opts) do
    local found = false
    for _, option in ipairs(known) do
      found = found or option == name
    end
    if not found then
      errors.raise("TypeError", "%s: %s", method, require("luaws.nearest").message(tostring(name), known))
    end
  end
  check_types(method, opts)
  config.check_bucket(bucket)
  local prefix = opts.Prefix or ""
  return {
    client = client, bucket = bucket, folder = folder, opts = opts, config = config.resolve(opts.Config),
    prefix = (prefix == "" or prefix:sub(-1) == "/") and prefix or prefix .. "/",
  }
end

local function up(job)
  if type(job.opts.ExtraArgs) ~= "function" then
    config.extra_args(job.opts.ExtraArgs, "upload")
  end
  local from = wanted(job, list_files(job))
  local to = (job.only_changed or job.opts.delete) and wanted(job, list_objects(job)) or {}
  local plan = decide(job, from, to)
  if not job.opts.dry_run then
    carry_out(job, plan, from, upload_one, delete_objects)
  end
  return plan
end

local function down(job)
  if type(job.opts.ExtraArgs) ~= "function" then
    config.extra_args(job.opts.ExtraArgs, "download")
  end
  local from = wanted(job, list_objects(job))
  check_names(job.folder, sorted_names(from))
  local there = core.file_status(job.folder)
  local look = there and (job.only_changed or job.opts.delete)
  local to = look and wanted(job, list_files(job, true)) or {}
  local plan = decide(job, from, to)
  if not job.opts.dry_run then
    make_folders(job.folder, "")
    carry_out(job, plan, from, download_one, delete_files)
  end
  return plan
end

--- Uploads every file under a folder.
---@param client userdata
---@param bucket string
---@param folder string
---@param opts table|nil Prefix, ExtraArgs (a table, or a function of the name), Callback(bytes, so_far,
---  total), Config, include, exclude (patterns), delete (what is not in the folder), dry_run, concurrency
---@return table { files, skipped, deleted: names; bytes }
function tree.upload_dir(client, bucket, folder, opts)
  local job = new_job("upload_dir", client, bucket, folder, opts)
  return async.run(up, job)
end

--- Downloads every object under a prefix, with the options of upload_dir.
function tree.download_dir(client, bucket, folder, opts)
  local job = new_job("download_dir", client, bucket, folder, opts)
  return async.run(down, job)
end

--- As upload_dir, or with direction = "down" as download_dir, but only what is not there, has another
--- size or is newer.
function tree.sync(client, bucket, folder, opts)
  local job = new_job("sync", client, bucket, folder, opts, "direction")
  local direction = job.opts.direction or "up"
  if direction ~= "up" and direction ~= "down" then
    errors.raise("ValueError", "direction must be \"up\" or \"down\", not %s", tostring(direction))
  end
  job.only_changed = true
  return async.run(direction == "up" and up or down, job)
end

return tree
