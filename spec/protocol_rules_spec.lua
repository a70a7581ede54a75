-- Rules of AWS's published protocols (smithy.io), those in which botocore goes another way among them, as
-- tables of cases for each protocol: what is sent for parameters, and what is read from an answer. The
-- service is one of the spec's own, with the same operation in every protocol.
local aws = require("luaws")
local child = require("spec.support.child")
local cjson = require("cjson")
local merged = require("spec.support.merged")

local function member(shape, more)
  local m = { shape = shape }
  for name, value in pairs(more or {}) do
    m[name] = value
  end
  return m
end

local function header(shape, name)
  return member(shape, { location = "header", locationName = name })
end

local function query(shape, name)
  return member(shape, { location = "querystring", locationName = name })
end

-- Members of the body; those of REST's other places come on top.
local BODY = {
  Text = member("String"), Number = member("Integer"), Big = member("Long"), Real = member("Double"),
  Small = member("Float"), Flag = member("Boolean"), Bytes = member("Blob"), Time = member("Timestamp"),
  HttpDate = member("HttpDate"), DateTime = member("DateTime"), Epoch = member("Epoch"),
  List = member("Strings"), Sparse = member("SparseStrings"), Map = member("StringMap"),
  SparseMap = member("SparseMap"), Choice = member("Choice"), Nested = member("Nested"),
  Flat = member("FlatStrings"), FlatMap = member("FlatMap"), Named = member("String",
    { locationName = "Renamed" }),
}
local PLACES = {
  H = header("String", "X-Text"), HList = header("Strings", "X-List"), HNumbers = header("Integers",
    "X-Numbers"),
  HFlags = header("Booleans", "X-Flags"), HTime = header("Timestamp", "X-Time"),
  HTimes = header("Timestamps", "X-Times"), HIso = header("DateTime", "X-Iso"), HEpoch = header("Epoch",
    "X-Epoch"),
  HReal = header("Double", "X-Real"), Prefixed = member("StringMap", { location = "headers",
    locationName = "X-Pre-" }),
}
local INPUT_PLACES = {
  Label = member("String", { location = "uri", locationName = "Label" }), Q = query("String", "q"),
  QList = query("Strings", "ql"), QTime = query("Timestamp", "qt"), QReal = query("Double", "qr"),
  QMap = member("StringMap", { location = "querystring" }), QFlag = query("Boolean", "qf"),
}

local function model(protocol, rest)
  local input = rest and merged(BODY, PLACES, INPUT_PLACES) or BODY
  local function list(shape, more)
    return merged({ type = "list", member = member(shape) }, more or {})
  end
  local strings = { type = "map", key = member("String"), value = member("String") }
  return {
    version = "2.0",
    metadata = { apiVersion = "2020-01-01", endpointPrefix = "rules", protocol = protocol,
      protocols = { protocol }, jsonVersion = "1.1", targetPrefix = "Rules", serviceId = "Rules",
      serviceFullName = "Rules", signatureVersion = "v4", signingName = "rules", uid = "rules-2020-01-01",
      xmlNamespace = "urn:rules" },
    operations = { Do = { name = "Do", http = { method = "POST", requestUri = rest and "/do/{Label}" or "/" },
      input = { shape = "In", locationName = "In" }, errors = { { shape = "Mine" } },
      output = { shape = "Out", resultWrapper = protocol == "query" and "DoResult" or nil } } },
    shapes = {
      In = { type = "structure", members = input, required = rest and { "Label" } or nil },
      Out = { type = "structure", members = rest and merged(BODY, PLACES) or BODY },
      Mine = { type = "structure", members = { Why = member("String") }, exception = true },
      String = { type = "string" }, Integer = { type = "integer" }, Long = { type = "long" },
      Double = { type = "double" }, Float = { type = "float" }, Boolean = { type = "boolean" },
      Blob = { type = "blob" }, Timestamp = { type = "timestamp" },
      HttpDate = { type = "timestamp", timestampFormat = "rfc822" },
      DateTime = { type = "timestamp", timestampFormat = "iso8601" },
      Epoch = { type = "timestamp", timestampFormat = "unixTimestamp" },
      Strings = list("String"), Integers = list("Integer"), Booleans = list("Boolean"),
      Timestamps = list("Timestamp"), SparseStrings = list("String", { sparse = true }),
      FlatStrings = { type = "list", member = member("String", { locationName = "Item" }), flattened = true },
      StringMap = strings, SparseMap = merged(strings, { sparse = true }),
      FlatMap = merged(strings, { flattened = true }),
      Choice = { type = "structure", union = true, members = { Text = member("String"),
        Other = member("Integer") } },
      Nested = { type = "structure", members = { Text = member("String"), Nested = member("Nested"),
        List = member("Strings") } },
    },
  }
