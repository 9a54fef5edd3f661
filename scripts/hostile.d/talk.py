"""Raw conversations: bytes are sent as they are, and answers are taken apart by a reader of their own."""

import socket
import urllib.request

PATIENCE = 8
# A field that this server puts into each answer and that no proxy adds.
OURS = b"permissions-policy:"


def converse(address, data, patience=PATIENCE, is_last_word=True):
    """All that comes back for these bytes, and whether the other end has closed. After its last word a client sends FIN."""
    heard = b""
    with socket.create_connection(address, patience) as line:
        line.settimeout(patience)
        try:
            line.sendall(data)
            if is_last_word:
                line.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while piece := line.recv(65536):
                heard += piece
            return heard, True
        except (ConnectionError, BrokenPipeError):
            return heard, True
        except TimeoutError:
            return heard, False


def answers(heard):
    """The status of each answer, and whether this server made it."""
    found = []
    while heard.startswith(b"HTTP/"):
        head, _, rest = heard.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        status = int(lines[0].split()[1])
        found.append((status, any(line.startswith(OURS) for line in lines)))
        if status == 101:
            break
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        if 100 <= status < 200:
            length = 0
        heard = rest[length:]
    return found


scrapes = 0


def responses(admin):
    """How many answers the server has given, but for those to this function."""
    global scrapes
    count = counter(admin, "chinwag_http_responses_total") - scrapes
    scrapes += 1
    return count


def counter(admin, name):
    """The sum of a series of the metrics page."""
    with urllib.request.urlopen(f"http://{admin}/metrics", timeout=PATIENCE) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{")))
