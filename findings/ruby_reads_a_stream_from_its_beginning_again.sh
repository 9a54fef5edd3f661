#!/usr/bin/env bash
# Guess:   a block of `Net::HTTP#request` sees one response; when nothing comes for `read_timeout` (60 s), an error says so,
#          and how to go on is the program's matter.
# Truth:   the timeout of a GET is not told: the request is sent a second time, and the same call of `request` runs the
#          block anew, with another response, though it has read half of the first. Who reads events there has those
#          of the beginning twice, or loses what was between, as the second request has no `Last-Event-ID`. Only
#          the second silence is an error. `max_retries = 0` ends it.
# Version: Ruby 3.1, as in Debian 12 (3.1.7+really3.1.2-0+deb12u1). Source: `transport_request` in net/http.rb, whose
#          `begin` has the block inside; the page of `max_retries` speaks of "an idempotent request", not of a block.
# So:      a reader of events sets `max_retries = 0`, and `read_timeout` above the time between two comments.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in ruby3.1 libruby3.1; do
  apt-get download -qq "$package=3.1.7+really3.1.2-0+deb12u1" 2>/dev/null
done
for file in *.deb; do dpkg -x "$file" .; done
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu)
RUBYLIB=$folder/usr/lib/ruby/3.1.0:$LD_LIBRARY_PATH/ruby/3.1.0
export LD_LIBRARY_PATH RUBYLIB
usr/bin/ruby3.1 --version

cat >find.rb <<'RUBY'
require "net/http"
require "socket"

# Starts a stream of events for each request and leaves it silent after the first one; its requests are counted.
def serve(requests)
  server = TCPServer.new("127.0.0.1", 0)
  Thread.new do
    loop do
      Thread.new(server.accept) do |line|
        nil until line.gets == "\r\n"
        requests << line
        line.write "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello, #{requests.size}\n\n"
        sleep
      end
    end
  end
  server.addr[1]
end

# How often the block of one call of `request` has run, and what it has read.
def read(retries)
  runs, texts, requests = 0, [], []
  http = Net::HTTP.new("127.0.0.1", serve(requests))
  http.read_timeout = 1
  http.max_retries = retries if retries
  begin
    http.request(Net::HTTP::Get.new("/")) do |response|
      runs += 1
      response.read_body { |text| texts << text.strip }
    end
  rescue Net::ReadTimeout => error
    return runs, texts, error.class
  end
end

[nil, 0].each do |retries|
  runs, texts, error = read(retries)
  puts "max_retries #{retries || 'as it is'}: the block has run #{runs} times and read #{texts}, then #{error}"
  expected = retries ? [1, ["data: hello, 1"]] : [2, ["data: hello, 1", "data: hello, 2"]]
  abort "it is another matter now" unless [runs, texts] == expected
end
RUBY
timeout 30 usr/bin/ruby3.1 find.rb
echo "as found: Ruby 3.1 runs the block of a GET again when the response has fallen silent"
