--- Glacier: the caller's own account, the API's version, and the hashes of what is stored.
local core = require("luaws.core")

local glacier = {}

local function own_account(event)
  if event.params.accountId == nil then
    event.params.accountId = "-"
  end
end

local function add_version(event)
  event.request.headers["x-amz-glacier-version"] = core.client_info(event.client).api_version
end

local function add_hashes(event)
  local headers = event.request.headers
  if headers["x-amz-content-sha256"] and headers["x-amz-sha256-tree-hash"] then
    return
  end
  local whole, tree = event.call:request_hashes()
  headers["x-amz-content-sha256"] = headers["x-amz-content-sha256"] or whole
  headers["x-amz-sha256-tree-hash"] = headers["x-amz-sha256-tree-hash"] or tree
end

function glacier.register(emitter)
  emitter:register("before-parameter-build.glacier", own_account)
  emitter:register("before-call.glacier", add_version)
  emitter:register("before-call.glacier.UploadArchive", add_hashes)
  emitter:register("before-call.glacier.UploadMultipartPart", add_hashes)
end

return glacier
