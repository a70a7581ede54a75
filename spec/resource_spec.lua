local fake = require("spec.support.fake_client")
package.loaded["luaws.core"] = fake.core
local resource = require("luaws.resource")
local events = require("luaws.events")
local zoo = require("spec.support.zoo")

local function open(answer, emitter)
  local session = zoo.session(answer or {}, emitter)
  local service = resource.open(session, "zoo")
  return service, session.clients[1], session
end

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err.kind, tostring(err)
end

describe("resource", function()
  it("opens with a client of the model's version that tells it is behind a resource", function()
    local session = zoo.session {}
    local given = { region_name = "eu-west-1", config = { retries = 3 } }
    resource.open(session, "zoo", given)
    resource.open(session, "zoo", { config = { user_agent_extra = "mine" } })
    assert.same({
      {
        region_name = "eu-west-1",
        api_version = "2020-01-01",
        config = { retries = 3, user_agent_extra = "Resource" },
      },
      { api_version = "2020-01-01", config = { user_agent_extra = "mine" } },
    }, session.opened)
    assert.same({ region_name = "eu-west-1", config = { retries = 3 } }, given)
  end)

  it("tells what there is when a service or a version has no resources", function()
    local session = zoo.session {}
    local cases = {
      { "farm", nil, "ResourceNotExistsError", "The 'farm' resource does not exist.\nThe available resources "
        .. "are:\n   - zoo\n\nConsider using aws.client(\"farm\") instead of a resource for 'farm'" },
      { "wood", nil, "ResourceNotExistsError",
        "The 'wood' resource does not exist.\nThe available resources are:\n   - zoo\n" },
      { "zoo", "2019-01-01", "UnknownAPIVersionError", "The 'zoo' resource does not support an API version "
        .. "of: 2019-01-01\nValid API versions are: 2020-01-01" },
    }
    for _, case in ipairs(cases) do
      assert.same({ case[3], case[4] },
        { failure(resource.open, session, case[1], { api_version = case[2] }) })
    end
  end)

  it("prints as boto3 prints it", function()
    local service = open()
    local cases = {
      { service, "zoo.ServiceResource()" },
      { service:Bird("b1"), "zoo.Bird(id='b1')" },
      { service:Perch("a 'cage'", "2"), [[zoo.Perch(cage_name="a 'cage'", number='2')]] },
      { service:Cage("é\n\0\\"), [[zoo.Cage(name='é\n\x00\\')]] },
      { service.birds, "zoo.birdsCollectionManager(zoo.ServiceResource(), zoo.Bird)" },
      { service.birds:all(), "zoo.birdsCollection(zoo.ServiceResource(), zoo.Bird)" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], tostring(case[1]))
    end
  end)

  it("takes identifiers in order, by name and from the object it comes from", function()
    local service = open()
    local wanted = "zoo.Perch(cage_name='c', number='7')"
    assert.equal(wanted, tostring(service:Perch("c", "7")))
    assert.equal(wanted, tostring(service:Perch { number = "7", cage_name = "c" }))
    assert.equal(wanted, tostring(service:Perch("c", { number = "7" })))
    assert.equal(wanted, tostring(service:Cage("c"):Perch("7")))
    assert.equal(wanted, tostring(service:Cage { name = "c" }:Perch { number = "7" }))
    local cases = {
      { "ValueError", "Required parameter number not set", "c" },
      { "ValueError", "Unknown keyword argument: size", "c", "7", { size = 1 } },
      { "TypeError", "zoo.Perch takes 2 identifiers, but 3 were given", "c", "7", "8" },
    }
    for _, case in ipairs(cases) do
      assert.same({ case[1], case[2] }, { failure(service.Perch, service, table.unpack(case, 3)) })
    end
  end)

  it("is equal to another of its class with the same identifiers, whatever their data", function()
    local service = open { { Birds = { { Size = 3 } } } }
    local one, same = service:Bird("b"), service:Bird { id = "b" }
    one:load()
    assert.is_true(one == same)
    assert.is_true(one ~= service:Bird("c"))
    assert.is_true(service:Cage("b") ~= one)
    assert.is_false(one == "b")
  end)

  it("shows its identifiers, which cannot be changed", function()
    local bird = open():Bird("b")
    assert.equal("b", bird.id)
    assert.equal("b", bird.bird_id)
    assert.same({ "id" }, bird.meta.identifiers)
    assert.equal("zoo", bird.meta.service_name)
    assert.same({ "AttributeError", "cannot set 'id' of zoo.Bird" },
      { failure(function() bird.id = "c" end) })
    assert.equal("b", bird.id)
    bird.note = "free for notes"
    assert.equal("free for notes", bird.note)
  end)

  it("loads its data when an attribute is first read", function()
    local service, client = open { { Birds = { { Size = 3, Meta = "m" } } } }
    local bird = service:Bird("b")
    assert.equal(0, #client.calls)
    assert.equal(3, bird.size)
    assert.equal("m", bird.meta_attribute)
    assert.is_nil(bird.home)
    assert.same({ { "list_birds", { BirdIds = { "b" } } } }, client.calls)
    assert.same({ Size = 3, Meta = "m" }, bird.meta.data)
  end)

  it("raises when data cannot be loaded", function()
    local service = open { { Birds = {} } }
    assert.same({ "ResourceLoadException", "zoo.Perch has no load method" },
      { failure(function() return service:Perch("c", "1").height end) })
    assert.same({ "ResourceLoadException",
      "zoo.Bird(id='b'): the service's answer to load has no data for it" },
      { failure(function() return service:Bird("b").size end) })
  end)

  it("names the nearest when there is no such member", function()
    local service = open()
    local cases = {
      { service, "cagse", "zoo.ServiceResource has no 'cagse'; did you mean 'Cage' or 'cages'?" },
      { service:Bird("b"), "sise", "zoo.Bird has no 'sise'; did you mean 'size'?" },
      { service:Bird("b"), "xylophone", "zoo.Bird has no 'xylophone'" },
      { service.birds, "set_fre", "zoo.birdsCollection has no 'set_fre'; did you mean 'set_free'?" },
    }
    for _, case in ipairs(cases) do
      assert.same({ "AttributeError", case[3] }, { failure(function() return case[1][case[2]] end) })
    end
  end)

  it("calls an action with what the model fills in, which the caller may override", function()
    local service, client = open(function() return {} end)
    local cage = service:Cage("c")
    local given = { How = "dry", Soap = true }
    assert.same({}, cage:clean())
    cage:clean(given)
    assert.same({
      { "clean_cage", { CageName = "c", How = "wet" } },
      { "clean_cage", { CageName = "c", How = "dry", Soap = true } },
    }, client.calls)
    assert.same({ How = "dry", Soap = true }, given)
  end)

  it("takes its data for an action and forgets it afterwards, but not when the action fails", function()
    local lost = require("luaws.errors").new("EndpointConnectionError", "lost")
    local service, client = open {
      { Birds = { { Size = 3 } } }, { Eaten = 2 }, { Birds = { { Size = 4 } } }, lost,
    }
    local bird = service:Bird("b")
    assert.equal(2, bird:feed { Food = "seed" })
    assert.is_nil(bird.meta.data)
    assert.equal(4, bird.size)
    assert.has_error(function() bird:feed() end, lost)
    assert.same({ Size = 4 }, bird.meta.data)
    assert.same({ "feed_bird", { BirdId = "b", Portion = 3, Food = "seed" } }, client.calls[2])
    assert.same({ "feed_bird", { BirdId = "b", Portion = 4 } }, client.calls[4])
  end)

  it("does not call without what should come from its data, unless the caller gives it", function()
    local service, client = open { { Birds = { {} } }, { Birds = { {} } }, { Eaten = 1 } }
    local bird = service:Bird("b")
    assert.same({ "ParamValidationError", "Parameter validation failed:\nzoo.Bird(id='b') has no Size in its "
      .. "data, from which the parameter Portion is taken" }, { failure(bird.feed, bird) })
    assert.equal(1, #client.calls)
    bird.meta.data = nil
    assert.equal(1, bird:feed { Portion = 2 })
    assert.same({ "feed_bird", { BirdId = "b", Portion = 2 } }, client.calls[3])
  end)

  it("says how to call a method that was called without its object", function()
    local cage = open():Cage("c")
    assert.same({ "TypeError", "clean is a method: call it as object:clean{...}" },
      { failure(function() cage.clean {} end) })
    assert.same({ "TypeError", "clean takes its parameters in one table" },
      { failure(function() cage:clean("wet") end) })
  end)

  it("makes one object, many or none of an answer", function()
    local service = open {
      {},
      { Birds = { { BirdId = "a", Size = 1 }, { BirdId = "b", Size = 2 } } },
      {},
      { Birds = { {}, {}, {} } },
    }
    local cage = service:create_cage { CageName = "new" }
    assert.equal("zoo.Cage(name='new')", tostring(cage))
    assert.is_nil(cage.meta.data)
    local birds = service:create_birds()
    assert.same({ "a", "b" }, { birds[1].id, birds[2].id })
    assert.equal(2, birds[2].size)
    assert.same({}, service:create_birds())
    assert.equal(3, service:count_birds())
  end)

  it("gives references from its data, nil or many as it may be", function()
    local service, client = open {
      { Birds = { { Home = "c", Friends = { { BirdId = "x", Size = 1 }, { BirdId = "y" } } } } },
      { Birds = { {} } },
    }
    local bird = service:Bird("b")
    assert.equal("zoo.Cage(name='c')", tostring(bird.cage))
    assert.same({ "x", "y" }, { bird.friends[1].id, bird.friends[2].id })
    assert.same({ BirdId = "x", Size = 1 }, bird.friends[1].meta.data)
    assert.equal(1, #client.calls)
    bird = service:Bird("c")
    assert.is_nil(bird.cage)
    assert.is_nil(bird.friends)
  end)

  it("renames what would hide something more important", function()
    local kinds = resource.members(open():Bird("b"))
    assert.same({
      bird_id = "alias", cage = "reference", feed = "action", friends = "reference",
      get_available_subresources = "method", home = "attribute", id = "identifier", load = "load",
      meta_attribute = "attribute", reload = "load", size = "attribute", songs = "action",
      songs_attribute = "attribute", wait_until_asleep = "waiter",
    }, kinds)
  end)

  it("lists its subresources: for a service all there are, under the service's names", function()
    local service = open()
    assert.same({ "Bird", "Box", "Cage", "Perch" }, service:get_available_subresources())
    assert.equal("zoo.Crate(name='c')", tostring(service:Box("c")))
    assert.has_error(function() return service.Crate end)
    assert.same({ "Perch" }, service:Cage("c"):get_available_subresources())
    assert.same({}, service:Bird("b"):get_available_subresources())
  end)

  it("waits", function()
    local service, client = open { { Birds = { { Asleep = true } } } }
    service:Bird("b"):wait_until_asleep { WaiterConfig = { MaxAttempts = 1 } }
    assert.same({ { "list_birds", { BirdIds = { "b" } } } }, client.calls)
  end)

  it("makes each class once for all clients of a session", function()
    local session = zoo.session {}
    local one, two = resource.open(session, "zoo"), resource.open(session, "zoo")
    assert.equal(getmetatable(one), getmetatable(two))
    assert.equal(getmetatable(one:Bird("a")), getmetatable(two:Bird("b")))
    assert.not_equal(one.meta.client, two.meta.client)
  end)

  describe("class", function()
    it("takes methods from handlers of creating-resource-class", function()
      local emitter = events.new()
      local seen = {}
      emitter:register("creating-resource-class.zoo.Cage", function(event)
        seen[#seen + 1] = event.event_name
        assert.equal("zoo", event.service_context.service_name)
        assert.is_nil(event.class_attributes.paint)
        assert.is_function(event.class_attributes.clean)
        function event.class_attributes.paint(cage, colour)
          return cage.name .. " is " .. colour
        end
      end)
      local service = open(nil, emitter)
      assert.equal("c is red", service:Cage("c"):paint("red"))
      assert.equal("d is blue", service:Cage("d"):paint("blue"))
      assert.same({ "creating-resource-class.zoo.Cage" }, seen)
      assert.equal("method", resource.members(service:Cage("c")).paint)
    end)

    it("is made anew when a handler comes later", function()
      local emitter = events.new()
      local service, _, session = open(nil, emitter)
      assert.has_error(function() return service:Cage("c").paint end)
      emitter:register("creating-resource-class.zoo", function(event)
        event.class_attributes.paint = function() return "done" end
      end)
      assert.equal("done", resource.open(session, "zoo"):Cage("c"):paint())
    end)

    it("can be given load, which makes its attributes loadable", function()
      local emitter = events.new()
      emitter:register("creating-resource-class.zoo.Perch", function(event)
        function event.class_attributes.load(perch)
          perch.meta.data = { Height = 5 }
        end
      end)
      assert.equal(5, open(nil, emitter):Perch("c", "1").height)
    end)

    it("lends functions from base classes and calls their init with each object", function()
      local emitter = events.new()
      local made = {}
      emitter:register("creating-resource-class.zoo", function(event)
        table.insert(event.base_classes, 1, {
          init = function(object) made[#made + 1] = tostring(object) end,
          hello = function(object) return "hello from " .. tostring(object) end,
          clean = function() error("not this one") end,
        })
      end)
      local service = open({ {} }, emitter)
      local cage = service:Cage("c")
      assert.equal("hello from zoo.Cage(name='c')", cage:hello())
      assert.same({}, cage:clean())
      assert.same({ "zoo.ServiceResource()", "zoo.Cage(name='c')" }, made)
    end)
  end)
end)
