-- Sends each request to another of many hosts with another of many keys, chosen at random with a seed that does not
-- change, and writes the result as one line of JSON. Arguments: path, number of hosts, number of keys.
--
-- With 0 keys no field is sent. A request is made when it is sent, so that the load's own work is always the same.

local before, hosts, keys = "", 1, 0

function init(args)
  before = "GET " .. args[1] .. " HTTP/1.1\r\nHost: h"
  hosts = tonumber(args[2])
  keys = tonumber(args[3])
  math.randomseed(1)
end

function request()
  local head = before .. math.random(0, hosts - 1) .. ".bench.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
  local key = math.random(0, math.max(keys, 1) - 1)
  if keys == 0 then return head .. "\r\n" end
  return head .. "apikey: key-of-consumer-" .. key .. "\r\n\r\n"
end

done = dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "result.lua")
