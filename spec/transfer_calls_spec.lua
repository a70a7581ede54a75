-- The requests of transfers are those of boto3's (spec/fixtures/transfer.json, which
-- scripts/transfer-fixtures.py wrote), whatever their order, since parts go at once. But a download asks
-- HeadObject for the object's checksum, too.
local cjson = require("cjson")
local recorder = require("spec.support.transfer_recorder")

local TOLD = { range = true, ["if-match"] = true, ["content-type"] = true, ["cache-control"] = true,
  ["if-none-match"] = true, ["if-modified-since"] = true }

-- One text for each request, in order: what is compared.
local function texts(list)
  local all = {}
  for i, request in ipairs(list) do
    local lines = {}
    for header, value in pairs(request.headers) do
      if TOLD[header] or header:find("^x%-amz%-") then
        lines[#lines + 1] = header .. ": " .. value
      end
    end
    table.sort(lines)
    local query = {}
    for _, pair in ipairs(request.query) do
      query[#query + 1] = pair[1] .. "=" .. pair[2]
    end
    for _, part in ipairs(request.parts) do
      local members = {}
      for member, value in pairs(part) do
        members[#members + 1] = member .. "=" .. value:gsub("&quot;", '"')
      end
      table.sort(members)
      lines[#lines + 1] = table.concat(members, " ")
    end
    all[i] = ("%s %s?%s (%d bytes)\n%s"):format(request.method, request.path, table.concat(query, "&"),
      request.length, table.concat(lines, "\n"))
  end
  table.sort(all)
  return all
end

-- boto3's requests with what a download of ours asks for beyond.
local function with_checksum(case)
  for _, request in ipairs(case.method:find("^download") and case.requests or {}) do
    if request.method == "HEAD" then
      request.headers["x-amz-checksum-mode"] = "ENABLED"
    end
  end
  return case.requests
end

describe("the requests of", function()
  local file <close> = assert(io.open("spec/fixtures/transfer.json"))
  for i, case in ipairs(recorder.whole_numbers(cjson.decode(file:read("a")))) do
    it(("%d: %s of %d bytes are boto3's"):format(i, case.method, case.size), function()
      local opts = { ExtraArgs = case.extra_args, Config = case.config }
      assert.same(texts(with_checksum(case)), texts(recorder.run(case.method, case.size, opts)))
    end)
  end
end)
