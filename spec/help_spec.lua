local aws = require("luaws")
local help = require("luaws.help")
local text = require("luaws.help.text")

aws.setup_default_session({ region_name = "us-east-1", aws_access_key_id = "a", aws_secret_access_key = "s" })
local ec2 = aws.client("ec2")
local env = { ec2 = ec2 }

local function first_line(page)
  return page:match("^[^\n]*")
end

describe("help", function()
  it("explains a service, an operation, a parameter and a resource, however they are named", function()
    local instance = aws.resource("ec2"):Instance("i-1")
    local cases = {
      { "ec2: Amazon Elastic Compute Cloud, API version 2016-11-15", "ec2" },
      { "ec2: Amazon Elastic Compute Cloud, API version 2016-11-15", ec2 },
      { "ec2:describe_vpcs{…}   (DescribeVpcs)", "ec2.describe_vpcs" },
      { "ec2:describe_vpcs{…}   (DescribeVpcs)", "ec2:describe_vpcs" },
      { "ec2:describe_vpcs{…}   (DescribeVpcs)", "ec2.DescribeVpcs" },
      { "ec2:describe_vpcs{…}   (DescribeVpcs)", ec2, "describe_vpcs" },
      { "ec2:describe_vpcs{…}   (DescribeVpcs)", ec2.describe_vpcs },
      { "ec2:describe_vpcs{…}   (DescribeVpcs)", ec2:get_paginator("describe_vpcs") },
      { "ec2.describe_vpcs.Filters   (list of Filter)", "ec2.describe_vpcs.Filters" },
      { "ec2.describe_vpcs.Filters   (list of Filter)", ec2, "describe_vpcs.Filters" },
      { "ec2.describe_vpcs.Filters.Values   (list of string)", "ec2.describe_vpcs.Filters.Values" },
      { "ec2.describe_vpcs.Vpcs.State   (enum)", "ec2.describe_vpcs.Vpcs.State" },
      { "polly.start_speech_synthesis_stream.ActionStream   (stream of events)",
        "polly.start_speech_synthesis_stream.ActionStream" },
      { "ec2.Instance   (resource)", "ec2.Instance" },
      { "ec2.Instance   (resource)", instance },
      { "ec2.Instance.stop, which calls:", "ec2.Instance.stop" },
      { "ec2.Instance.stop, which calls:", instance, "stop" },
      { "ec2.Instance.volumes: a collection of Volume, from:", "ec2.Instance.volumes" },
      { "ec2.Instance.state", "ec2.Instance.state" },
      { "ec2.Vpc   (resource)", "ec2.Instance.vpc" },
      { "help(x) explains a service, an operation, a parameter or a resource:", nil },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[1], first_line(help.text(case[2], case[3], { env = env })))
    end
  end)

  it("tells near names when there is no such thing", function()
    local cases = {
      { "no 'dynamobd'; did you mean 'dynamodb'?", "dynamobd" },
      { "no 'describe_vpccs'; did you mean 'describe_vpcs'?", "ec2.describe_vpccs" },
      { "no 'Filter'; did you mean 'Filters'?", "ec2.describe_vpcs.Filter" },
      { "no 'Nam'; did you mean 'Name'?", "ec2.describe_vpcs.Filters.Nam" },
      { "no 'stopp'; did you mean 'stop'?", "ec2.Instance.stopp" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[1], (first_line(help.text(case[2]))))
    end
    assert.equal("nothing is known of this number; help() tells what there is", help.text(1))
    assert.equal("nothing is known of this function; help() tells what there is", help.text(print))
    assert.equal("aws.async.map is luaws's own: docs/ explains it; help() tells what this knows",
      help.text("aws.async.map"))
  end)

  it("knows the methods of clients that nobody keeps, and those that no model has", function()
    local function method(name)
      return aws.client("s3", { region_name = "us-east-1" })[name]
    end
    assert.equal(help.text("s3.list_parts"), help.text(method("list_parts")))
    local own = "s3:upload_file(…) is a method of luaws's own, which docs/ explains; "
      .. "AWS has no such operation"
    assert.same({ own, own }, { help.text("s3.upload_file"), help.text(method("upload_file")) })
  end)

  it("lists parameters, which of them are required, and what comes back", function()
    local page = help.text("s3.get_object")
    assert.truthy(page:find("\nParameters\n.*  Bucket %* +%(string%) "))
    assert.truthy(page:find("\nReturns\n.*  Body "))
    assert.truthy(page:find("\nErrors\n.*NoSuchKey"))
  end)

  it("lists the values of an enum", function()
    assert.truthy(help.text("ec2.run_instances.Placement.Tenancy"):find("\nValues\n  default +dedicated"))
  end)

  it("keeps to the width, with no HTML left", function()
    for _, topic in ipairs({ "ec2.describe_instances", "ec2.describe_instances.Filters", "s3",
      "s3.put_object", "iam.create_role", "lambda.create_function",
      "dynamodb.query.KeyConditionExpression", "ec2.Instance" }) do
      for _, width in ipairs({ 60, 100 }) do
        local page = help.text(topic, nil, { width = width })
        for _, tag in ipairs({ "p", "ul", "li", "code", "a", "note", "i", "b" }) do
          assert.falsy(page:find("</" .. tag .. ">", 1, true))
        end
        for line in page:gmatch("[^\n]+") do
          assert.is_true(utf8.len(line) <= width or not line:find("%S +%S.* ", 5), line)
        end
      end
    end
  end)

  it("has a page for every operation of every service", function()
    -- One service of each protocol.
    for _, service in ipairs({ "sqs", "sns", "ec2", "s3", "lambda", "cloudwatch" }) do
      local client = aws.client(service)
      for method in pairs(client.meta.method_to_api_mapping) do
        assert.truthy(help.text(client, method):find(method, 1, true))
      end
    end
  end)

  it("offers topics for completion", function()
    local function has(list, wanted)
      for _, name in ipairs(list) do
        if name == wanted then
          return true
        end
      end
      return false
    end
    assert.is_true(has(help.topics("ec"), "ec2"))
    assert.is_true(has(help.topics("ec2."), "ec2.describe_vpcs"))
    assert.is_true(has(help.topics("ec2."), "ec2.Instance"))
    assert.is_true(has(help.topics("ec2.describe_vpcs.Filters."), "ec2.describe_vpcs.Filters.Name"))
    assert.same({}, help.topics("nope.x."))
  end)
end)

describe("documentation as text", function()
  it("is rendered from HTML", function()
    local cases = {
      { "<p>One.</p><p>Two <code>x</code> &lt;three&gt; &amp;.</p>", "One.\n\nTwo x <three> &." },
      { "plain", "plain" },
      { "", "" },
      { "<fullname>Title</fullname><p>Body</p>", "Body" },
      { "<p>List:</p><ul> <li> <p>a</p> </li> <li>b<ul><li>c</li></ul></li></ul><p>end</p>",
        "List:\n\n* a\n* b\n  * c\n\nend" },
      { "<ol><li>a</li><li>b</li></ol>", "1. a\n2. b" },
      { "<note><p>Mind.</p></note>", "Note: Mind." },
      { "<dl><dt>t</dt><dd>d</dd></dl>", "t\n\n  d" },
      { "<p>see <a href=\"http://x\">the page</a>.</p>", "see the page." },
      { "a&#x2028;b &#150; &unknown; &#0;c", "a b – &unknown; c" },
      { "1 < 2 and <b>bold", "1 < 2 and bold" },
      { "</ul></li></dd><p>x", "x" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], text.render(case[1], 78))
    end
    local long = "<ul><li>" .. ("word "):rep(9) .. "</li></ul>"
    assert.equal("  * word word word word\n    word word word word\n    word", text.render(long, 24, 2))
  end)

  it("begins with a sentence", function()
    local cases = {
      { "<p>One thing. Another.</p>", "One thing." },
      { "<p>Some, e.g. this one. More.</p>", "Some, e.g. this one." },
      { "<p>Version 1.2 of it</p><p>x</p>", "Version 1.2 of it" },
      { "", "" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], text.first_sentence(case[1]))
    end
  end)
end)
