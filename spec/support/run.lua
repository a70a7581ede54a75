-- run.lua FILE: runs one spec file with Busted, under whatever interpreter this is. The suite (suite.py)
-- runs every file this way; `busted` itself works too.
package.path = "./?.lua;" .. package.path

table.insert(arg, 1, "--output=spec/support/report.lua")
table.insert(arg, 2, "--verbose")
require("busted.runner")({ standalone = false })
