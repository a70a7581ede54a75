--- CloudSearch: searches may be too long for a URL, and `return` may be called returnFields.
local cloudsearchdomain = {}

local function post_instead(event)
  local request = event.request
  local url, query = request.url:match("^([^?]*)%?(.*)$")
  if request.method == "GET" and url then
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    request.method = "POST"
    request.url = url
    request.body = query
  end
end

function cloudsearchdomain.register(emitter)
  emitter:register("request-created.cloudsearch-domain.Search", post_instead)
  emitter:register_first("before-parameter-build.cloudsearch-domain.Search",
    require("luaws.service.parameter").alias("return", "returnFields"))
end

return cloudsearchdomain
