"""Files at nodes that share a folder: sent at one, read at another, gone with their messages; and at a node whose folder
is another one, which says so and refuses them, while people talk there."""

import hashlib
import http.client
import json
import os
import subprocess
import time

from engines import ACCOUNT
from nodes import engine_with_schema, run, without_panics
from people import CHINWAG, PATIENCE, Client, Node, check


def request(node, method, target, body=None):
    """The status, and the object or bytes that come."""
    connection = http.client.HTTPConnection(node.http, timeout=PATIENCE)
    connection.request(method, target, body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status, json.loads(content) if is_json else content


def until(wanted, ask):
    """Asks until this comes."""
    deadline = time.monotonic() + 3 * PATIENCE
    while (found := ask()) != wanted:
        assert time.monotonic() < deadline, f"{found} in place of {wanted}"
        time.sleep(0.05)


def put(node, user, content):
    """Sends a file, once the node has found its folder right."""
    target = f"/files/{hashlib.sha256(content).hexdigest()}?as={user}"
    deadline = time.monotonic() + 3 * PATIENCE
    while (answer := request(node, "PUT", target, content))[0] == 503:
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    return answer


def kept(share):
    """Names of what is in files."""
    return sorted(path.name for path in share.glob("??/*"))


def say(client, *ids):
    return client.ask("send", room="lobby", text="see", data={"files": [{"id": each, "name": "x"} for each in ids]})["seq"]


def read(node, seq, file, user):
    return request(node, "GET", f"/rooms/lobby/messages/{seq}/files/{file}?as={user}")


def shared(share, one, other):
    ann, bob = Client(one, "ann"), Client(other, "bob")
    ann.ask("join", room="lobby"), bob.ask("join", room="lobby")
    status, stored = put(one, "ann", b"seen everywhere")
    assert status == 201, (status, stored)
    # The same once more, at the other node.
    assert put(other, "ann", b"seen everywhere") == (200, stored)
    seq = say(ann, stored["id"])
    bob.event("message", seq=seq)
    assert read(other, seq, stored["id"], "bob") == (200, b"seen everywhere")
    refused = bob.request("send", room="lobby", text="mine?", data={"id": stored["id"]})
    assert refused["code"] == 4002 and refused["data"]["field"] == "data", refused
    # What two have sent at two nodes is kept once.
    status, of_bob = put(other, "bob", b"seen everywhere")
    assert status == 201 and of_bob["id"] != stored["id"], of_bob
    assert len(kept(share)) == 1, kept(share)
    second = say(Client(one, "bob"), of_bob["id"])
    bob.event("message", seq=second)
    ann.ask("delete", room="lobby", target=seq)
    assert read(one, seq, stored["id"], "bob")[0] == 404
    assert read(one, second, of_bob["id"], "ann") == (200, b"seen everywhere")
    Client(other, "bob").ask("delete", room="lobby", target=second)
    until([], lambda: kept(share))


def quota(one, other):
    """The files of a user count at all nodes together."""
    assert put(one, "greedy", b"a" * 600)[0] == 201
    status, refused = put(other, "greedy", b"b" * 500)
    assert status == 507 and refused["code"] == 5005 and "400 bytes more" in refused["message"], refused


def lost(one, other):
    """A node that is killed while something comes leaves nothing that counts, and the other takes it."""
    content = os.urandom(1000)
    target = f"/files/{hashlib.sha256(content).hexdigest()}?as=dora"
    connection = http.client.HTTPConnection(other.http, timeout=PATIENCE)
    connection.putrequest("PUT", target)
    connection.putheader("Content-Length", "1000")
    connection.endheaders()
    connection.send(content[:500])
    until((200, {"offset": 500}), lambda: request(other, "GET", target))
    other.end("kill")
    assert put(one, "dora", content)[0] == 201
    other.start()
    other.await_ready()
    until(200, lambda: request(other, "GET", target)[0])
    assert request(other, "GET", target)[1].get("size") == 1000


def said_by_check(engine, *arguments):
    done = subprocess.run([CHINWAG, "cluster", "check", engine.address(), *arguments], capture_output=True, text=True,
                          timeout=3 * PATIENCE, env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stdout + done.stderr


def apart(folder, engine, share, one):
    """A node with another folder says so, and refuses files; people talk there. With the right one it takes them."""
    alone = folder / "alone"
    alone.mkdir()
    node = Node(folder, "three", engine, files_dir=str(alone), **SIZES).await_ready()
    try:
        until(True, lambda: "three" in said_by_check(engine)[1])
        until(True, lambda: "is not the one that the other nodes share" in said_by_check(engine)[1])
        code, said = said_by_check(engine)
        assert code == 1 and "bad: files at three" in said, said
        status, refused = request(node, "POST", "/files?as=eve", b"x")
        assert status == 503 and refused["code"] == 5004 and "the others share" in refused["message"], (status, refused)
        eve = Client(node, "eve")
        eve.ask("join", room="lobby")
        eve.ask("send", room="lobby", text="still here")
        # A copy of the folder is another one, too.
        (alone / "mark").write_bytes((share / "mark").read_bytes())
        until(True, lambda: "has just written" in said_by_check(engine)[1])
        assert request(node, "POST", "/files?as=eve", b"x")[0] == 503
        assert said_by_check(engine, "--files", str(alone))[0] == 1
        assert request(one, "POST", "/files?as=eve", b"x")[0] == 201
        assert kept(alone) == []
    finally:
        assert node.end() == 0
    node.settings["files_dir"] = str(share)
    node.start()
    node.await_ready()
    assert put(node, "eve", b"as everybody")[0] == 201
    until(0, lambda: said_by_check(engine, "--files", str(share))[0])
    assert f"{share} is that folder" in said_by_check(engine, "--files", str(share))[1]
    assert node.end() == 0


SIZES = {"files_bytes": "1000", "files_per_user": "1000", "files_total": "100000"}


def main(folder):
    engine = engine_with_schema(folder)
    share = folder / "share"
    share.mkdir()
    if ACCOUNT:
        share.chmod(0o777)
    nodes = [Node(folder, name, engine, files_dir=str(share), **SIZES).await_ready() for name in ("one", "two")]
    check("a file that was sent at one node is read at the other, and goes with its messages", shared, share, *nodes)
    check("the files of a user count at all nodes together", quota, *nodes)
    check("what was half sent to a node that is killed is sent to another", lost, *nodes)
    check("a node with another folder refuses files and says why, and chats", apart, folder, engine, share, nodes[0])
    for node in nodes:
        check("nodes with files stop in good order", lambda: node.end() == 0 or 1 / 0)
    without_panics(folder)
    engine.stop()


if __name__ == "__main__":
    run(main)
