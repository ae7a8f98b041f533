-- Sends each request to another of many domains, chosen at random with a seed that does not change, and writes
-- the result as one line of JSON. Arguments: path, number of domains.
--
-- A request is made when it is sent, also where there is only one domain: the load's own work and memory are the
-- same for any number.

local before, after
local domains = 1

function init(args)
  before = "GET " .. args[1] .. " HTTP/1.1\r\nHost: d"
  after = ".example.com\r\n\r\n"
  domains = tonumber(args[2])
  math.randomseed(1)
end

function request()
  return before .. string.format("%06d", math.random(0, domains - 1)) .. after
end

done = dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "result.lua")
