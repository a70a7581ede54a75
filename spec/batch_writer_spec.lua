-- Many writes in few requests. The service is a handler that answers, so that it can leave writes undone.
local aws = require("luaws")
local cjson = require("cjson")
local batch_writer = require("luaws.dynamodb.batch_writer")
local ddb = aws.dynamodb

local OPTS = {
  region_name = "us-east-1", endpoint_url = "http://127.0.0.1:1", aws_access_key_id = "a",
  aws_secret_access_key = "b",
}

-- A table whose batches are kept in `sent`, each as a list of texts such as "put 1" and "delete 2".
-- answer(n, writes) returns the writes to leave undone, or raises.
local function new_table(answer)
  local sent = {}
  local items = aws.resource("dynamodb", OPTS):Table("items")
  items.meta.client.meta.events:register("before-call.dynamodb.BatchWriteItem", function(event)
    local writes = cjson.decode(event.request.body).RequestItems.items
    local texts = {}
    for i, write in ipairs(writes) do
      local values = write.PutRequest and write.PutRequest.Item or write.DeleteRequest.Key
      texts[i] = (write.PutRequest and "put " or "delete ") .. (values.id.N or values.id.S or values.id.B)
    end
    sent[#sent + 1] = texts
    local undone = answer and answer(#sent, writes) or {}
    return { parsed = { UnprocessedItems = #undone > 0 and { items = undone } or {} } }
  end)
  return items, sent
end

-- A writer that writes down how long it would wait.
local function new_writer(items, opts)
  local waits = {}
  opts = opts or {}
  opts.sleep = function(seconds)
    waits[#waits + 1] = seconds
  end
  return batch_writer.new(items.meta.client, items.name, opts), waits
end

local function counts(sent)
  local list = {}
  for i, texts in ipairs(sent) do
    list[i] = #texts
  end
  return list
end

local function put(batch, first, last)
  for id = first, last do
    batch:put_item { Item = { id = id } }
  end
end

describe("a batch writer", function()
  it("sends 25 writes at once and what remains when its scope is left", function()
    local items, sent = new_table()
    do
      local batch <close> = items:batch_writer()
      put(batch, 1, 60)
      assert.same({ 25, 25 }, counts(sent))
      batch:delete_item { Key = { id = 3 } }
    end
    assert.same({ 25, 25, 11 }, counts(sent))
    assert.equal("put 1", sent[1][1])
    assert.equal("delete 3", sent[3][11])
  end)

  it("sends nothing when nothing was written", function()
    local items, sent = new_table()
    do
      local batch <close> = items:batch_writer {}
      batch:flush()
    end
    assert.same({}, sent)
  end)

  it("makes only the last of the waiting writes to one item", function()
    local items, sent = new_table()
    do
      local batch <close> = items:batch_writer { overwrite_by_pkeys = { "id", "at" } }
      batch:put_item { Item = { id = 1, at = "a", n = 1 } }
      batch:put_item { Item = { id = 2, at = "a" } }
      batch:put_item { Item = { id = 1.0, at = "a", n = 2 } }
      batch:delete_item { Key = { id = 2, at = "a" } }
      batch:put_item { Item = { id = "1", at = "a" } }
      batch:put_item { Item = { id = ddb.binary("1"), at = "a" } }
      batch:put_item { Item = { id = ddb.number("1.0"), at = "b" } }
    end
    assert.same({ { "put 1", "delete 2", "put 1", "put MQ==", "put 1.0" } }, sent)
  end)

  it("does not send again what another task's write overtook while it was left undone", function()
    local batch
    local items, sent = new_table(function(n, writes)
      if n == 1 then
        batch:put_item { Item = { id = 2, n = "new" } }
        return writes
      end
      for _, write in ipairs(writes) do
        assert.same(write.PutRequest.Item.id.N == "2" and { S = "new" } or nil, write.PutRequest.Item.n)
      end
    end)
    batch = new_writer(items, { overwrite_by_pkeys = { "id" } })
    put(batch, 1, 3)
    batch:flush()
    assert.same({ { "put 1", "put 2", "put 3" }, { "put 2", "put 1", "put 3" } }, sent)
  end)

  it("refuses a write without the key that it goes by", function()
    local items = new_table()
    local batch = items:batch_writer { overwrite_by_pkeys = { "id" } }
    local ok, err = pcall(batch.put_item, batch, { Item = { name = 1 } })
    assert.is_false(ok)
    assert.equal("KeyError", err.kind)
    assert.equal("'id', which is in overwrite_by_pkeys, is not in this write", err.message)
  end)

  it("sends again what was left undone, after waits that grow", function()
    local items, sent = new_table(function(n, writes)
      return n <= 4 and { writes[1], writes[2] } or {}
    end)
    local batch, waits = new_writer(items)
    put(batch, 1, 3)
    batch:flush()
    assert.same({ 3, 2, 2, 2, 2 }, counts(sent))
    assert.equal(4, #waits)
    for i, seconds in ipairs(waits) do
      local most = 0.05 * 2 ^ (i - 1)
      assert.is_true(seconds >= most / 2 and seconds <= most)
    end
    put(batch, 4, 4)
    batch:flush()
    assert.equal(4, #waits)
  end)

  it("puts what was left undone behind what waits, with all its values", function()
    local item = { id = 1, list = { 1, { a = aws.null } }, set = ddb.set { "x" }, bytes = ddb.binary("\0") }
    local seen
    local items = new_table(function(n, writes)
      seen = writes[1].PutRequest.Item
      seen.bytes = { B = "\0" }
      return n == 1 and { writes[1] } or {}
    end)
    local batch = new_writer(items)
    batch:put_item { Item = item }
    batch:flush()
    assert.same(ddb.serialize(item).M, seen)
  end)

  it("keeps no hold of the caller's tables", function()
    local items, sent = new_table()
    do
      local batch <close> = items:batch_writer()
      local item = {}
      for id = 1, 3 do
        item.id = id
        batch:put_item { Item = item }
      end
    end
    assert.same({ { "put 1", "put 2", "put 3" } }, sent)
  end)

  it("still writes when an error leaves the scope, and lets that error pass", function()
    for _, answer in ipairs { false, function() error("another", 0) end } do
      local items, sent = new_table(answer or nil)
      local function run()
        local batch <close> = items:batch_writer()
        put(batch, 1, 2)
        error("first", 0)
      end
      for _, call in ipairs { pcall, function(fn) return pcall(aws.async.run, fn) end } do
        local ok, err = call(run)
        assert.is_false(ok)
        assert.equal("first", err)
      end
      assert.same({ 2, 2 }, counts(sent))
    end
  end)

  it("raises what the last requests raise", function()
    local items = new_table(function() error("refused", 0) end)
    local ok, err = pcall(function()
      local batch <close> = items:batch_writer()
      put(batch, 1, 1)
    end)
    assert.is_false(ok)
    assert.equal("refused", err)
  end)

  it("drops what waits when its task is cancelled", function()
    local items, sent = new_table()
    local task = aws.async.spawn(function()
      local batch <close> = items:batch_writer()
      put(batch, 1, 2)
      aws.async.sleep(10)
    end)
    aws.async.sleep(0)
    task:cancel()
    local ok, err = pcall(task.await, task)
    assert.is_false(ok)
    assert.equal("CancelledError", err.kind)
    assert.same({}, sent)
  end)

  it("lets other tasks go on while it waits", function()
    local items = new_table(function(n, writes)
      return n == 1 and writes or {}
    end)
    local order = {}
    aws.async.gather(function()
      local batch <close> = items:batch_writer()
      put(batch, 1, 1)
      batch:flush()
      order[#order + 1] = "written"
    end, function()
      order[#order + 1] = "other"
    end)
    assert.same({ "other", "written" }, order)
  end)

  it("refuses other arguments", function()
    local items = new_table()
    local batch = items:batch_writer()
    for _, call in ipairs {
      function() items:batch_writer { flush_amount = 3 } end,
      function() items:batch_writer("id") end,
      function() items:batch_writer { overwrite_by_pkeys = "id" } end,
      function() batch:put_item { id = 1 } end,
      function() batch:put_item() end,
      function() batch:put_item { Item = {}, Key = {} } end,
      function() batch:delete_item { Item = {} } end,
      function()
        local endless = {}
        endless.item = endless
        batch:put_item { Item = endless }
      end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.equal("TypeError", err.kind)
    end
  end)
end)
