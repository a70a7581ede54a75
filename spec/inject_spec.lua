-- Methods of resources that no model speaks of, against moto and against answers made up here.
local moto = require("spec.support.moto")
local aws = require("luaws")

local OPTS = {
  region_name = "us-east-1", endpoint_url = moto.url, aws_access_key_id = "a", aws_secret_access_key = "b",
}

describe("injected methods", function()
  before_each(moto.reset)

  it("read when a bucket was made", function()
    local s3 = aws.resource("s3", OPTS)
    local bucket = s3:create_bucket { Bucket = "one" }
    local date = bucket.creation_date
    assert.is_true(math.abs(date - os.time()) < 3600)
    assert.equal("one", bucket.meta.data.Name)
    for listed in s3.buckets:all() do
      assert.equal(date, listed.creation_date)
    end
    local other = s3:Bucket("none")
    other:load()
    assert.same({}, other.meta.data)
    assert.is_nil(other.creation_date)
  end)

  it("leave a bucket's date nil when the list of buckets is denied, and raise any other error", function()
    local s3 = aws.resource("s3", OPTS)
    local code = "AccessDenied"
    s3.meta.client.meta.events:register("before-send.s3.ListBuckets", function()
      return { status_code = 403, body = "<Error><Code>" .. code .. "</Code><Message>no</Message></Error>" }
    end)
    local bucket = s3:Bucket("one")
    bucket:load()
    assert.same({}, bucket.meta.data)
    code = "InvalidAccessKeyId"
    local other = s3:Bucket("other")
    for _ = 1, 2 do -- an error is not taken for an answer the next time
      local ok, err = pcall(function() return other.creation_date end)
      assert.is_false(ok)
      assert.equal("InvalidAccessKeyId", err.code)
    end
  end)

  it("read the summary of an object from its head", function()
    local s3 = aws.resource("s3", OPTS)
    local bucket = s3:create_bucket { Bucket = "one" }
    local put = bucket:put_object { Key = "a/b", Body = "hello" }
    local summary = s3:ObjectSummary("one", "a/b")
    assert.equal(5, summary.size)
    assert.equal(put.e_tag, summary.e_tag)
    assert.is_nil(summary.meta.data.ContentLength)
    assert.is_true(math.abs(summary.last_modified - os.time()) < 3600)
    put:put { Body = "longer text" }
    summary:load()
    assert.equal(11, summary.size)
    local ok, err = pcall(function() return s3:ObjectSummary("one", "none").size end)
    assert.is_false(ok)
    assert.equal("404", err.code)
  end)

  it("tag several resources of EC2 at once and take tags away from an instance", function()
    local ec2 = aws.resource("ec2", OPTS)
    local image = ec2.meta.client:describe_images { Owners = { "amazon" } }.Images[1].ImageId
    local made = ec2:create_instances { ImageId = image, MinCount = 2, MaxCount = 2 }
    local ids = { made[1].id, made[2].id }
    local tags = ec2:create_tags { Resources = ids, Tags = {
      { Key = "name", Value = "x" }, { Key = "team", Value = "y" },
    } }
    local shown = {}
    for i, tag in ipairs(tags) do
      shown[i] = tostring(tag)
    end
    local function tag(id, key, value)
      return ("ec2.Tag(resource_id='%s', key='%s', value='%s')"):format(id, key, value)
    end
    assert.same({
      tag(ids[1], "name", "x"), tag(ids[1], "team", "y"), tag(ids[2], "name", "x"), tag(ids[2], "team", "y"),
    }, shown)
    local params = { Tags = { { Key = "name" } } }
    local answer = made[1]:delete_tags(params)
    assert.equal(200, answer.ResponseMetadata.HTTPStatusCode)
    assert.is_nil(params.Resources)
    made[1]:reload()
    assert.same({ { Key = "team", Value = "y" } }, made[1].tags)
    made[2]:reload()
    assert.equal(2, #made[2].tags)
    local one = made[1]:create_tags { Tags = { { Key = "k", Value = "v" } } }
    assert.equal(tag(ids[1], "k", "v"), tostring(one[1]))
  end)

  it("are there for handlers that add to a class, and for who asks what there is", function()
    local session = aws.session { region_name = "us-east-1" }
    session.events:register("creating-resource-class.s3.Bucket", function(event)
      local load = event.class_attributes.load
      event.class_attributes.load = function(self)
        self.loaded = true
        return load(self)
      end
    end)
    local bucket = session:resource("s3", OPTS):create_bucket { Bucket = "one" }
    assert.is_number(bucket.creation_date)
    assert.is_true(bucket.loaded)
    assert.equal("method", require("luaws.resource").members(bucket).load)
  end)
end)
