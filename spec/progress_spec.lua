-- The bar that shows how far a transfer is.
local aws = require("luaws")

local function drawn(columns, label, calls)
  local now, text = 0, {}
  local out = { write = function(_, ...)
    text[#text + 1] = table.concat({ ... })
  end, flush = function() end }
  local callback = aws.progress(label, { out = out, columns = columns, clock = function()
    return now
  end })
  for _, call in ipairs(calls) do
    now = call[1]
    callback(0, call[2], call[3])
  end
  return table.concat(text):gsub("\r\27%[K", "|"), callback
end

describe("progress", function()
  for _, case in ipairs{
    { "shows a bar, and ends its line", 80, "a.bin", { { 0, 0, 4096 }, { 2, 1024, 4096 }, { 4, 4096, 4096 } },
      "|a.bin  [                     ]   0%  0 B of 4.0 KiB  0 B/s  0:00"
      .. "|a.bin  [=====                ]  25%  1.0 KiB of 4.0 KiB  512 B/s  0:06"
      .. "|a.bin  [=====================] 100%  4.0 KiB of 4.0 KiB  1.0 KiB/s  0:04\n" },
    { "has no bar where there is no room", 40, nil, { { 0, 0, 100 }, { 1, 100, 100 } },
      "|  0%  0 B of 100 B  0 B/s  0:00|100%  100 B of 100 B  100 B/s  0:01\n" },
    { "is drawn ten times a second at most", 40, nil, { { 0, 0, 100 }, { 0.05, 10, 100 }, { 0.06, 20, 100 } },
      "|  0%  0 B of 100 B  0 B/s  0:00" },
    { "shows what has come when nobody knows how much it will be", 80, nil, { { 0, 0 }, { 2, 3 << 20 } },
      "|0 B  0 B/s|3.0 MiB  1.5 MiB/s" },
    { "goes back", 40, nil, { { 0, 50, 100 }, { 1, 0, 100 } },
      "| 50%  50 B of 100 B  0 B/s  0:00|  0%  0 B of 100 B  0 B/s  0:00" },
    { "tells hours", 60, nil, { { 0, 0, 7322 }, { 1, 1, 7322 } },
      "|[        ]   0%  0 B of 7.2 KiB  0 B/s  0:00|[        ]   0%  1 B of 7.2 KiB  1 B/s  2:02:01" },
    { "says nothing where nobody looks", nil, nil, { { 0, 0, 1 }, { 1, 1, 1 } }, "" },
  } do
    it(case[1], function()
      assert.equal(case[5], (drawn(case[2], case[3], case[4])))
    end)
  end

  it("ends the line once", function()
    local text = drawn(40, nil, { { 0, 1, 1 }, { 1, 1, 1 } })
    assert.equal("|100%  1 B of 1 B  0 B/s  0:00\n", text)
  end)
end)
