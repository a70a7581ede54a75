-- The luaws side of scripts/walk-transfers: makes the transfers that it is asked for, a line of JSON each.
local aws = require("luaws")
local cjson = require("cjson")
local part_size = require("luaws.transfer.config").part_size

local client

local function in_pieces(name)
  local file = assert(io.open(name, "rb"))
  return function()
    return file:read(77777)
  end
end

local RUN = {
  upload_file = function(case, opts)
    client:upload_file(case.source, "bucket", "key", opts)
  end,
  upload_fileobj = function(case, opts)
    local file <close> = assert(io.open(case.source, "rb"))
    file:seek("set", case.at)
    client:upload_fileobj(file, "bucket", "key", opts)
  end,
  upload_stream = function(case, opts)
    local piped = case.size % 2 == 0
    local source = piped and io.popen("cat '" .. case.source .. "'") or in_pieces(case.source)
    client:upload_fileobj(source, "bucket", "key", opts)
  end,
  download_file = function(case, opts)
    client:download_file("bucket", "key", case.target, opts)
  end,
  download_fileobj = function(case, opts)
    local file <close> = assert(io.open(case.target, "wb"))
    client:download_fileobj("bucket", "key", file, opts)
  end,
  download_stream = function(case, opts)
    local piped = case.size % 2 == 0
    local file <close> = piped and io.popen("cat > '" .. case.target .. "'", "w")
      or assert(io.open(case.target, "wb"))
    client:download_fileobj("bucket", "key", piped and file or function(chunk)
      file:write(chunk)
    end, opts)
  end,
  copy = function(_, opts)
    client:copy({ Bucket = "from", Key = "that" }, "bucket", "key", opts)
  end,
}

local function integers(value)
  if type(value) == "table" then
    for key, item in pairs(value) do
      value[key] = integers(item)
    end
  end
  return math.type(value) == "float" and math.tointeger(value) or value
end

local function answer(case)
  if case.chunk then
    local size = case.size ~= cjson.null and case.size or nil
    return { part = part_size(case.chunk, size) }
  end
  client = client or aws.client("s3", { endpoint_url = case.url, region_name = "us-east-1",
    aws_access_key_id = "a", aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" },
      retries = { total_max_attempts = 1 } } })
  local ok, err = pcall(RUN[case.method], case, { Config = case.config })
  return { error = not ok and tostring(err) or nil, done = true }
end

io.stdout:setvbuf("line")
for line in io.lines() do
  print(cjson.encode(answer(integers(cjson.decode(line)))))
end