end

local NAMES = { json = "rulesjson", ["rest-json"] = "rulesrestjson", ["rest-xml"] = "rulesrestxml",
  query = "rulesquery", ec2 = "rulesec2" }
local NOTHING = cjson.null
local THEN, FRACTION = 1576540098, 946845296.456 -- 2019-12-16T23:48:18Z, 2000-01-02T20:34:56.456Z

-- { rule, parameters, what of the request is looked at }: body (an object of JSON, or text that it has),
-- headers, path, query; `no` lists headers that must not be there.
local REQUESTS = {
  ["rest-json"] = {
    { "items of a header's list with commas or quotes are quoted", { HList = { "a", "b,c", 'd"e', "f\\g" } },
      headers = { ["x-list"] = [[a, "b,c", "d\"e", f\g]] } },
    { "numbers and booleans of a header's list are joined", { HNumbers = { 1, -2 }, HFlags = { true,
      false } },
      headers = { ["x-numbers"] = "1, -2", ["x-flags"] = "true, false" } },
    { "a header's time is a date of HTTP, also in lists", { HTime = THEN, HTimes = { THEN, THEN } },
      headers = {
      ["x-time"] = "Mon, 16 Dec 2019 23:48:18 GMT",
      ["x-times"] = "Mon, 16 Dec 2019 23:48:18 GMT, Mon, 16 Dec 2019 23:48:18 GMT" } },
    { "a header's time has the format that the model gives", { HIso = THEN, HEpoch = THEN },
      headers = { ["x-iso"] = "2019-12-16T23:48:18Z", ["x-epoch"] = "1576540098" } },
    { "an empty list is no header", { HList = {} }, no = { "x-list" } },
    { "numbers that are none are words in headers and queries", { HReal = 1 / 0, QReal = -1 / 0 },
      headers = { ["x-real"] = "Infinity" }, query = "qr=-Infinity" },
    { "a time in the query is in ISO 8601", { QTime = THEN }, query = "qt=2019-12-16T23%3A48%3A18Z" },
    { "a list in the query repeats its name, a boolean is a word", { QList = { "a b", "c&d" },
      QFlag = false },
      query = "qf=false&ql=a%20b&ql=c%26d" },
    { "a parameter of the model wins over one of a map in the query", { Q = "mine", QMap = { q = "map",
      z = "1" } },
      query = "q=mine&z=1" },
    { "what a label holds is encoded, but what may stand as it is", { Label = "a/b c~-._é%" },
      path = "/do/a%2Fb%20c~-._%C3%A9%25" },
    { "times in the body are seconds, unless the model says otherwise",
      { Time = THEN, HttpDate = THEN, DateTime = THEN, Epoch = THEN },
      body = { Time = THEN, HttpDate = "Mon, 16 Dec 2019 23:48:18 GMT", DateTime = "2019-12-16T23:48:18Z",
        Epoch = THEN } },
    { "numbers that are none are words", { Real = 1 / 0, Small = -1 / 0 },
      body = { Real = "Infinity", Small = "-Infinity" } },
    { "sparse lists and maps keep their nulls", { Sparse = { "a", NOTHING }, SparseMap = { x = NOTHING } },
      body = { Sparse = { "a", NOTHING }, SparseMap = { x = NOTHING } } },
    { "members of structures that are null are left out", { Nested = { Text = NOTHING, List = { "a" } } },
      unchecked = true, body = { Nested = { List = { "a" } } } },
    { "blobs are in base64, members have their names on the wire", { Bytes = "\0\xFF", Named = "n" },
      body = { Bytes = "AP8=", Renamed = "n" } },
    { "headers of a map have their prefix", { Prefixed = { A = "1", ["b-C"] = "2" } },
      headers = { ["x-pre-a"] = "1", ["x-pre-b-c"] = "2" } },
  },
  ["rest-xml"] = {
    { "times in the body are in ISO 8601, unless the model says otherwise",
      { Time = THEN, HttpDate = THEN, Epoch = THEN }, body = { "<Time>2019-12-16T23:48:18Z</Time>",
        "<HttpDate>Mon, 16 Dec 2019 23:48:18 GMT</HttpDate>", "<Epoch>1576540098</Epoch>" } },
    { "numbers that are none are words", { Real = 0 / 0, Small = -1 / 0 },
      body = { "<Real>NaN</Real>", "<Small>-Infinity</Small>" } },
    { "lists have members, flattened ones do not", { List = { "a", "b" }, Flat = { "c", "d" } }, body = {
      "<List><member>a</member><member>b</member></List>", "<Flat>c</Flat><Flat>d</Flat>" } },
    { "maps have entries, flattened ones do not", { Map = { k = "v" }, FlatMap = { k = "v" } }, body = {
      "<Map><entry><key>k</key><value>v</value></entry></Map>",
        "<FlatMap><key>k</key><value>v</value></FlatMap>" } },
    { "a null member does not end its structure", { Nested = { List = { "a" }, Text = NOTHING } },
      unchecked = true, body = { "<Nested><List><member>a</member></List></Nested>" } },
    { "line ends and markup in text are escaped", { Text = "<&>\r\n" },
      body = { "<Text>&lt;&amp;&gt;&#13;&#10;</Text>" } },
    { "members have their names on the wire", { Named = "n" }, body = { "<Renamed>n</Renamed>" } },
    { "items of a header's list with commas or quotes are quoted", { HList = { "a", "b,c", 'd"e' } },
      headers = { ["x-list"] = [[a, "b,c", "d\"e"]] } },
  },
  query = {
    { "lists are counted from one below `member`, flattened ones by their own name",
      { List = { "a b", "c" }, Flat = { "d" } }, body = { "List.member.1=a+b", "List.member.2=c",
        "Item.1=d" } },
    { "an empty list is told", { List = {} }, body = { "List=" } },
    { "maps have numbered entries, flattened ones none of that name", { Map = { k = "v" },
      FlatMap = { x = "y" } },
      body = { "Map.entry.1.key=k", "Map.entry.1.value=v", "FlatMap.1.key=x", "FlatMap.1.value=y" } },
    { "times are in ISO 8601, unless the model says otherwise", { Time = THEN, Epoch = THEN,
      HttpDate = THEN },
      body = { "Time=2019-12-16T23%3A48%3A18Z", "Epoch=1576540098",
        "HttpDate=Mon%2C+16+Dec+2019+23%3A48%3A18+GMT" } },
    { "numbers that are none are words", { Real = 0 / 0, Small = 1 / 0 }, body = { "Real=NaN",
      "Small=Infinity" } },
    { "structures join their names with dots", { Nested = { Nested = { Text = "t" } } },
      body = { "Nested.Nested.Text=t" } },
  },
  ec2 = {
    { "lists have no level of their own and names begin in upper case", { List = { "a" }, Named = "n" },
      body = { "List.1=a", "Renamed=n" } },
    { "blobs, times and numbers that are none", { Bytes = "\xFF", Time = THEN, Real = -1 / 0 },
      body = { "Bytes=%2Fw%3D%3D", "Time=2019-12-16T23%3A48%3A18Z", "Real=-Infinity" } },
  },
  json = {
    { "times are seconds, unless the model says otherwise", { Time = THEN, DateTime = THEN, HttpDate = THEN },
      body = { Time = THEN, DateTime = "2019-12-16T23:48:18Z", HttpDate = "Mon, 16 Dec 2019 23:48:18 GMT" } },
    { "sparse lists and maps keep their nulls", { Sparse = { NOTHING }, SparseMap = { x = NOTHING,
      y = "z" } },
      body = { Sparse = { NOTHING }, SparseMap = { x = NOTHING, y = "z" } } },
    { "numbers that are none are words", { Real = 1 / 0 }, body = { Real = "Infinity" } },
    { "no parameters are an empty object", {}, body = {} },
  },
}

