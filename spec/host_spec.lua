-- examples/host.c, which uses everything that <luaws.h> offers, built against luaws as it is installed.
local child = require("spec.support.child")
local moto = require("spec.support.moto")

local build = os.getenv("LUAWS_BUILD") or "build"
local root = child.output({ "pwd" }):gsub("\n", "")

-- A backslash at its end joins a line with the next.
local EXPECTED = ([[
open: UnknownServiceError
CreateQueue: it answered, with a queue
GetQueueUrl: it answered, with a queue
GetQueueUrl: the service said no: ClientError: An error occurred \
(AWS.SimpleQueueService.NonExistentQueue) when calling the GetQueueUrl operation: The specified \
queue does not exist.
GetQueueUrl: never sent: ParamValidationError: Parameter validation failed:
GetQueueUrls: never sent: OperationNotFoundError: sqs has no operation 'GetQueueUrls'; did you mean \
'GetQueueUrl'?
credentials: asked for 1 time
the script returned
  boolean: true
  number: 3, or 3
  string: hello world! (12 bytes)
  table: ["greeting"]
  nil: null
syntax: LuaError: broken:1: unexpected symbol near <eof>
raised from C: LuaError: script:1: sum adds numbers
from the service: ClientError NoSuchKey: An error occurred (NoSuchKey) when calling the GetObject \
operation: The specified key does not exist.
not allowed: LuaError: script:1: attempt to index a nil value (global 'io')
too large: MemoryError: the script needed more than its memory limit
too long: TimeLimitError: the script ran longer than its time limit
the file says: from a file
from another thread: KeyboardInterrupt: the script was interrupted
stepped: 1
stepped: 7
credentials: asked for 1 time; log: heard; sum: called 2 times
our own: interrupted!
our own: no task runs
our own: luaws as it should be
]]):gsub("\\\n", "")

local CMAKE_PROJECT = [[
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C)
find_package(luaws REQUIRED)
find_package(Threads REQUIRED)
add_executable(host "%s/examples/host.c")
target_link_libraries(host PRIVATE luaws::luaws Threads::Threads)
]]

local function shell(command, ...)
  return child.output({ "sh", "-ec", command, "sh", ... })
end

describe("a C program", function()
  local folder, prefix, flags
  setup(function()
    folder = child.output({ "mktemp", "-d" }):gsub("\n", "")
    prefix = folder .. "/prefix"
    child.output({ "cmake", "--install", build, "--prefix", prefix })
    local cache <close> = assert(io.open(build .. "/CMakeCache.txt"))
    local sanitized = cache:read("a"):find("LUAWS_SANITIZE:BOOL=ON", 1, true)
    flags = sanitized and "-fsanitize=address,undefined" or ""
  end)
  teardown(function()
    child.output({ "rm", "-rf", folder })
  end)
  before_each(moto.reset)

  local function run(program)
    local lib = shell([[find "$1" -maxdepth 1 -name 'lib*']], prefix):gsub("\n.*", "")
    return child.output({ "env", "LD_LIBRARY_PATH=" .. lib,
      "AWS_EC2_METADATA_DISABLED=true", program, moto.url })
  end

  local function compile(...)
    return shell([[export PKG_CONFIG_PATH=$(dirname "$(find "$1" -name luaws.pc)")
      eval "cc -std=gnu17 -Wall -Wextra -Werror $4 \"\$2\" -o \"\$3\" \
        $(pkg-config --cflags --libs luaws) -lpthread"]], prefix, ...)
  end

  it("finds the installed luaws with pkg-config and does all that the header offers", function()
    compile(root .. "/examples/host.c", folder .. "/host", flags)
    assert.equal(EXPECTED, run(folder .. "/host"))
  end)

  it("finds it with CMake's find_package as well", function()
    shell([[mkdir "$1/user" && printf '%s' "$2" > "$1/user/CMakeLists.txt"
      cmake -G Ninja -S "$1/user" -B "$1/user/build" -DCMAKE_PREFIX_PATH="$3" -DCMAKE_C_FLAGS="$4" \
        > "$1/log" 2>&1 || { cat "$1/log"; exit 1; }
      cmake --build "$1/user/build" > "$1/log" 2>&1 || { cat "$1/log"; exit 1; }]],
      folder, CMAKE_PROJECT:format(root), prefix, flags)
    assert.equal(EXPECTED, run(folder .. "/user/build/host"))
  end)

  it("can include the header as strict C and as C++", function()
    local header = [[printf '#include <luaws.h>\n#include <luaws.h>\n' |
      "$@" -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$0" -]]
    for _, words in ipairs{ { "cc", "-x", "c", "-std=c99" }, { "cc", "-x", "c", "-std=c17" },
      { "c++", "-x", "c++", "-std=c++11" }, { "c++", "-x", "c++", "-std=c++20" } } do
      local command = { "sh", "-c", header .. " 2>&1", prefix .. "/include", table.unpack(words) }
      assert.equal("", child.output(command))
    end
  end)

  it("sees every function of the header used by the example, and exported by the library", function()
    local header <close> = assert(io.open(root .. "/include/luaws.h"))
    local example <close> = assert(io.open(root .. "/examples/host.c"))
    local used = example:read("a")
    local exported = shell('nm -D --defined-only "$(find "$1" -name libluaws.so)"', prefix)
    local missing, count = {}, 0
    for declaration in header:read("a"):gmatch("\nLUAWS_API ([^;]*);") do
      local name = declaration:match("([%w_]+)%s*%(")
      count = count + 1
      if not used:find(name .. "%f[^%w_]") or not exported:find(" T " .. name .. "\n", 1, true) then
        missing[#missing + 1] = name
      end
    end
    assert.same({}, missing)
    assert.is_true(count >= 40)
  end)
end)
