-- Lua's lua-http. See ../others.py for what it does.
local version = require "http.version"
local websocket = require "http.websocket"

local url, room, name, count = arg[1], arg[2], arg[3], tonumber(arg[4])
local line = websocket.new_from_uri(url, { "chinwag.v1" })
assert(line:connect(30))
-- A request of the fields given; they need no escapes.
local function say(...)
  local fields = {}
  for index = 1, select("#", ...), 2 do
    fields[#fields + 1] = ("%q:%q"):format(select(index, ...), (select(index + 1, ...)))
  end
  assert(line:send("{" .. table.concat(fields, ",") .. "}"))
end

local said = 0
say("op", "hello", "id", "h", "name", name)
for text in line:each() do
  local id, code = text:match '"id":"(.)","code":(%d+)'
  assert(not code or code == "0", text)
  if id == "h" then
    say("op", "join", "id", "j", "room", room)
  elseif id and said < count then
    say("op", "send", "id", "s", "room", room, "text", name .. " " .. said)
    said = said + 1
  elseif text:find('"text":"good bye ' .. name .. '"', 1, true) then
    print(version.name .. " " .. version.version)
    line:close(1000)
    os.exit(0)
  end
end
error "closed"
