--- A service that never was, with a resource model that has one of each thing.
local fake = require("spec.support.fake_client")

local zoo = {}

zoo.resources = {
  service = {
    actions = {
      CreateCage = {
        request = { operation = "CreateCage" },
        resource = { type = "Cage", identifiers = {
          { target = "Name", source = "requestParameter", path = "CageName" },
        } },
      },
      CreateBirds = {
        request = { operation = "CreateBirds" },
        resource = { type = "Bird", path = "Birds[]", identifiers = {
          { target = "Id", source = "response", path = "Birds[].BirdId" },
        } },
      },
      CountBirds = { request = { operation = "ListBirds" }, path = "length(Birds)" },
    },
    has = { Box = { resource = { type = "Crate", identifiers = {
      { target = "Name", source = "input" },
    } } } },
    hasMany = {
      Birds = {
        request = { operation = "ListBirds", params = {
          { target = "Filters[0].Name", source = "string", value = "alive" },
          { target = "Filters[0].Values[]", source = "string", value = "true" },
        } },
        resource = { type = "Bird", path = "Birds[]", identifiers = {
          { target = "Id", source = "response", path = "Birds[].BirdId" },
        } },
      },
      Cages = {
        request = { operation = "ListCages" },
        resource = { type = "Cage", identifiers = {
          { target = "Name", source = "response", path = "Cages[]" },
        } },
      },
    },
  },
  resources = {
    Cage = {
      identifiers = { { name = "Name" } },
      actions = { Clean = { request = { operation = "CleanCage", params = {
        { target = "CageName", source = "identifier", name = "Name" },
        { target = "How", source = "string", value = "wet" },
      } } } },
      has = { Perch = { resource = { type = "Perch", identifiers = {
        { target = "CageName", source = "identifier", name = "Name" },
        { target = "Number", source = "input" },
      } } } },
    },
    Crate = { identifiers = { { name = "Name" } } },
    Perch = { identifiers = { { name = "CageName" }, { name = "Number" } }, shape = "PerchShape" },
    Bird = {
      identifiers = { { name = "Id", memberName = "BirdId" } },
      shape = "BirdShape",
      load = {
        request = { operation = "ListBirds", params = {
          { target = "BirdIds[0]", source = "identifier", name = "Id" },
        } },
        path = "Birds[0]",
      },
      actions = {
        Feed = { request = { operation = "FeedBird", params = {
          { target = "BirdId", source = "identifier", name = "Id" },
          { target = "Portion", source = "data", path = "Size" },
        } }, path = "Eaten" },
        Songs = { request = { operation = "FeedBird" } },
      },
      batchActions = {
        Feed = { request = { operation = "FeedBirds", params = {
          { target = "Meals[*].BirdId", source = "identifier", name = "Id" },
        } } },
        SetFree = { request = { operation = "SetFree", params = {
          { target = "Ids[]", source = "identifier", name = "Id" },
        } } },
      },
      has = {
        Cage = { resource = { type = "Cage", identifiers = {
          { target = "Name", source = "data", path = "Home" },
        } } },
        Friends = { resource = { type = "Bird", path = "Friends[]", identifiers = {
          { target = "Id", source = "data", path = "Friends[].BirdId" },
        } } },
      },
      waiters = { Asleep = { waiterName = "BirdAsleep", params = {
        { target = "BirdIds[]", source = "identifier", name = "Id" },
      } } },
    },
  },
}

local function structure(members)
  local names = {}
  for name in pairs(members) do
    names[#names + 1] = name
  end
  table.sort(names)
  return { type = "structure", members = members, member_names = names }
end

zoo.description = {
  operations = {
    CreateCage = { input = "Any", output = "Any" },
    CreateBirds = { input = "Any", output = "BirdsOut" },
    CleanCage = { input = "Any", output = "Any" },
    FeedBird = { input = "Any", output = "Any" },
    FeedBirds = { input = "Any", output = "Any" },
    SetFree = { input = "Any", output = "Any" },
    ListBirds = { input = "ListIn", output = "BirdsOut" },
    ListCages = { input = "Any", output = "CagesOut" },
  },
  shapes = {
    Any = structure {},
    ListIn = structure { Max = "Number" },
    BirdsOut = structure { Birds = "BirdList" },
    CagesOut = structure { Cages = "TextList" },
    BirdList = { type = "list", member = "BirdShape" },
    TextList = { type = "list", member = "Text" },
    BirdShape = structure {
      BirdId = "Text", Id = "Text", Size = "Number", Home = "Text", Songs = "TextList", Meta = "Text",
    },
    PerchShape = structure { Height = "Number" },
    Text = { type = "string" },
    Number = { type = "integer" },
  },
}

--- A session whose clients answer by `answer`; they are in session.clients, and what each was opened with
--- in session.opened.
---@param answer function|table
---@param events table|nil
---@return table
function zoo.session(answer, events)
  fake.models.resources = { zoo = zoo.resources }
  fake.models.paginators = { zoo = { pagination = { ListBirds = {
    input_token = "Token", output_token = "Next", result_key = "Birds", limit_key = "Max",
  } } } }
  fake.models.waiters = { zoo = { version = 2, waiters = { BirdAsleep = {
    operation = "ListBirds", delay = 1, maxAttempts = 2, acceptors = {
      { state = "success", matcher = "pathAll", argument = "Birds[].Asleep", expected = true },
    },
  } } } }
  local session = { events = events or require("luaws.events").new(), clients = {}, opened = {} }
  function session.client(_, name, opts)
    local client = fake.client(name, zoo.description, answer)
    client.meta.events = session.events
    session.clients[#session.clients + 1] = client
    session.opened[#session.opened + 1] = opts
    return client
  end
  function session.get_available_services()
    return { "farm", "zoo" }
  end
  function session.get_available_resources()
    return { "zoo" }
  end
  return session
end

return zoo
