--- Presigned URLs and forms: a request signed now, to be made later by whoever has them.
local core = require("luaws.core")
local errors = require("luaws.errors")
local nearest = require("luaws.nearest")

local presign = {}

local DEFAULT_EXPIRES_S = 3600
local OPTIONS = { "Params", "ExpiresIn", "HttpMethod" }
local KNOWN = { Params = true, ExpiresIn = true, HttpMethod = true }

-- Whether the operation's own parameters have this name.
local function is_parameter(client, operation, name)
  local input = core.operation(client, operation).input
  local shape = input and core.shape(client, input)
  return shape and shape.members and shape.members[name] ~= nil
end

--- For how long something signed is good.
---@param expires any what was asked for; nil is an hour
---@param name string|nil of the option, "ExpiresIn"
---@return integer
function presign.seconds(expires, name)
  local whole = math.tointeger(expires or DEFAULT_EXPIRES_S)
  if not whole or whole < 1 then
    errors.raise("ValueError", "%s must be a positive number of whole seconds, not %s", name or "ExpiresIn",
      tostring(expires))
  end
  return whole
end

--- The URL of one call of a client's method.
---@param client userdata
---@param method string "get_object"
---@param opts table|nil { Params, ExpiresIn = 3600, HttpMethod }
---@return string
function presign.url(client, method, opts)
  opts = opts or {}
  if type(method) ~= "string" then
    errors.raise("TypeError", "generate_presigned_url takes the name of a method and a table, not a %s",
      type(method))
  end
  local operation = core.operation_name(client, method)
  if not operation then
    local names = {}
    for name in pairs(core.methods(client)) do
      names[#names + 1] = name
    end
    local near = nearest.find(method, names)[1]
    errors.raise("UnknownClientMethodError", "Client does not have method: %s%s", method,
      near and ("; did you mean '%s'?"):format(near) or "")
  end
  for name in pairs(type(opts) == "table" and opts or {}) do
    if not KNOWN[name] and is_parameter(client, operation, name) then
      errors.raise("TypeError", "generate_presigned_url: '%s' belongs into Params", name)
    end
  end
  nearest.check_options("generate_presigned_url", opts, OPTIONS)
  local expires = presign.seconds(opts.ExpiresIn)
  local params, context, stages = require("luaws.hooks").asked_params(client, operation, opts.Params or {})
  return core.presign(client, operation, params, expires, opts.HttpMethod, context, stages)
end

-- ---- forms ----

local POST_OPTIONS = { "Bucket", "Key", "Fields", "Conditions", "ExpiresIn" }

local function conditions_of(opts)
  local conditions = {}
  for i, condition in ipairs(opts.Conditions or {}) do
    if type(condition) ~= "table" then
      errors.raise("TypeError", "Conditions[%d] must be a table, not a %s", i, type(condition))
    end
    conditions[i] = {}
    for name, value in pairs(condition) do
      -- S3 counts bytes: 0.0 is none of its numbers.
      conditions[i][name] = type(value) == "number" and math.tointeger(value) or value
    end
  end
  local start = opts.Key:match("^(.*)%${filename}$")
  conditions[#conditions + 1] = { bucket = opts.Bucket }
  conditions[#conditions + 1] = start and { "starts-with", "$key", start } or { key = opts.Key }
  local json = require("luaws.jmespath.json")
  for i, condition in ipairs(conditions) do
    conditions[i] = json.encode(condition, true)
  end
  return table.concat(conditions, ", ")
end

--- What a browser needs to upload an object by a form: where it is sent, and the fields beside the file. A
--- policy among them says what may be uploaded. Key may end in "${filename}". A field of your own needs a
--- condition of your own.
---
---     local form = s3:generate_presigned_post("my-bucket", "up/${filename}", nil,
---       { { "content-length-range", 0, 1048576 } }, 600)
---@param client userdata
---@param ... any Bucket, Key, Fields, Conditions, ExpiresIn = 3600; in a row or in one table
---@return table { url, fields }
function presign.post(client, ...)
  local opts = require("luaws.arguments")("generate_presigned_post", POST_OPTIONS, 2, ...)
  for _, name in ipairs{ "Bucket", "Key" } do
    if type(opts[name]) ~= "string" then
      errors.raise("TypeError", "generate_presigned_post: %s must be a string, not a %s", name,
        type(opts[name]))
    end
  end
  for _, name in ipairs{ "Fields", "Conditions" } do
    if opts[name] ~= nil and type(opts[name]) ~= "table" then
      errors.raise("TypeError", "generate_presigned_post: %s must be a table, not a %s", name,
        type(opts[name]))
    end
  end
  local expires, conditions = presign.seconds(opts.ExpiresIn), conditions_of(opts)
  -- The endpoint of any operation on the bucket is where its objects are posted.
  local params, context, stages = require("luaws.hooks").asked_params(client, "HeadBucket",
    { Bucket = opts.Bucket })
  local form = core.presign(client, "HeadBucket", params, expires, nil, context, stages, conditions)
  local fields = {}
  for name, value in pairs(opts.Fields or {}) do
    fields[name] = value
  end
  fields.key = opts.Key
  for name, value in pairs(form.fields) do
    fields[name] = value
  end
  form.fields = fields
  return form
end

return presign
