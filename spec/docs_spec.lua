-- The Lua in the pages under docs/ runs, each piece as a script of its own against moto, after a few lines
-- that make what it takes for granted.
local child = require("spec.support.child")
local machine = require("spec.support.machine")
local moto = require("spec.support.moto")

local luaws = (os.getenv("LUAWS_BUILD") or "build") .. "/luaws"

local SONGS = [[
local aws = require "luaws"
local Key, Attr = aws.dynamodb.Key, aws.dynamodb.Attr
local function create()
  local table = aws.resource("dynamodb"):create_table{ TableName = "songs", BillingMode = "PAY_PER_REQUEST",
    KeySchema = { { AttributeName = "artist", KeyType = "HASH" },
      { AttributeName = "number", KeyType = "RANGE" } },
    AttributeDefinitions = { { AttributeName = "artist", AttributeType = "S" },
      { AttributeName = "number", AttributeType = "N" } } }
  table:put_item{ Item = { artist = "Bach", number = 2, length = 6 } }
  return table
end
]]

local BUCKETS = [[
local aws = require "luaws"
local s3 = aws.client("s3")
for _, name in ipairs{ "my-bucket", "other-bucket" } do s3:create_bucket{ Bucket = name } end
local bucket = aws.resource("s3"):Bucket("my-bucket")
for i = 1, 12 do bucket:put_object{ Key = "logs/" .. i, Body = ("x"):rep(i) } end
]]

local STUB = [[
local aws = require "luaws"
local function stubbed(service, method, answer)
  local client = aws.client(service)
  aws.stubber(client):activate():add_response(method, answer)
  return client
end
]]

-- Of each page the pieces in their order: what comes before and after it, and what it prints at the end.
local PIECES = {
  ["docs/credentials.md"] = {
    { before = 'local aws = require "luaws"', prints = "^Credentials%(method='config%-file'%)\n" },
    { before = 'local aws = require "luaws"\nlocal function read_code() return "123456" end' },
    { before = 'local aws = require "luaws"\nlocal session = aws.session()',
      after = 'print(session:get_credentials().method, session:get_credentials().access_key)',
      prints = "vault\t…\n$" },
  },
  ["docs/dynamodb.md"] = {
    { before = SONGS .. "create()", prints = "^9%.25\ttrue\n$" },
    { before = SONGS .. 'local songs, item = create(), { artist = "Bach", number = 3 }',
      after = "print(songs:scan().Count)", prints = "^2\n$" },
    { before = SONGS .. "local songs = create()", after = "print(songs:scan().Count)", prints = "^999\n$" },
    { before = SONGS .. "local songs = create()", prints = "^2\n$" },
  },
  ["docs/guide.md"] = {
    { before = STUB .. [[local bedrock = stubbed("bedrock-runtime", "converse_stream", { stream = {
        { contentBlockDelta = { contentBlockIndex = 0, delta = { text = "Hel" } } },
        { contentBlockDelta = { contentBlockIndex = 0, delta = { text = "lo" } } } } })
      local id, messages = "m", { { role = "user", content = { { text = "hi" } } } }]], prints = "^Hello$" },
    { before = STUB .. [[local lex = stubbed("lexv2-runtime", "start_conversation", { responseEventStream = {
        { HeartbeatEvent = { eventId = "7" } } } })
      local id, alias = "BOTIDXXXXX", "TSTALIASID"]], prints = 'eventId = "7"' },
    { before = BUCKETS, prints = "^not there\n$" },
    { before = 'local aws = require "luaws"\nlocal list, seconds = { 1, 2 }, 0\n'
      .. "local function fn(x) return x end\nlocal f1, f2 = fn, fn" },
    { before = 'local aws = require "luaws"', after = "print(s3.meta.config.signature_version)",
      prints = "^s3\n$" },
    { before = BUCKETS, after = "print(url, form.url, form.fields.key)",
      prints = "^http%S+X%-Amz%-Signature=%x+\thttp%S+/b\tuploads/${filename}\n$" },
    { before = 'local aws = require "luaws"',
      prints = "Set%-Cookie: CloudFront%-Signature=[%w~_-]+; Path=/" },
  },
  ["docs/resources.md"] = {
    { before = [[local made = require("luaws").resource("ec2")
      local image = made.meta.client:describe_images{ Owners = { "amazon" } }.Images[1].ImageId
      made:create_instances{ ImageId = image, MinCount = 1, MaxCount = 1, TagSpecifications = { {
        ResourceType = "instance", Tags = { { Key = "team", Value = "web" } } } } }]],
      prints = "^ec2%.Instance%(id='i%-%x+'%)\trunning\n$" },
    { before = BUCKETS, after = "print(#s3:list_objects_v2{ Bucket = 'my-bucket', MaxKeys = 5 })",
      prints = "^logs/1\t1\n.-12\n0\n$" },
    { before = BUCKETS .. "local session = aws.session()",
      after = 'print(session:resource("s3"):Bucket("my-bucket"):size())', prints = "^78\n$" },
  },
  ["docs/transfers.md"] = {
    { before = BUCKETS, after = 'print(io.open("copy.jpg"):read("a"), '
      .. 's3:head_object{ Bucket = "other-bucket", Key = "1.jpg" }.ContentType)',
      prints = "^a photo\timage/jpeg\n$" },
    { before = BUCKETS .. 'bucket:put_object{ Key = "www/old.html", Body = "old" }',
      prints = "^%d to upload, %d to delete, %d the same\n$" },
  },
}

describe("the Lua in", function()
  local folder
  setup(function()
    folder = child.output({ "mktemp", "-d" }):gsub("\n", "")
    child.output({ "mkdir", folder .. "/site" })
    machine.write(folder .. "/photo.jpg", "a photo")
    machine.write(folder .. "/site/index.html", "<p>")
    machine.write(folder .. "/config", "[profile dev]\nregion = us-east-1\naws_access_key_id = a\n"
      .. "aws_secret_access_key = b\n")
    child.output({ "openssl", "genrsa", "-traditional", "-out", folder .. "/private_key.pem", "2048" })
  end)
  teardown(function()
    child.output({ "rm", "-rf", folder })
  end)
  before_each(moto.reset)

  local program = child.output({ "realpath", luaws }):gsub("\n", "")

  local function run(code)
    machine.write(folder .. "/piece.lua", code)
    return child.output({ "sh", "-c", 'cd "$0" && exec "$@" 2>&1', folder, "env",
      "AWS_ENDPOINT_URL=" .. moto.url, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
      "AWS_DEFAULT_REGION=us-east-1",
      "AWS_CONFIG_FILE=" .. folder .. "/config", program, "piece.lua" })
  end

  for page in io.popen("ls README.md docs/*.md"):lines() do
    local at = 0
    for code in machine.read(page):gmatch("\n```lua\n(.-)```") do
      at = at + 1
      local piece = (PIECES[page] or {})[at]
      if page ~= "README.md" then -- that is the tour, which examples_spec.lua runs
        it(("%s runs, piece %d"):format(page, at), function()
          assert.is_table(piece, "it is not known here")
          local whole = code:gsub("function%(%) … end", "function() end"):gsub(", …%)", ")")
            :gsub("= …", '= "…"')
          local output = run(("%s\n%s\n%s\n"):format(piece.before, whole, piece.after or ""))
          assert.matches(piece.prints or "^$", output)
        end)
      end
    end
    it(page .. " has no piece less than there are here", function()
      assert.is_true(at >= #(PIECES[page] or {}))
    end)
  end
end)