-- { rule, answer (a body, or a table), what is read }; or an error: { code, message, Why }.
local ANSWERS = {
  ["rest-json"] = {
    { "items of a header's list may be quoted", { headers = { ["X-List"] = [["b,c", "\"def\"", a]] } },
      { HList = { "b,c", '"def"', "a" } } },
    { "dates of a header's list have commas of their own", { headers = {
      ["X-Times"] = "Mon, 16 Dec 2019 23:48:18 GMT, Mon, 16 Dec 2019 23:48:18 GMT" } }, { HTimes = { THEN,
        THEN } } },
    { "numbers and booleans come out of headers", { headers = { ["X-Numbers"] = "1,2, 3",
      ["X-Flags"] = "true, false",
      ["X-Real"] = "-Infinity" } }, { HNumbers = { 1, 2, 3 }, HFlags = { true, false }, HReal = -1 / 0 } },
    { "times keep their fractions", '{"DateTime":"2000-01-02T20:34:56.456Z",'
      .. '"HttpDate":"Sun, 02 Jan 2000 20:34:56.456 GMT","Time":946845296.456}',
      { DateTime = FRACTION, HttpDate = FRACTION, Time = FRACTION } },
    { "times have offsets", '{"DateTime":"2019-12-16T22:48:18-01:00"}', { DateTime = THEN } },
    { "sparse lists and maps keep their nulls, structures do not",
      '{"Sparse":[null,"a"],"SparseMap":{"x":null},"Text":null}',
      { Sparse = { NOTHING, "a" }, SparseMap = { x = NOTHING } } },
    { "numbers that are none are words", '{"Real":"NaN","Small":"Infinity"}', { Real = 0 / 0,
      Small = 1 / 0 } },
    { "a union ignores __type and nulls", '{"Choice":{"__type":"x","Other":null,"Text":"t"}}',
      { Choice = { Text = "t" } } },
    { "integers have 64 bits", '{"Big":9007199254740993}', { Big = 9007199254740993 } },
    { "headers of a map lose their prefix", { headers = { ["X-Pre-A"] = "1", ["X-Pre-B"] = "2" } },
      { Prefixed = { a = "1", b = "2" } } },
    { "members that nobody knows are skipped", '{"Unknown":[{"a":[1]}],"Text":"t"}', { Text = "t" } },
    { "the type of an error is told in a header, before a colon and behind a hash", { status = 400,
      headers = { ["X-Amzn-Errortype"] = "rules#Mine:http://example.com/" },
        body = '{"Why":"w","message":"m"}' },
      error = { "Mine", "m", "w" } },
    { "or as code in the body", { status = 400, body = '{"code":"rules#Mine:http://x","Message":"m"}' },
      error = { "Mine", "m" } },
    { "or as __type", { status = 400, body = '{"__type":"rules#Mine","message":"m"}' }, error = { "Mine",
      "m" } },
  },
  ["rest-xml"] = {
    { "namespaces and comments mean nothing",
      '<Out xmlns="urn:x"><!-- c --><x:Text xmlns:x="urn:y">t</x:Text></Out>',
      { Text = "t" } },
    { "times keep their fractions and have offsets", "<Out><DateTime>2019-12-16T22:48:18-01:00</DateTime>"
      .. "<Time>2000-01-02T20:34:56.456Z</Time><HttpDate>Sun, 02 Jan 2000 20:34:56.456 GMT</HttpDate></Out>",
      { DateTime = THEN, Time = FRACTION, HttpDate = FRACTION } },
    { "numbers that are none are words", "<Out><Real>NaN</Real><Small>-Infinity</Small></Out>",
      { Real = 0 / 0, Small = -1 / 0 } },
    { "lists and maps, flattened and not", "<Out><List><member>a</member></List><Flat>b</Flat><Flat>c</Flat>"
      .. "<Map><entry><key>k</key><value>v</value></entry></Map><FlatMap><key>x</key><value>y</value>"
      .. "</FlatMap></Out>",
      { List = { "a" }, Map = { k = "v" }, FlatMap = { x = "y" }, Flat = { "b", "c" } } },
    { "empty elements are empty text, lists and maps", "<Out><Text/><List/><Map></Map></Out>",
      { Text = "", List = {}, Map = {} } },
    { "an error may be alone or in a response", { status = 400,
      body = "<ErrorResponse><Error><Code>Mine</Code>"
      .. "<Message>m</Message><Why>w</Why></Error></ErrorResponse>" }, error = { "Mine", "m", "w" } },
  },
  query = {
    { "the result is in its wrapper",
      "<DoResponse xmlns='urn:x'><DoResult><Text>t</Text><List><member>a</member></List>"
      .. "<Item>b</Item></DoResult><ResponseMetadata><RequestId>i</RequestId></ResponseMetadata>"
      .. "</DoResponse>",
      { Text = "t", List = { "a" }, Flat = { "b" } } },
    { "times keep their fractions", "<R><DoResult><Time>2000-01-02T20:34:56.456Z</Time></DoResult></R>",
      { Time = FRACTION } },
    { "an error is in its response", { status = 400,
      body = "<ErrorResponse><Error><Type>Sender</Type><Code>Mine</Code>"
      .. "<Message>m</Message><Why>w</Why></Error></ErrorResponse>" }, error = { "Mine", "m", "w" } },
  },
  ec2 = {
    { "the result is the response itself",
      "<R><Text>t</Text><List><member>a</member></List><requestId>i</requestId></R>",
      { Text = "t", List = { "a" } } },
    { "an error is one of several", { status = 400,
      body = "<Response><Errors><Error><Code>Mine</Code>"
      .. "<Message>m</Message>"
      .. "</Error></Errors></Response>" }, error = { "Mine", "m" } },
  },
  json = {
    { "the type of an error is told in a header", { status = 400,
      headers = { ["x-amzn-errortype"] = "Mine" }, body = "{}" }, error = { "Mine", "" } },
    { "or as code in the body", { status = 400, body = '{"code":"Mine","message":"m"}' }, error = { "Mine",
      "m" } },
    { "or as __type, with a namespace and an address", { status = 400,
      body = '{"__type":"rules#Mine:http://x","Message":"m","Why":"w"}' }, error = { "Mine", "m", "w" } },
    { "sparse lists and maps keep their nulls", '{"Sparse":[null],"SparseMap":{"x":null},"Nested":null}',
      { Sparse = { NOTHING }, SparseMap = { x = NOTHING } } },
    { "times are told in any of their forms", '{"Time":1576540098,"Epoch":"2019-12-16T23:48:18Z"}',
      { Time = THEN, Epoch = THEN } },
  },
}

