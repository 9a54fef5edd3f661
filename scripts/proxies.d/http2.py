"""A WebSocket by HTTP/2: extended CONNECT (RFC 8441), as browsers do on the connection of a page where the proxy says that
it may be done. Just enough of HTTP/2 for one stream, whose fields are written without a table."""

import json
import socket

from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping, TextMessage

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK, END_HEADERS = 1, 4
ENABLE_CONNECT_PROTOCOL = 8
# `:status: 200`, of the static table (RFC 7541, appendix A).
STATUS_200 = 0x88


class Http2Line:
    """A connection that is one WebSocket, at `/ws` of a proxy."""

    def __init__(self, port, patience):
        self.line = socket.create_connection(("127.0.0.1", port), patience)
        self.frames, self.unread, self.text, self.messages = Connection(ConnectionType.CLIENT), b"", "", []
        self.line.sendall(PREFACE)
        self.write(SETTINGS, b"", stream=0)
        assert self.read(SETTINGS).get(ENABLE_CONNECT_PROTOCOL) == 1, "extended CONNECT is not allowed"
        fields = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":scheme": "http",
            ":path": "/ws",
            ":authority": f"127.0.0.1:{port}",
            "sec-websocket-version": "13",
            "sec-websocket-protocol": "chinwag.v1",
        }
        strings = [bytes([len(part)]) + part.encode() for field in fields.items() for part in field]
        # Literals without indexing (RFC 7541, 6.2.2).
        self.write(HEADERS, b"".join(b"\0" + name + value for name, value in zip(strings[::2], strings[1::2])), END_HEADERS)
        answer = self.read(HEADERS)
        assert answer[0] == STATUS_200, f"it is refused: {answer}"

    def write(self, kind, payload, flags=0, stream=1):
        self.line.sendall(len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload)

    def take(self, count):
        while len(self.unread) < count:
            piece = self.line.recv(65536)
            assert piece, "the end of the connection"
            self.unread += piece
        taken, self.unread = self.unread[:count], self.unread[count:]
        return taken

    def read(self, wanted):
        """The payload of the next frame of this kind; of settings what they are."""
        while True:
            head = self.take(9)
            kind, flags, payload = head[3], head[4], self.take(int.from_bytes(head[:3], "big"))
            assert kind not in (RST_STREAM, GOAWAY), f"frame {kind}: {payload}"
            if kind == SETTINGS and not flags & ACK:
                self.write(SETTINGS, b"", ACK, stream=0)
                pairs = [payload[at : at + 6] for at in range(0, len(payload), 6)]
                payload = {int.from_bytes(pair[:2], "big"): int.from_bytes(pair[2:], "big") for pair in pairs}
            elif kind == PING and not flags & ACK:
                self.write(PING, payload, ACK, stream=0)
            elif kind == DATA and payload:
                for stream in (0, 1):
                    self.write(WINDOW_UPDATE, len(payload).to_bytes(4, "big"), stream=stream)
            if kind == wanted and not (kind == SETTINGS and flags & ACK):
                return payload

    def say(self, **request):
        self.write(DATA, self.frames.send(TextMessage(data=json.dumps(request))))

    def hear(self, is_wanted):
        """The next message that is wanted. A ping, which is answered, is the message `{"ping": true}`."""
        while True:
            for message in self.messages:
                if is_wanted(message):
                    self.messages.remove(message)
                    return message
            self.frames.receive_data(self.read(DATA))
            for event in self.frames.events():
                if isinstance(event, Ping):
                    self.write(DATA, self.frames.send(event.response()))
                    self.messages.append({"ping": True})
                elif isinstance(event, TextMessage):
                    self.text += event.data
                    if event.message_finished:
                        self.messages.append(json.loads(self.text))
                        self.text = ""
                else:
                    raise AssertionError(f"not heard: {event}")
