local fake = require("spec.support.fake_client")
package.loaded["luaws.core"] = fake.core
local resource = require("luaws.resource")
local zoo = require("spec.support.zoo")

local ALIVE = { Name = "alive", Values = { "true" } }

-- Three pages: a b, c d, e.
local function birds(method, params)
  if method ~= "list_birds" then
    return { From = method }
  end
  local rows = {
    [0] = { Birds = { { BirdId = "a" }, { BirdId = "b" } }, Next = "1" },
    { Birds = { { BirdId = "c" }, { BirdId = "d" } }, Next = "2" },
    { Birds = { { BirdId = "e" } } },
  }
  return rows[math.tointeger(tonumber(params.Token or 0))]
end

local function open(answer)
  local session = zoo.session(answer or birds)
  local service = resource.open(session, "zoo")
  return service, session.clients[1]
end

local function ids(collection)
  local out = {}
  for bird in collection do
    out[#out + 1] = bird[bird.meta.identifiers[1]]
  end
  return table.concat(out)
end

local function sizes(collection)
  local out = {}
  for page in collection:pages() do
    out[#out + 1] = #page
  end
  return out
end

describe("collection", function()
  it("goes through all pages, with the data of each object where the model says so", function()
    local service, client = open()
    local sought = {}
    for bird in service.birds:all() do
      sought[#sought + 1] = bird.meta.data.BirdId
      assert.equal(client, bird.meta.client)
    end
    assert.equal("abcde", table.concat(sought))
    assert.same({
      { "list_birds", { Filters = { ALIVE } } },
      { "list_birds", { Filters = { ALIVE }, Token = "1" } },
      { "list_birds", { Filters = { ALIVE }, Token = "2" } },
    }, client.calls)
  end)

  it("can be iterated twice, within itself, and left early", function()
    local all = open().birds:all()
    assert.equal("abcde", ids(all))
    assert.equal("abcde", ids(all))
    local seen = {}
    for outer in all do
      for inner in all do
        seen[#seen + 1] = outer.id .. inner.id
        if inner.id == "b" then
          break
        end
      end
    end
    assert.equal("aa ab ba bb ca cb da db ea eb", table.concat(seen, " "))
  end)

  it("fetches a page only when the loop gets there", function()
    local service, client = open()
    local all = service.birds:all()
    assert.equal(0, #client.calls)
    local first = all(nil, nil)
    all(nil, first)
    assert.equal(1, #client.calls)
  end)

  it("does not change when something is made of it", function()
    local service, client = open()
    local base = service.birds:filter {
      Filters = { { Name = "size" } }, Zone = "z", Deep = { A = { 1 }, B = 2 },
    }
    local one = base:filter { Filters = { { Name = "home" } }, Zone = "y", Deep = { A = { 3 } } }
    for _, collection in ipairs { base, one, base } do
      collection(nil, nil)
    end
    assert.same({
      { "list_birds", { Filters = { ALIVE, { Name = "size" } }, Zone = "z", Deep = { A = { 1 }, B = 2 } } },
      { "list_birds", { Filters = { ALIVE, { Name = "size" }, { Name = "home" } }, Zone = "y",
        Deep = { A = { 3 }, B = 2 } } },
    }, { client.calls[1], client.calls[2] })
    assert.same(client.calls[1], client.calls[3])
  end)

  it("stops at its limit and asks for pages of its size", function()
    local service, client = open()
    assert.equal("abc", ids(service.birds:limit(3)))
    assert.equal(2, #client.calls)
    assert.equal("a", ids(service.birds:page_size(50):limit(1)))
    assert.same({ "list_birds", { Filters = { ALIVE }, Max = 50 } }, client.calls[3])
    assert.same({ 2, 1 }, sizes(service.birds:limit(3)))
    assert.same({ 2, 2, 1 }, sizes(service.birds))
  end)

  it("makes one request for a limit of nothing", function()
    local service, client = open()
    assert.equal("", ids(service.birds:limit(0)))
    assert.equal(1, #client.calls)
  end)

  it("calls once where the operation has no pages, and still keeps the limit", function()
    local service, client = open(function() return { Cages = { "x", "y", "z" } } end)
    assert.equal("xyz", ids(service.cages:page_size(2)))
    assert.equal("xy", ids(service.cages:limit(2)))
    assert.equal("", ids(service.cages:limit(0)))
    assert.same({ { "list_cages", {} }, { "list_cages", {} }, { "list_cages", {} } }, client.calls)
  end)

  it("is empty for an answer that has nothing", function()
    local service = open(function() return {} end)
    assert.equal("", ids(service.birds:all()))
    assert.equal("", ids(service.cages:all()))
  end)

  it("does a batch action once for each page", function()
    local service, client = open()
    assert.same({ { From = "feed_birds" }, { From = "feed_birds" }, { From = "feed_birds" } },
      service.birds:feed { Food = "seed" })
    assert.same({ "feed_birds", { Meals = { { BirdId = "a" }, { BirdId = "b" } }, Food = "seed" } },
      client.calls[2])
    assert.same({ { From = "set_free" }, { From = "set_free" } }, service.birds:limit(3):set_free())
    assert.same({ "set_free", { Ids = { "c" } } }, client.calls[#client.calls])
  end)

  it("ends a batch action at the first empty page", function()
    local service, client = open(function(method, params)
      local page = { Birds = params.Token and { { BirdId = "a" } } or {}, Next = "1" }
      return method == "list_birds" and page or {}
    end)
    assert.same({}, service.birds:set_free())
    assert.equal(1, #client.calls)
  end)

  it("is not the manager, which says how to get one", function()
    local service = open()
    local ok, err = pcall(function()
      for _ in service.birds do
        error("not reached")
      end
    end)
    assert.is_false(ok)
    assert.equal("zoo.birdsCollectionManager(zoo.ServiceResource(), zoo.Bird) is not iterable itself: use "
      .. ":all(), :filter{...}, :limit(n) or :pages()", tostring(err))
    assert.equal("abcde", ids(service.birds:iterator { limit = 9 }))
  end)

  it("refuses a limit that is no number", function()
    local service, client = open()
    for _, case in ipairs {
      { "limit", function() return service.birds:limit("many") end },
      { "limit", function() return sizes(service.birds:filter { limit = true }) end },
      { "page_size", function() return sizes(service.birds:filter { page_size = 2.5 }) end },
    } do
      local _, err = pcall(case[2])
      assert.same({ "TypeError", case[1] .. " takes a whole number" }, { err.kind, tostring(err) })
    end
    local _, err = pcall(function() return sizes(service.birds:filter { limit = "3.0" }) end)
    assert.same({ "ValueError", "limit takes a whole number, not '3.0'" }, { err.kind, tostring(err) })
    assert.same({}, client.calls)
    assert.equal("abc", ids(service.birds:filter { limit = "3" }))
  end)

  it("takes no parameters where it would not use them: all but a few would be all", function()
    local service, client = open()
    for _, collection in ipairs { service.birds, service.birds:all() } do
      for name, what in pairs { all = "", pages = ":pages()" } do
        local _, err = pcall(collection[name], collection, { Zone = "z" })
        assert.same({ "TypeError", name .. " takes no parameters: write collection:filter{...}" .. what },
          { err.kind, tostring(err) })
      end
    end
    assert.same({}, client.calls)
  end)
end)
