-- The table of settings: in the core, in docs/settings.md, and as scripts ask and change it.
local aws = require("luaws")
local child = require("spec.support.child")
local core = require("luaws.core")
local machine = require("spec.support.machine")

local raised = machine.raised

describe("docs/settings.md", function()
  local text = machine.read("docs/settings.md")

  -- "| `a`, `b` `c` | … |" → { "a", "b c" }
  local function cell_items(cell)
    local items = {}
    for item in cell:gmatch("[^,]+") do
      local words = {}
      for word in item:gmatch("`([^`]*)`") do
        words[#words + 1] = word
      end
      items[#items + 1] = #words > 0 and table.concat(words, " ") or nil
    end
    return items
  end

  it("lists the variables that there are, where they are looked for, and their defaults", function()
    local documented, known = {}, {}
    for name, key, env, default in text:match("## Variables(.-)\n## "):gmatch(
      "\n| `([%w_.]+)` |([^|]*)|([^|]*)|([^|]*)|") do
      documented[#documented + 1] = { name = name, keys = cell_items(key), env = cell_items(env),
        default = cell_items(default)[1] }
    end
    for i, row in ipairs(core.settings_table()) do
      local key = row.block and row.block .. " " .. row.file_key or row.file_key
      known[i] = { name = row.name, keys = row.profile_key and { row.profile_key, key } or { key },
        env = row.env, default = row.default }
    end
    assert.same(known, documented)
  end)

  it("names every variable of the environment that the source does", function()
    local names = child.output{ "sh", "-c", "grep -rhoE "
      .. [['"(AWS|BOTO|BOTOCORE|LUAWS|REQUESTS|NO|XDG|LUA)_[A-Z0-9_]+"' src bindings lua | sort -u]] }
    local count = 0
    for name in names:gmatch('"([%w_]+)"') do
      local documented = text:find("`" .. name, 1, true) or name == "LUA_NOENV" -- the inside of -E
      assert(documented, name .. " is not documented")
      count = count + 1
    end
    assert.is_true(count > 50)
  end)
end)

describe("a setting", function()
  local FILE = "[default]\nregion = eu-north-1\nmax_attempts = 4\ns3 =\n  addressing_style = path\n"

  it("is looked for in the places asked for", function()
    local w <close> = machine.new(FILE, { AWS_DEFAULT_REGION = "us-west-1", AWS_MAX_ATTEMPTS = "7",
      AWS_S3_USE_ARN_REGION = "true" })
    local s = w.session{ region_name = "eu-west-3" }
    for _, case in ipairs{
      { "region", nil, "eu-west-3" },
      { "region", { "instance" }, "eu-west-3" },
      { "region", { "env" }, "us-west-1" },
      { "region", { "config" }, "eu-north-1" },
      { "region", { "config", "env" }, "us-west-1" },
      { "region", {}, nil },
      { "max_attempts", { "env" }, 7 },
      { "max_attempts", { "config" }, 4 },
      { "max_attempts", { "instance" }, nil },
      { "retry_mode", { "instance" }, "standard" },
      { "s3", nil, { addressing_style = "path", use_arn_region = true } },
      { "s3", { "config" }, { addressing_style = "path" } },
      { "s3", { "env" }, { use_arn_region = true } },
      { "s3.addressing_style", nil, "path" },
      { "csm_client_id", nil, "" },
      { "nope", nil, nil },
    } do
      assert.same(case[3], s:get_config_variable(case[1], case[2]), case[1])
    end
    local err = raised(s.get_config_variable, s, "region", { "file" })
    assert.equal("ValueError", err.kind)
    assert.matches("'file'", err.message, 1, true)
  end)

  it("can be set in code, and taken back", function()
    local w <close> = machine.new(FILE, { AWS_RETRY_MODE = "adaptive" })
    local s = w.session()
    s:set_config_variable("retry_mode", "legacy")
    s:set_config_variable("max_attempts", 9)
    s:set_config_variable("use_fips_endpoint", true)
    s:set_config_variable("s3.addressing_style", "virtual")
    local config = s:client("s3", { region_name = "us-east-2" }).meta.config
    assert.same({ "legacy", 9, true, "virtual" }, { config.retries.mode, config.retries.total_max_attempts,
      config.use_fips_endpoint, config.s3.addressing_style })
    assert.equal(9, s:get_config_variable("max_attempts"))
    assert.equal("argument", s:explain().settings.max_attempts.source)
    s:set_config_variable("retry_mode", nil)
    s:set_config_variable("max_attempts", aws.null)
    assert.equal("adaptive", s:get_config_variable("retry_mode"))
    assert.equal(4, s:get_config_variable("max_attempts"))
  end)

  it("cannot be set when there is none of that name, or it is settled", function()
    local w <close> = machine.new(FILE)
    local s = w.session()
    for _, case in ipairs{
      { "ValueError", "retry_mod: there is no such variable", "retry_mod", "legacy" },
      { "ValueError", "s3: only a file can hold a block", "s3", "x" },
      { "ValueError", "profile: that is settled", "profile", "x" },
      { "ValueError", "config_file: that is settled", "config_file", "x" },
      { "TypeError", "retry_mode cannot be a table", "retry_mode", {} },
    } do
      local err = raised(s.set_config_variable, s, case[3], case[4])
      assert.equal(case[1], err.kind)
      assert.matches(case[2], err.message, 1, true)
    end
    s:set_config_variable("max_attempts", "many")
    assert.matches("argument", raised(s.client, s, "sts").advice, 1, true)
  end)
end)

describe("a file of settings that nobody would write", function()
  it("is understood as by botocore, or refused as there", function()
    -- scripts/ini-fuzz without a seed makes up thousands.
    local said = child.output{ "sh", "-c", "python3 scripts/ini-fuzz 150 7 || true" }
    assert.matches("150 pairs of files, %d+ refused by botocore, 0 not understood alike\n$", said)
  end)
end)