local function same(a, b)
  if type(a) == "table" and type(b) == "table" then
    for name in pairs(merged(a, b)) do
      if not same(a[name], b[name]) then
        return false
      end
    end
    return true
  end
  return a == b or a ~= a and b ~= b
end

describe("the published protocol", function()
  local folder, session
  setup(function()
    folder = child.output({ "mktemp", "-d" }):gsub("\n", "")
    for protocol, name in pairs(NAMES) do
      local path = folder .. "/" .. name .. "/2020-01-01"
      child.output{ "mkdir", "-p", path }
      local file <close> = assert(io.open(path .. "/service-2.json", "w"))
      file:write(cjson.encode(model(protocol, protocol:find("rest") ~= nil)))
    end
    session = aws.session{ data_path = folder, region_name = "us-east-1", aws_access_key_id = "a",
      aws_secret_access_key = "s", _env = {}, _home = "/nowhere" }
  end)
  teardown(function()
    child.output{ "rm", "-rf", folder }
  end)

  -- What is sent, and what comes of the answer.
  local function exchange(protocol, params, answer, unchecked)
    local client = session:client(NAMES[protocol], { endpoint_url = "http://rules.example.com",
      config = { retries = { total_max_attempts = 1 }, parameter_validation = not unchecked } })
    local seen
    client.meta.events:register("before-send", function(event)
      seen = { url = event.request.url, body = event.request.body or "", headers = {} }
      for name, value in pairs(event.request.headers) do
        seen.headers[name:lower()] = value
      end
      return { status_code = answer.status or 200, headers = answer.headers or {}, body = answer.body or "" }
    end)
    if protocol:find("rest") then
      params = merged({ Label = "x" }, params)
    end
    local result, err = client.try["do"](client.try, params)
    seen = seen or error(tostring(err), 0)
    seen.path, seen.query = seen.url:match("^https?://[^/]+([^?]*)%??(.*)$")
    return seen, result, err
  end

  local EMPTY = { query = "<R><DoResult/></R>", ec2 = "<R/>", ["rest-xml"] = "<R/>" }

  for protocol, cases in pairs(REQUESTS) do
    for _, case in ipairs(cases) do
      it("of requests in " .. protocol .. ": " .. case[1], function()
        local seen = exchange(protocol, case[2], { body = EMPTY[protocol] or "{}" }, case.unchecked)
        for name, value in pairs(case.headers or {}) do
          assert.equal((value:gsub(", ", ",")), (seen.headers[name]:gsub(", ", ",")))
        end
        for _, name in ipairs(case.no or {}) do
          assert.is_nil(seen.headers[name])
        end
        assert.equal(case.path or seen.path, seen.path)
        if case.query then
          local parts = {}
          for part in seen.query:gmatch("[^&]+") do
            parts[#parts + 1] = part
          end
          table.sort(parts)
          assert.equal(case.query, table.concat(parts, "&"))
        end
        if not case.body then
          return
        elseif protocol:find("json") then
          assert.is_true(same(case.body, cjson.decode(seen.body)), seen.body)
        else
          for _, part in ipairs(case.body) do
            local whole = protocol:find("xml") and seen.body or "&" .. seen.body .. "&"
            assert.matches(protocol:find("xml") and part or "&" .. part .. "&", whole, 1, true)
          end
        end
      end)
    end
  end

  for protocol, cases in pairs(ANSWERS) do
    for _, case in ipairs(cases) do
      it("of answers in " .. protocol .. ": " .. case[1], function()
        local answer = type(case[2]) == "string" and { body = case[2] } or case[2]
        answer.body = answer.body or EMPTY[protocol] or "{}"
        local _, result, err = exchange(protocol, {}, answer)
        if case.error then
          assert.same(case.error, { err.code, err.message, err.response.Why })
          assert.is_true(err:is("Mine"))
          return
        end
        assert.is_nil(err)
        result.ResponseMetadata = nil
        if result.Prefixed and not next(result.Prefixed) then
          result.Prefixed = nil -- is always there
        end
        assert.is_true(same(case[3], result), aws.pretty(result))
      end)
    end
  end
end)
