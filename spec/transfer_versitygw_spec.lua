-- Transfers against a server that takes nothing whose signature or checksum is wrong, with and without TLS.
local aws = require("luaws")
local child = require("spec.support.child")
local folder = require("spec.support.folder")
local versitygw = require("spec.support.versitygw")
local path = folder.path
local MiB = 1024 * 1024
local FIVE = { multipart_threshold = 5 * MiB, multipart_chunksize = 5 * MiB }

for _, tls in ipairs{ false, true } do
  describe(tls and "over TLS transfers" or "transfers", function()
    local gateway = versitygw.start{ tls = tls }
    local s3 = aws.client("s3", gateway.options)

    local function make(name, size)
      local quoted = folder.quoted(name)
      local command = "mkdir -p \"$(dirname %s)\"; head -c %d /dev/urandom > %s"
      assert(os.execute(command:format(quoted, size, quoted)))
      return path(name)
    end

    local function same(a, b)
      return (os.execute(("cmp -s %s %s"):format(folder.quoted(a), folder.quoted(b)))) == true
    end

    setup(function()
      s3:create_bucket{ Bucket = "bucket" }
      folder.make()
    end)
    after_each(function()
      assert.same({}, s3:list_multipart_uploads{ Bucket = "bucket" }.Uploads or {})
    end)
    teardown(function()
      folder.remove()
    end)

    for _, size in ipairs{ 0, 1, 65516, 65517, 5 * MiB - 1, 5 * MiB, 10 * MiB, 12 * MiB + 5 } do
      it(("of %d bytes from files and pipes come back as they went"):format(size), function()
        make("in", size)
        s3:upload_file(path("in"), "bucket", "file", { Config = FIVE, ExtraArgs = { ContentType = "text/x",
          Metadata = { a = "b" } } })
        s3:upload_fileobj(io.popen("cat " .. child.quote(path("in"))), "bucket", "pipe", { Config = FIVE })
        s3:copy({ Bucket = "bucket", Key = "file" }, "bucket", "copy", { Config = FIVE })
        for _, key in ipairs{ "file", "pipe", "copy" } do
          s3:download_file("bucket", key, path("out"), { Config = FIVE })
          assert.is_true(same("in", "out"), key)
        end
        local head = s3:head_object{ Bucket = "bucket", Key = "file" }
        assert.same({ "text/x", { a = "b" }, size }, { head.ContentType, head.Metadata, head.ContentLength })
      end)
    end

    for _, algorithm in ipairs{ "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256" } do
      it("with " .. algorithm .. " of each part are verified by the server", function()
        make("in", 11 * MiB)
        s3:upload_file(path("in"), "bucket", "key", { Config = FIVE, ExtraArgs = {
          ChecksumAlgorithm = algorithm } })
        local head = s3:head_object{ Bucket = "bucket", Key = "key", ChecksumMode = "ENABLED" }
        assert.is_string(head["Checksum" .. algorithm])
        s3:upload_file(path("in"), "bucket", "key", { ExtraArgs = { ChecksumAlgorithm = algorithm },
          Config = { multipart_threshold = 100 * MiB } })
        s3:download_file("bucket", "key", path("out"), { Config = { multipart_threshold = 100 * MiB } })
        assert.is_true(same("in", "out"))
      end)
    end

    for _, algorithm in ipairs{ "CRC32", "CRC32C", "CRC64NVME" } do
      it("with " .. algorithm .. " of the whole object are compared with it", function()
        local file <close> = io.open(make("in", 11 * MiB), "rb")
        local name = "Checksum" .. algorithm
        local value = s3:put_object{ Bucket = "bucket", Key = "whole", Body = file,
          ChecksumAlgorithm = algorithm }[name]
        s3:upload_file(path("in"), "bucket", "parts", { Config = FIVE, ExtraArgs = { [name] = value } })
        local head = s3:head_object{ Bucket = "bucket", Key = "parts", ChecksumMode = "ENABLED" }
        assert.same({ value, "FULL_OBJECT" }, { head[name], head.ChecksumType })
        make("in", 11 * MiB)
        local _, err = s3.try:upload_file(path("in"), "bucket", "other", { Config = FIVE,
          ExtraArgs = { [name] = value } })
        assert.equal("S3UploadFailedError", err.kind)
        assert.is_nil(s3.try:head_object{ Bucket = "bucket", Key = "other" })
      end)
    end

    it("of a folder are there and back again", function()
      for i = 1, 12 do
        make(("tree/%d/file %d &+%s.bin"):format(i % 3, i, i == 1 and "\n\t\"'\xC3\xBC" or ""), i * 1000)
      end
      local bucket = aws.resource("s3", gateway.options):Bucket("bucket")
      assert.equal(12, #bucket:upload_dir(path("tree"), { Prefix = "p" }).files)
      assert.equal(12, #bucket:download_dir(path("back"), { Prefix = "p" }).files)
      child.output{ "diff", "-r", path("tree"), path("back") }
      assert.same({}, bucket:sync(path("tree"), { Prefix = "p" }).files)
    end)

    it("with wrong keys are refused and leave nothing", function()
      local wrong = {}
      for name, value in pairs(gateway.options) do
        wrong[name] = value
      end
      wrong.aws_secret_access_key = "wrong"
      local _, err = aws.client("s3", wrong).try:upload_file(make("in", 6 * MiB), "bucket", "wrong",
        { Config = FIVE })
      assert.equal("SignatureDoesNotMatch", err.code)
      assert.is_nil(s3.try:head_object{ Bucket = "bucket", Key = "wrong" })
    end)
  end)
end
