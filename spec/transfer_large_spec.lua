-- Objects of 100 GiB: which parts they are sent in, and what is in them. Answers are made up here, and of the
-- bodies, which are ranges of a file that is one large hole, only those that are looked at are read.
local aws = require("luaws")
local folder = require("spec.support.folder")

local MiB <const> = 1024 * 1024
local SIZE <const> = 100 * 1024 * MiB + 12345
local PART <const> = 16 * MiB -- with 8 MiB there would be 12,801
local COUNT <const> = 6401

-- A client whose operations are answered by functions of the event, and the parts that completing names.
local function client_with(answers)
  -- Over TLS a body has its checksum behind it, so that it is not read beforehand.
  local s3 = aws.client("s3", { endpoint_url = "https://127.0.0.1:9", region_name = "us-east-1",
    aws_access_key_id = "a", aws_secret_access_key = "b" })
  local completed = {}
  answers.CreateMultipartUpload = function()
    return "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
  end
  answers.CompleteMultipartUpload = function(request)
    for tag, number in request.body:gmatch("<ETag>(.-)</ETag>.-<PartNumber>(%d+)</PartNumber>") do
      completed[#completed + 1] = tag .. "=" .. number
    end
    return "<CompleteMultipartUploadResult/>"
  end
  for operation, answer in pairs(answers) do
    s3.meta.events:register("before-send.s3." .. operation, function(event)
      local body, headers = answer(event.request, math.tointeger(event.request.url:match("partNumber=(%d+)")))
      return { status_code = 200, headers = headers or {}, body = body }
    end)
  end
  return s3, completed
end

local function all_parts()
  local list = {}
  for i = 1, COUNT do
    list[i] = ("e%d=%d"):format(i, i)
  end
  return list
end

local function length_of(number)
  return number < COUNT and PART or SIZE - (COUNT - 1) * PART
end

describe("an object of 100 GiB", function()
  setup(folder.make)
  teardown(folder.remove)

  it("goes up from a file in as many parts as S3 takes, each from its place", function()
    local name = folder.path("hole")
    local file <close> = assert(io.open(name, "wb"))
    for _, number in ipairs{ 1, 400, COUNT } do -- 400 is beyond what 32 bits count
      file:seek("set", (number - 1) * PART)
      file:write("part ", number)
      file:flush()
    end
    file:seek("set", SIZE - 1)
    file:write("!")
    file:flush()
    local looked_at = {}
    local s3, completed = client_with{ UploadPart = function(request, number)
      local headers = request.headers
      assert.equal(length_of(number), math.tointeger(headers["X-Amz-Decoded-Content-Length"]))
      if number == 1 or number == 400 or number == COUNT then
        looked_at[number] = request.body:find("part " .. number .. "\0", 1, true)
          and request.body:find(number == COUNT and "\0!" or "\0\0", 1, true) and true
      end
      return "", { ETag = "e" .. number }
    end }
    local last
    s3:upload_file(name, "bucket", "key", { Callback = function(_, so_far, total)
      last = { so_far, total }
    end })
    assert.same({ true, [400] = true, [COUNT] = true }, looked_at)
    assert.same(all_parts(), completed)
    assert.same({ SIZE, SIZE }, last)
  end)

  it("is copied in such parts", function()
    local ranges = {}
    local s3, completed = client_with{
      HeadObject = function()
        return "", { ["Content-Length"] = tostring(SIZE), ETag = '"e"' }
      end,
      UploadPartCopy = function(request, number)
        ranges[number] = request.headers["x-amz-copy-source-range"]
        return ("<CopyPartResult><ETag>e%d</ETag></CopyPartResult>"):format(number)
      end,
    }
    s3:copy({ Bucket = "from", Key = "key" }, "bucket", "key")
    for number = 1, COUNT do
      local first = (number - 1) * PART
      assert.equal(("bytes=%d-%d"):format(first, first + length_of(number) - 1), ranges[number])
    end
    assert.same(all_parts(), completed)
  end)
end)
