-- A method that is called with "." in place of ":" says so, whatever it belongs to.
local aws = require("luaws")

local OPTS = {
  region_name = "us-east-1", endpoint_url = "http://127.0.0.1:1", aws_access_key_id = "a",
  aws_secret_access_key = "b",
}
local session = aws.session{ region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "b" }

local function dummy() end

-- What has methods, its name in the message, and some of those.
local OBJECTS = {
  { session, "session", { "client", "resource", "get_credentials", "get_available_regions",
    "get_available_services", "get_config_variable", "resolve_endpoint", "sign_request" } },
  { aws.client("s3", OPTS), "client", { "get_waiter", "get_paginator", "can_paginate", "close",
    "generate_presigned_url", "generate_presigned_post", "upload_file", "download_fileobj", "copy" } },
  { aws.client("s3", OPTS).try, "client.try", { "list_buckets", "head_object", "get_waiter" } },
  { aws.client("s3", OPTS).meta.service_model, "service_model", { "operation", "operation_names", "shape" } },
  { aws.client("rds", OPTS), "client", { "generate_db_auth_token" } },
  { aws.client("s3", OPTS):get_paginator("list_buckets"):paginate(), "pages",
    { "search", "build_full_result", "result_key_iters" } },
  { aws.client("s3", OPTS).meta.events, "events",
    { "register", "register_first", "register_last", "unregister" } },
  { aws.stubber(aws.client("s3", OPTS)), "stubber", { "activate", "add_response", "add_client_error" } },
  { aws.resource("s3", OPTS):Bucket("b"), "object", { "load", "upload_file", "sync", "delete", "Object",
    "wait_until_exists", "get_available_subresources" } },
  { aws.resource("ec2", OPTS), "object", { "create_tags" } },
  { aws.resource("s3", OPTS):Bucket("b").objects, "collection", { "all", "filter", "delete" } },
  { aws.resource("dynamodb", OPTS):Table("t"), "object", { "batch_writer", "put_item" } },
  { aws.dynamodb.set{ "a" }, "set", { "contains", "values", "add" } },
  { aws.dynamodb.number(("1"):rep(30)), "number", { "to_number" } },
  { session:get_component("credential_provider"), "chain", { "names", "insert_before", "remove" } },
  { session:get_credentials(), "credentials", { "get_frozen_credentials" } },
  { aws.jmespath.compile("a"), "expression", { "search" } },
  { aws.cloudfront_signer("K", dummy), "signer", { "build_policy", "generate_presigned_url" } },
  { aws.async.spawn(dummy), "task", { "await", "cancel", "done" } },
  { aws.errors.new("ValueError", "x"), "err", { "is" } },
}

describe("a method that is called with a dot", function()
  for _, case in ipairs(OBJECTS) do
    local object, noun = case[1], case[2]
    for _, name in ipairs(case[3]) do
      it(("says so: %s.%s"):format(noun, name), function()
        for _, argument in ipairs{ "x", {}, false } do
          local ok, err = pcall(object[name], argument or nil)
          assert.is_false(ok)
          local text = err.message:match("^[^({]+")
          assert.same({ "TypeError", ("%s is a method: call it as %s:%s"):format(name, noun, name) },
            { err.kind, text })
        end
      end)
    end
  end

  it("says so where the object is the core's", function()
    local s3, writer = aws.client("s3", OPTS), aws.event_writer()
    local stub <close> = aws.stubber(s3)
    stub:add_response("get_object", { Body = "text" })
    stub:activate()
    local body <close> = s3:get_object{ Bucket = "b", Key = "k" }.Body
    local methods = {
      ["a client"] = s3.list_buckets, ["an event writer"] = writer.send, ["a body"] = body.read,
    }
    for noun, method in pairs(methods) do
      local text = noun .. " was expected, not a %s; call its methods with ':'"
      local ok, err = pcall(method, "x")
      assert.same({ false, text:format("string") }, { ok, err.message })
      ok, err = pcall(method)
      assert.same({ false, text:format("nil") }, { ok, err.message })
    end
  end)
end)
