-- Sends requests to a few of the configured hosts in turn, and writes the result as one line of JSON.
-- Arguments: method, path, bytes of content, "close" or "keep-alive", then the hosts.

local requests = {}
local sent = 0

function init(args)
  local method, path, contentBytes, persistence = args[1], args[2], tonumber(args[3]), args[4]
  local content = contentBytes > 0 and string.rep("x", contentBytes) or nil
  for index = 5, #args do
    local fields = { Host = args[index] }
    if persistence == "close" then fields["Connection"] = "close" end
    requests[#requests + 1] = wrk.format(method, path, fields, content)
  end
end

function request()
  sent = sent + 1
  return requests[sent % #requests + 1]
end

done = dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "result.lua")
