--- AWS's documentation, which is HTML more or less, as text for a terminal.
local text = {}

local ENTITIES = {
  lt = "<", gt = ">", amp = "&", quot = '"', apos = "'", nbsp = " ", mdash = "—", ndash = "–",
}

local function decode_entity(name)
  local code = name:match("^#x(%x+)$")
  code = code and tonumber(code, 16) or tonumber(name:match("^#(%d+)$"))
  if not code then
    return ENTITIES[name]
  elseif code == 0x96 or code == 0x2028 then -- a dash of another age, and a line end
    return code == 0x96 and "–" or " "
  end
  return code >= 32 and code < 0x110000 and utf8.char(code) or ""
end

local function decode(s)
  return (s:gsub("&(#?%w+);", decode_entity))
end

-- Tags that end the paragraph before them.
local BREAKING = {}
for tag in ([[p ul ol li dl dt dd note important warning pre table tr br fullname div h1 h2 h3
    h4]]):gmatch("%w+") do
  BREAKING[tag] = true
end
local LABELS = { note = "Note: ", important = "Important: ", warning = "Warning: " }

-- A row of blocks: { text, indent, mark } with mark in front of the first line.
local function blocks_of(html)
  local blocks, words = {}, {}
  local lists, mark, label, extra, quiet = {}, nil, nil, 0, 0
  local function flush()
    local content = decode(table.concat(words)):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
    words = {}
    if content ~= "" then
      blocks[#blocks + 1] = { text = (label or "") .. content, indent = 2 * #lists + extra, mark = mark }
      mark, label = nil, nil
    end
  end
  local open = {}

  function open.ul() lists[#lists + 1] = { kind = "ul" } end
  function open.ol() lists[#lists + 1] = { kind = "ol", n = 0 } end
  function open.li()
    local list = lists[#lists]
    if list and list.n then
      list.n = list.n + 1
    end
    mark = list and list.n and list.n .. ". " or "* "
  end
  function open.dd() extra = extra + 2 end
  function open.fullname() quiet = quiet + 1 end

  local close = {}
  function close.ul() lists[#lists] = nil end
  close.ol = close.ul
  function close.li() mark = nil end
  function close.dd() extra = math.max(extra - 2, 0) end
  function close.fullname() quiet = math.max(quiet - 1, 0) end

  local at = 1
  while at <= #html do
    local first, last, slash, tag = html:find("<(/?)(%a%w*)[^<>]*>", at)
    if quiet == 0 then
      words[#words + 1] = html:sub(at, (first or #html + 1) - 1)
    end
    if not first then
      break
    end
    tag = tag:lower()
    if BREAKING[tag] then
      flush()
    end
    if slash == "" then
      label = LABELS[tag] or label
    end
    local act = (slash == "" and open or close)[tag]
    if act then
      act()
    end
    at = last + 1
  end
  flush()
  return blocks
end

--- Breaks a line of words into lines of at most `width` columns.
---@param line string
---@param width integer
---@return table
function text.wrap(line, width)
  local lines, current, columns = {}, {}, 0
  for word in line:gmatch("%S+") do
    local size = utf8.len(word) or #word
    if columns > 0 and columns + 1 + size > width then
      lines[#lines + 1] = table.concat(current, " ")
      current, columns = {}, 0
    end
    current[#current + 1] = word
    columns = columns + size + (columns > 0 and 1 or 0)
  end
  lines[#lines + 1] = #current > 0 and table.concat(current, " ") or nil
  return lines
end

--- The text as lines of at most `width` columns, each behind `indent` spaces; a blank line between
--- paragraphs, none within lists.
---@param html string
---@param width integer
---@param indent integer|nil
---@return string
function text.render(html, width, indent)
  local out, before = {}, nil
  for _, block in ipairs(blocks_of(html)) do
    local margin = (" "):rep((indent or 0) + block.indent)
    local in_list = block.indent > 0 and before and before.indent > 0
    if before and not in_list then
      out[#out + 1] = ""
    end
    local lead = block.mark and margin:sub(1, -1 - math.min(#block.mark, #margin)) .. block.mark or margin
    for i, line in ipairs(text.wrap(block.text, math.max(width - #margin, 20))) do
      out[#out + 1] = (i == 1 and lead or margin) .. line
    end
    before = block
  end
  return table.concat(out, "\n")
end

--- The first sentence, on one line.
---@param html string
---@return string
function text.first_sentence(html)
  local block = blocks_of(html)[1]
  local line = block and block.text or ""
  for stop in line:gmatch("()[.!?] ") do
    local head = line:sub(1, stop)
    -- An abbreviation ends nothing.
    if not head:find("%f[%a]e%.g%.$") and not head:find("%f[%a]i%.e%.$") and not head:find("%f[%a]vs%.$")
        and line:find("^%s*[%u\"'`]", stop + 1) then
      return head
    end
  end
  return line
end

return text
