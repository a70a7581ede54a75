--- Transfers of whole objects, in parts and several at once where they are large: what boto3 puts on an S3
--- client, a Bucket and an Object.
---
---     s3:upload_file("photo.jpg", "my-bucket", "1.jpg", { ExtraArgs = { ContentType = "image/jpeg" } })
---     s3:download_file{ Bucket = "my-bucket", Key = "1.jpg", Filename = "photo.jpg" }
---
--- Callback(bytes, so_far, total) hears of progress; Config has the keys of boto3's TransferConfig.
local config = require("luaws.transfer.config")
local errors = require("luaws.errors")
local features = require("luaws.features")

local transfer = {}

local OPTIONS = { "ExtraArgs", "Callback", "Config" }

local function unknown(method, name, names)
  local text = require("luaws.nearest").message(tostring(name), names)
  for _, allowed in pairs(config.ALLOWED) do
    for _, known in ipairs(allowed) do
      if known == name then
        text = ("'%s' belongs into ExtraArgs"):format(name)
      end
    end
  end
  errors.raise("TypeError", "%s: %s", method, text)
end

local function is_plain(value)
  return type(value) == "table" and getmetatable(value) == nil
end

-- Arguments in this order and then a table of options, or all in one table.
local function parse(method, order, extra, ...)
  local known, all = {}, {}
  for _, list in ipairs{ order, OPTIONS, extra } do
    for _, name in ipairs(list) do
      known[name] = true
      all[#all + 1] = name
    end
  end
  local given, opts, count = { ... }, {}, select("#", ...)
  local named = given[count]
  local in_one = count == 1 and is_plain(named)
    and (#order ~= 1 or named[order[1]] ~= nil or next(named) == nil)
  if in_one then
    given, count = {}, 0
  elseif count > #order then
    if count > #order + 1 or named ~= nil and not is_plain(named) then
      errors.raise("TypeError", "%s takes %s and a table of options", method, table.concat(order, ", "))
    end
    count = #order
  else
    named = nil
  end
  for i = 1, count do
    opts[order[i]] = given[i]
  end
  for name, value in pairs(named or {}) do
    if not known[name] then
      unknown(method, name, all)
    end
    opts[name] = value
  end
  for _, name in ipairs(order) do
    if opts[name] == nil then
      errors.raise("TypeError", "%s: missing argument %s", method, name)
    end
  end
  return opts
end

local function check_name(name)
  if type(name) ~= "string" then
    errors.raise("ValueError", "Filename must be a string")
  elseif name == "" then
    errors.raise("ValueError", "Filename is empty")
  elseif name:find("\0", 1, true) then
    errors.raise("ValueError", "Filename holds a zero byte")
  end
end

-- Wrong arguments are told before anything else happens.
local function check(kind, opts)
  config.extra_args(opts.ExtraArgs, kind)
  config.resolve(opts.Config)
  config.check_bucket(opts.Bucket)
end

local RUN = {}

local function run(method, client, opts)
  features.during("s3_transfer", RUN[method], client, opts)
end

function RUN.upload_file(client, opts)
  check_name(opts.Filename)
  check("upload", opts)
  local source = require("luaws.transfer.source").of_name(opts.Filename)
  local ok, err = pcall(require("luaws.transfer.upload").run, client, source, opts)
  if not ok and errors.is_error(err) and err.kind == "ClientError" then
    local text = ("Failed to upload %s to %s/%s: %s"):format(opts.Filename, opts.Bucket, opts.Key,
      tostring(err))
    local fields = { code = err.code, response = err.response, cause = err }
    error(errors.new("S3UploadFailedError", text, fields), 0)
  elseif not ok and errors.is_error(err) and err.kind == "IOError"
    and err.message:sub(1, #opts.Filename + 2) ~= opts.Filename .. ": " then
    errors.raise("IOError", "%s: %s", opts.Filename, err.message)
  elseif not ok then
    error(err, 0)
  end
end

function RUN.upload_fileobj(client, opts)
  check("upload", opts)
  require("luaws.transfer.upload").run(client, require("luaws.transfer.source").of_object(opts.Fileobj), opts)
end

function RUN.download_file(client, opts)
  check_name(opts.Filename)
  check("download", opts)
  require("luaws.transfer.download").run(client, function()
    return require("luaws.transfer.sink").of_name(opts.Filename)
  end, opts)
end

function RUN.download_fileobj(client, opts)
  check("download", opts)
  local sink = require("luaws.transfer.sink").of_object(opts.Fileobj)
  require("luaws.transfer.download").run(client, function()
    return sink
  end, opts)
end

function RUN.copy(client, opts)
  check("copy", opts)
  require("luaws.transfer.copy").run(client, opts.CopySource, opts)
end

-- The order of their arguments.
local ORDERS = {
  upload_file = { "Filename", "Bucket", "Key" },
  upload_fileobj = { "Fileobj", "Bucket", "Key" },
  download_file = { "Bucket", "Key", "Filename" },
  download_fileobj = { "Bucket", "Key", "Fileobj" },
  copy = { "CopySource", "Bucket", "Key" },
}

local function without(order, names)
  local left = {}
  for _, name in ipairs(order) do
    if not names[name] then
      left[#left + 1] = name
    end
  end
  return left
end

--- Methods of a Bucket and of an Object, whose names are not given again.
transfer.bucket, transfer.object = {}, {}

for method, order in pairs(ORDERS) do
  local extra = method == "copy" and { "SourceClient" } or {}
  transfer[method] = function(client, ...)
    run(method, client, parse(method, order, extra, ...))
  end
  local bucket_order = without(order, { Bucket = true })
  transfer.bucket[method] = function(bucket, ...)
    local opts = parse(method, bucket_order, extra, ...)
    opts.Bucket = bucket.name
    run(method, bucket.meta.client, opts)
  end
  local object_order = without(order, { Bucket = true, Key = true })
  transfer.object[method] = function(object, ...)
    local opts = parse(method, object_order, extra, ...)
    opts.Bucket, opts.Key = object.bucket_name, object.key
    run(method, object.meta.client, opts)
  end
end

-- Folders: methods of a bucket.
for _, method in ipairs{ "upload_dir", "download_dir", "sync" } do
  transfer.bucket[method] = function(bucket, ...)
    return features.during("s3_transfer", require("luaws.transfer.tree")[method], bucket.meta.client,
      bucket.name, ...)
  end
end

return transfer
