-- Folders to and from a bucket of moto's.
local aws = require("luaws")
local child = require("spec.support.child")
local errors = require("luaws.errors")
local glob = require("luaws.transfer.glob")
local moto = require("spec.support.moto")
local server = require("spec.support.server")

local s3 = aws.resource("s3", { endpoint_url = moto.url, region_name = "us-east-1", aws_access_key_id = "a",
  aws_secret_access_key = "b" })
local client, bucket, folder = s3.meta.client, nil, nil

local function write(name, data)
  child.output{ "mkdir", "-p", folder .. "/" .. (name:match("^(.*)/") or "") }
  local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
  assert(file:write(data or name))
end

local function files(under)
  local command = "cd %s && find %s -type f | sort"
  local list <close> = assert(io.popen(command:format(child.quote(folder), under)))
  local found = {}
  for name in list:lines() do
    local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
    found[name] = file:read("a")
  end
  return found
end

local function put(key, data)
  client:put_object{ Bucket = "bucket", Key = key, Body = data or key }
end

local function keys()
  local found = {}
  for object in bucket.objects:all() do
    found[#found + 1] = object.key
  end
  return found
end

describe("a pattern", function()
  for _, case in ipairs{
    { "*.jpg", "a.jpg", true }, { "*.jpg", "x/y/a.jpg", true }, { "*.jpg", "a.jpg.txt", false },
    { "x/*.jpg", "x/a.jpg", true }, { "x/*.jpg", "x/y/a.jpg", false }, { "x/**", "x/y/a.jpg", true },
    { "x/", "x/y/a.jpg", true }, { "x/", "xy/a.jpg", false }, { "**/a", "a", true }, { "**/a", "x/y/a",
      true },
    { "x/**/a", "x/a", true }, { "x/**/a", "x/y/z/a", true }, { "?.txt", "a.txt", true }, { "?.txt",
      "ab.txt", false },
    { "[a-c].txt", "b.txt", true }, { "[!a-c].txt", "b.txt", false }, { "[!a-c].txt", "d.txt", true },
    { "[]x].txt", "].txt", true }, { "[a", "[a", true }, { "a.b", "axb", false }, { "x?y", "x/y", false },
    { "*", "", true }, { "", "", true }, { "a*b*c", "aXbXc", true }, { "%a", "%a", true }, { "%a", "b",
      false },
  } do
    it(("%q %s %q"):format(case[1], case[3] and "matches" or "does not match", case[2]), function()
      assert.equal(case[3], glob.match(case[1], case[2]))
    end)
  end
end)

describe("a folder", function()
  before_each(function()
    moto.reset()
    client:create_bucket{ Bucket = "bucket" }
    bucket = s3:Bucket("bucket")
    folder = child.output{ "mktemp", "-d" }:gsub("\n", "")
  end)
  after_each(function()
    child.output{ "rm", "-rf", folder }
  end)

  it("is uploaded and downloaded, with progress over all of it", function()
    for i = 1, 25 do
      write(("in/%d/file %d.txt"):format(i % 3, i))
    end
    write("in/empty", "")
    local sum, last, total = 0, nil, nil
    local report = bucket:upload_dir(folder .. "/in", { Prefix = "p", Callback = function(new, so_far, all)
      sum, last, total = sum + new, so_far, all
    end })
    assert.same({ sum, sum, sum }, { report.bytes, last, total })
    assert.equal(26, #report.files)
    assert.equal(26, #keys())
    assert.equal("p/0/file 12.txt", keys()[1])
    bucket:download_dir(folder .. "/out", { Prefix = "p/" })
    local before, after = files("in"), files("out")
    for name, data in pairs(before) do
      assert.equal(data, after[name:gsub("^in", "out")])
    end
    assert.equal("", after["out/empty"])
  end)

  it("is downloaded without asking again what the listing told of small objects", function()
    put("large", ("x"):rep(6 * 1024 * 1024))
    put("small")
    put("empty", "")
    local asked = {}
    local function note(event)
      local headers = event.request.headers
      asked[#asked + 1] = event.operation_name .. (headers.Range and " part" or "")
        .. (headers["If-Match"] and " on condition" or "")
    end
    client.meta.events:register("before-send.s3", note)
    bucket:download_dir(folder .. "/out", { Config = { multipart_threshold = 5 * 1024 * 1024,
      multipart_chunksize = 5 * 1024 * 1024 } })
    client.meta.events:unregister("before-send.s3", note)
    table.sort(asked)
    assert.same({ "GetObject", "GetObject", "GetObject part on condition", "GetObject part on condition",
      "HeadObject", "ListObjectsV2" }, asked)
    assert.same({ ["out/large"] = ("x"):rep(6 * 1024 * 1024), ["out/small"] = "small", ["out/empty"] = "" },
      files("out"))
  end)

  it("is downloaded as it is now when it was replaced after the listing", function()
    local large, larger = ("x"):rep(6 * 1024 * 1024), ("y"):rep(7 * 1024 * 1024)
    for key, data in pairs{ large = large, small = "1", grows = "1", shrinks = large } do
      put(key, data)
    end
    local now = { large = larger, small = "22", grows = larger, shrinks = "22" }
    client.meta.events:register("after-call.s3.ListObjectsV2", function()
      for key, data in pairs(now) do
        put(key, data)
      end
    end, "replace")
    bucket:download_dir(folder .. "/out", { Config = { multipart_threshold = 5 * 1024 * 1024,
      multipart_chunksize = 5 * 1024 * 1024 } })
    client.meta.events:unregister("after-call.s3.ListObjectsV2", nil, "replace")
    local found = files("out")
    for key, data in pairs(now) do
      assert.is_true(found["out/" .. key] == data, key)
    end
  end)

  it("goes on where a connection broke, also when its listing told another size", function()
    local peer <close> = server.start()
    local there = aws.resource("s3", { endpoint_url = peer.url, region_name = "us-east-1",
      aws_access_key_id = "a", aws_secret_access_key = "b", config = { s3 = { addressing_style = "path" } } })
    peer:reply({ target = "list-type=2", body = "<ListBucketResult><Contents><Key>key</Key><Size>4</Size>"
        .. "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>" },
      { target = "/key", body = "0123456789", headers = { ETag = '"e"' }, cut = { after = 5 } },
      { target = "/key", status = 206, body = "56789", headers = { ETag = '"e"',
        ["Content-Range"] = "bytes 5-9/10" } })
    there:Bucket("bucket"):download_dir(folder .. "/out")
    assert.same({ ["out/key"] = "0123456789" }, files("out"))
    assert.equal("bytes=5-", peer:requests()[3].headers.range)
  end)

  it("is uploaded as patterns say, with arguments for each file", function()
    for _, name in ipairs{ "in/a.html", "in/b.css", "in/x/c.html", "in/x/d.tmp", "in/.git/config" } do
      write(name)
    end
    local report = bucket:upload_dir(folder .. "/in", { exclude = { "*.tmp", ".git/" }, include = { "**" },
      ExtraArgs = function(name)
        return { ContentType = name:find("html$") and "text/html" or "text/css" }
      end })
    assert.same({ "a.html", "b.css", "x/c.html" }, report.files)
    assert.same(report.files, keys())
    assert.equal("text/html", client:head_object{ Bucket = "bucket", Key = "x/c.html" }.ContentType)
    assert.equal("text/css", client:head_object{ Bucket = "bucket", Key = "b.css" }.ContentType)
  end)

  it("is left alone by a dry run", function()
    write("in/a")
    put("p/old")
    local plan = bucket:upload_dir(folder .. "/in", { Prefix = "p", delete = true, dry_run = true })
    assert.same({ files = { "a" }, skipped = {}, deleted = { "old" }, bytes = 4 }, plan)
    assert.same({ "p/old" }, keys())
    plan = bucket:download_dir(folder .. "/new", { Prefix = "p", dry_run = true })
    assert.same({ "old" }, plan.files)
    assert.same({ ["./in/a"] = "in/a" }, files("."))
  end)

  it("is synchronized to the bucket: what is new, changed or gone", function()
    write("in/same")
    write("in/grown")
    write("in/gone")
    assert.equal(3, #bucket:sync(folder .. "/in", {}).files)
    assert.same({ files = {}, skipped = { "gone", "grown", "same" }, deleted = {}, bytes = 0 },
      bucket:sync(folder .. "/in", { delete = true }))
    write("in/grown", "larger than before")
    write("in/new")
    os.remove(folder .. "/in/gone")
    local report = bucket:sync(folder .. "/in", { delete = true })
    assert.same({ files = { "grown", "new" }, skipped = { "same" }, deleted = { "gone" }, bytes = 24 },
      report)
    assert.same({ "grown", "new", "same" }, keys())
  end)

  it("is synchronized from the bucket", function()
    put("a/b")
    put("a/c")
    write("out/old")
    write("out/kept.txt")
    local opts = { direction = "down", Prefix = "a", delete = true, exclude = "*.txt" }
    local report = bucket:sync(folder .. "/out", opts)
    assert.same({ files = { "b", "c" }, skipped = {}, deleted = { "old" }, bytes = 6 }, report)
    assert.same({ ["out/b"] = "a/b", ["out/c"] = "a/c", ["out/kept.txt"] = "out/kept.txt" }, files("out"))
    assert.same({ "b", "c" }, bucket:sync(folder .. "/out", opts).skipped)
    put("a/b", "123")
    client:put_object{ Bucket = "bucket", Key = "a/b", Body = "1234" }
    assert.same({ "b" }, bucket:sync(folder .. "/out", opts).files)
  end)

  it("is made with those above it, but not where a file is in the way", function()
    put("p/a/b")
    for _, name in ipairs{ "/new/er", "/new/est//folder/" } do
      bucket:download_dir(folder .. name, { Prefix = "p" })
    end
    assert.same({ ["new/er/a/b"] = "p/a/b", ["new/est/folder/a/b"] = "p/a/b" }, files("new"))
    write("file")
    local _, err = pcall(bucket.download_dir, bucket, folder .. "/file/in/it", { Prefix = "p" })
    assert.same({ "IOError", folder .. "/file/in: Not a directory" }, { err.kind, err.message })
  end)

  for _, key in ipairs{ "../x", "a/../../x", "/etc/x", "a//x", "a\\..\\x", "a/./x", "..", "\\x" } do
    it(("is not left by the key %q"):format(key), function()
      put("good")
      put(key)
      local ok, err = pcall(bucket.download_dir, bucket, folder .. "/out")
      assert.is_false(ok)
      assert.equal("ValueError", err.kind)
      assert.same({}, files("."))
      assert.same({ "good" }, bucket:download_dir(folder .. "/out", { include = "good" }).files)
    end)
  end

  it("is not left through links that were in it", function()
    write("elsewhere/old")
    write("out/within/old")
    local links = "cd %s/out && ln -s ../elsewhere away && ln -s within near && ln -s ../elsewhere/old file"
    os.execute(links:format(child.quote(folder)))
    put("away/x")
    local before = files(".")
    for _, method in ipairs{ "download_dir", "sync" } do
      local _, err = pcall(bucket[method], bucket, folder .. "/out", { direction = method == "sync" and "down"
        or nil, delete = true })
      assert.equal("ValueError", err.kind)
      assert.matches('"away/x" would be a file outside of the folder, through the link "away"', err.message)
      assert.same(before, files("."))
    end
    client:delete_object{ Bucket = "bucket", Key = "away/x" }
    put("near/x")
    put("file")
    local report = bucket:download_dir(folder .. "/out", { delete = true })
    assert.same({ { "file", "near/x" }, { "within/old" } }, { report.files, report.deleted })
    assert.same({ ["elsewhere/old"] = "elsewhere/old", ["out/within/x"] = "near/x", ["out/file"] = "file" },
      files("elsewhere out"))
  end)

  it("cannot hold a key that is a file and a folder, and is left as it was", function()
    put("a")
    put("a/b/c")
    put("z")
    local _, err = pcall(bucket.download_dir, bucket, folder .. "/out")
    assert.same({ "ValueError", 'the keys "a" and "a/b/c" cannot both be files: leave one out with exclude' },
      { err.kind, err.message })
    assert.same({}, files("."))
    assert.same({ "a/b/c", "z" }, bucket:download_dir(folder .. "/out", { exclude = "a" }).files)
  end)

  it("is walked through links, but not in circles", function()
    write("in/x/a")
    local links = "cd %s/in && ln -s x y && ln -s .. x/up && ln -s nowhere z && mkfifo pipe"
    os.execute(links:format(child.quote(folder)))
    assert.same({ "x/a", "y/a" }, bucket:upload_dir(folder .. "/in").files)
  end)

  it("skips objects that stand for folders", function()
    put("p/", "")
    put("p/x/", "")
    put("p/x/a")
    assert.same({ "x/a" }, bucket:download_dir(folder .. "/out", { Prefix = "p" }).files)
  end)

  it("that is not there, and wrong options, are told", function()
    local cases = {
      { "IOError", folder .. "/nothing", {} },
      { "TypeError", folder, { dryrun = true } },
      { "ValueError", folder, { ExtraArgs = { ContentTyp = "x" } } },
      { "TypeError", nil, {} },
    }
    for _, case in ipairs(cases) do
      local ok, err = pcall(bucket.upload_dir, bucket, case[2], case[3])
      assert.same({ false, case[1] }, { ok, err.kind })
    end
    local _, err = pcall(bucket.upload_dir, bucket, folder, { dryrun = true })
    assert.matches("did you mean 'dry_run'", err.message)
  end)

  it("names what could not be transferred, and keeps what was", function()
    for _, key in ipairs{ "p/a", "p/b", "p/c/d" } do
      put(key)
    end
    write("out/old")
    local refused, gone = "p/b", nil
    local function refuse(event)
      if event.request.url:find(refused, 1, true) then
        return { status_code = 403, headers = {}, body = "<Error><Code>AccessDenied</Code></Error>" }
      end
    end
    client.meta.events:register("before-send.s3.GetObject", refuse, "refuse")
    local _, err = pcall(bucket.sync, bucket, folder .. "/out", { Prefix = "p", direction = "down",
      delete = true, concurrency = 1 })
    client.meta.events:unregister("before-send.s3.GetObject", nil, "refuse")
    assert.same({ "S3DownloadFailedError", "AccessDenied" }, { err.kind, err.code })
    assert.matches("^bucket/p/b and .*/out/b: An error occurred %(AccessDenied%) when calling the GetObject",
      tostring(err))
    assert.same({ ["out/a"] = "p/a", ["out/old"] = "out/old" }, files("out"))
    assert.same({ files = { "b", "c/d" }, skipped = { "a" }, deleted = { "old" }, bytes = 8 },
      bucket:sync(folder .. "/out", { Prefix = "p", direction = "down", delete = true }))

    client.meta.events:register("before-send.s3.PutObject", function()
      gone = gone or os.remove(folder .. "/out/b")
    end, "remove")
    _, err = pcall(bucket.upload_dir, bucket, folder .. "/out", { Prefix = "q", concurrency = 1 })
    client.meta.events:unregister("before-send.s3.PutObject", nil, "remove")
    assert.equal("IOError", err.kind)
    assert.matches("/out/b: No such file or directory", err.message)
    assert.same({ "p/a", "p/b", "p/c/d", "q/a" }, keys())
  end)

  it("passes on what is advised of one file", function()
    write("in/a")
    client.meta.events:register("before-sign.s3.PutObject", errors.no_credentials, "forget")
    local _, err = pcall(bucket.upload_dir, bucket, folder .. "/in")
    client.meta.events:unregister("before-sign.s3.PutObject", nil, "forget")
    assert.equal(("bucket/a and %s/in/a: Unable to locate credentials"):format(folder), err.message)
    assert.equal("; luaws --explain, or session:explain(), tells where they were looked for", err.advice)
  end)

  it("is not looked into where all of it is excluded", function()
    write("in/a")
    write("in/x/y/b")
    local core, asked = require("luaws.core"), {}
    local list_folder = core.list_folder
    finally(function()
      core.list_folder = list_folder
    end)
    core.list_folder = function(path) -- whoever runs this may be allowed to
      if path:sub(-2) == "/x" then
        asked[#asked + 1] = path:sub(#folder + 2)
        return nil, path .. ": Permission denied"
      end
      return list_folder(path)
    end
    for _, exclude in ipairs{ "x/", "x/**", { "*.c", "x/" }, "?/", "**/x/" } do
      assert.same({ "a" }, bucket:upload_dir(folder .. "/in", { exclude = exclude, dry_run = true }).files)
    end
    assert.same({}, bucket:upload_dir(folder .. "/in", { exclude = "*" }).files)
    assert.same({}, asked)
    for _, exclude in ipairs{ "x/*", "*.c", "x", "x/y/", "x/y/b", "[!a]*", "?", "?*", "y/**" } do
      local _, err = pcall(bucket.upload_dir, bucket, folder .. "/in", { exclude = exclude })
      assert.matches("/in/x: Permission denied", err.message, 1, true)
    end
    assert.same({}, keys())
  end)

  it("takes any name that a file may have", function()
    local odd = { "na\xC3\xAFve \xE6\x97\xA5.txt", "a b+c&d%41#?.txt", "quote'\"s", ".hidden",
      "trailing ", "Case", "case", "~", "-", "*", "x/..y/z", ("n"):rep(255) }
    for _, name in ipairs(odd) do
      write("in/" .. name)
    end
    table.sort(odd)
    assert.same(odd, bucket:upload_dir(folder .. "/in", { Prefix = "p" }).files)
    assert.same(odd, bucket:download_dir(folder .. "/out", { Prefix = "p" }).files)
    child.output{ "diff", "-r", folder .. "/in", folder .. "/out" }
    assert.same({}, bucket:sync(folder .. "/in", { Prefix = "p" }).files)
    assert.same({}, bucket:sync(folder .. "/out", { Prefix = "p", direction = "down", delete = true }).files)
    child.output{ "rm", "-rf", folder .. "/in" }
    child.output{ "mkdir", folder .. "/in" }
    assert.same(odd, bucket:sync(folder .. "/in", { Prefix = "p", delete = true }).deleted)
    assert.same({}, keys())
  end)

  it("is not taken for another when something is in the way", function()
    put("p/x")
    put("p/sub/y")
    write("1/x/z")
    write("2/sub")
    write("3")
    local cases = { { "1", "/1/x: Is a directory" }, { "2", "/2/sub: File exists" }, { "3",
      "/3: Not a directory" } }
    for _, case in ipairs(cases) do
      local _, err = pcall(bucket.sync, bucket, folder .. "/" .. case[1], { Prefix = "p",
        direction = "down" })
      assert.equal("IOError", err.kind)
      assert.matches(case[2], err.message, 1, true)
    end
    assert.equal("2/sub", files("2")["2/sub"])
  end)

  it("is refused with options that are none, before anything is asked", function()
    write("in/a")
    for _, case in ipairs{
      { { concurrency = "x" }, "ValueError", "upload_dir: concurrency must be a positive integer, not x" },
      { { concurrency = 0 }, "ValueError", "upload_dir: concurrency must be a positive integer, not 0" },
      { { include = 7 }, "TypeError",
        "upload_dir: include must be a pattern or a list of them, not a number" },
      { { exclude = { "a", true } }, "TypeError",
        "upload_dir: exclude must be a pattern or a list of them, not a boolean" },
      { { Prefix = 7 }, "TypeError", "upload_dir: Prefix must be a string, not a number" },
      { "p", "TypeError", "upload_dir takes its options in a table, not a string" },
    } do
      local _, err = pcall(bucket.upload_dir, bucket, folder .. "/in", case[1])
      assert.same({ case[2], case[3] }, { err.kind, err.message })
    end
    assert.same({}, keys())
  end)

  it("tells which object could not be deleted", function()
    write("in/a")
    put("a")
    put("kept")
    put("old")
    client.meta.events:register("before-send.s3.DeleteObjects", function()
      return { status_code = 200, headers = {}, body = "<DeleteResult><Error><Key>kept</Key>"
        .. "<Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>" }
    end, "refuse")
    local ok, err = pcall(bucket.sync, bucket, folder .. "/in", { delete = true })
    client.meta.events:unregister("before-send.s3.DeleteObjects", nil, "refuse")
    assert.same({ false, "ClientError", "AccessDenied", "deleting kept: AccessDenied: Access Denied" },
      { ok, err.kind, err.code, err.message })
  end)

  it("is given up when one file cannot be read", function()
    write("in/a")
    write("in/b")
    local failing = function(name)
      error("no arguments for " .. name, 0)
    end
    local ok, err = pcall(bucket.upload_dir, bucket, folder .. "/in", { ExtraArgs = failing,
      concurrency = 1 })
    assert.same({ false, "no arguments for a" }, { ok, err })
  end)
end)
