-- The bar that shows how far a transfer is.
local aws = require("luaws")
local shell = require("spec.support.shell")

local function drawn(columns, label, calls)
  local now, text = 0, {}
  local out = { write = function(_, ...)
    text[#text + 1] = table.concat({ ... })
  end, flush = function() end }
  local widths = columns
  local function measure()
    return #widths > 1 and table.remove(widths, 1) or widths[1]
  end
  columns = type(widths) == "table" and measure or widths
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
    { "tells a speed that is no whole number of bytes", 60, nil, { { 0, 0, 100 }, { 4, 9, 100 } },
      "|[        ]   0%  0 B of 100 B  0 B/s  0:00|[        ]   9%  9 B of 100 B  2 B/s  0:40" },
    { "is cut to the terminal, whole letters only", 12, "größe/日本", { { 0, 0, 100 }, { 1, 100, 100 } },
      "|größe/日本   |größe/日本  1\n" },
    { "counts letters, not bytes", 70, "größe", { { 0, 50, 100 } },
      "|größe  [=====      ]  50%  50 B of 100 B  0 B/s  0:00" },
    { "shows nothing of a key that a terminal would obey", 40, "a\27[2J\nb\xFF\xC3\xBC", { { 0, 3 } },
      "|a?[2J?b???  3 B  0 B/s" },
    { "follows the terminal's size", { 80, 80, 40 }, "a", { { 0, 0, 100 }, { 1, 100, 100 } },
      "|a  [                         ]   0%  0 B of 100 B  0 B/s  0:00"
      .. "|a  100%  100 B of 100 B  100 B/s  0:01\n" },
    { "says nothing where nobody looks", nil, nil, { { 0, 0, 1 }, { 1, 1, 1 } }, "" },
  } do
    it(case[1], function()
      assert.equal(case[5], (drawn(case[2], case[3], case[4])))
    end)
  end

  it("is drawn on a terminal, and nowhere else", function()
    local script = shell.file([[
      local bar = require("luaws").progress("disk")
      bar(4, 4, 8)
      bar(4, 8, 8)
      print("done")
    ]])
    local shown = shell.play({ { "", "done" } }, { words = { script }, columns = 70 })
    assert.matches("^disk  %[======      %]  50%%  4 B of 8 B .*disk  %[============%] 100%%  8 B of 8 B",
      shown[1])
    assert.same({ out = "done\n", err = "", code = 0 }, shell.run({ script }))
    os.remove(script)
  end)

  it("ends the line once", function()
    local text = drawn(40, nil, { { 0, 1, 1 }, { 1, 1, 1 } })
    assert.equal("|100%  1 B of 1 B  0 B/s  0:00\n", text)
  end)
end)
