std = "lua54"
max_line_length = 110
files["spec"] = { std = "+busted", ignore = { "432" } }
exclude_files = { "build*" }
