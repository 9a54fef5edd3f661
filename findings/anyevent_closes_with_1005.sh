#!/usr/bin/env bash
# Guess:   `$connection->close` without a code sends a Close without a body, which the other side reads as 1005, "no code".
# Truth:   AnyEvent::WebSocket writes 1005 into the frame. That number must never be sent (RFC 6455, 7.4.1), so a server
#          that follows the RFC answers 1002, and what was a good end is a fault in its log and at the client.
# Version: AnyEvent::WebSocket::Client 0.54, as in Debian 12 (0.54-1), whose manual says "By default the code is 1005";
#          websockets 17.4 serves. Source: `close` of AnyEvent::WebSocket::Connection.
# So:      name a code: `$connection->close(1000)`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in libanyevent-websocket-client-perl=0.54-1 libanyevent-perl=7.170-2+b3 libanyevent-connector-perl=0.03-3 \
  libprotocol-websocket-perl=0.26-3 libmoo-perl=2.005005-1 libclass-method-modifiers-perl=2.14-1 \
  librole-tiny-perl=2.002004-1 libsub-quote-perl=2.006008-1 libperlx-maybe-perl=1.202-1 liburi-perl=5.17-1 \
  liburi-ws-perl=0.03-3; do
  apt-get download -qq "$package" 2>/dev/null
done
for file in *.deb; do dpkg -x "$file" .; done
export PERL5LIB=$folder/usr/share/perl5:$(echo "$folder"/usr/lib/*/perl5/5.36)
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check websockets==17.4

cat >client.pl <<'PERL'
use strict;
use warnings;
use AnyEvent;
use AnyEvent::WebSocket::Client;

my ($address, @code) = @ARGV;
my $end = AnyEvent->condvar;
my $connection = AnyEvent::WebSocket::Client->new->connect($address)->recv;
$connection->on(finish => sub { $end->send });
$connection->close(@code);
$end->recv;
PERL

cat >find.py <<'PYTHON'
import asyncio

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def ended(*code):
    """What the server says of a client's good end."""
    end = asyncio.get_running_loop().create_future()

    async def take(socket):
        try:
            await socket.recv()
        except ConnectionClosed as closed:
            end.set_result((closed.rcvd and closed.rcvd.code, closed.sent and closed.sent.code))

    async with serve(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec("perl", "client.pl", f"ws://127.0.0.1:{port}/", *code)
        heard, answered = await asyncio.wait_for(end, 20)
        await client.wait()
    print(f"close({', '.join(code)}): the server has heard the code {heard}, and answers {answered}")
    return heard, answered


async def main():
    assert await ended("1000") == (1000, 1000)
    assert await ended() == (None, 1002)


asyncio.run(main())
PYTHON
venv/bin/python find.py
# Seen on 2026-11-29:
#   close(1000): the server has heard the code 1000, and answers 1000
#   close(): the server has heard the code None, and answers 1002
