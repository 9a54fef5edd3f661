# Ruby's faye-websocket. See ../others.py for what it does.
require "eventmachine"
require "faye/websocket"
require "json"

url, room, name, count = ARGV
said = 0
closing = false
EM.run do
  line = Faye::WebSocket::Client.new(url, ["chinwag.v1"])
  say = ->(request) { line.send(JSON.generate(request)) }
  line.on(:open) { say.({ op: "hello", id: "h", name: name }) }
  line.on(:message) do |event|
    message = JSON.parse(event.data)
    abort(event.data) if message["code"].to_i != 0
    if message["id"] == "h"
      say.({ op: "join", id: "j", room: room })
    elsif message["id"] && said < count.to_i
      say.({ op: "send", id: "s", room: room, text: "faye #{said}" })
      said += 1
    elsif message["text"] == "good bye #{name}"
      puts "faye-websocket #{Gem.loaded_specs["faye-websocket"]&.version || "of Debian"}"
      closing = true
      line.close(1000)
    end
  end
  line.on(:close) { |event| closing && event.code == 1000 ? EM.stop : abort("closed with #{event.code}") }
end
