"""Has senders that nobody here wrote post to an incoming hook, as they are: slack_sdk, npm's @slack/webhook, apprise in
three of its ways, and Debian's Alertmanager with an alert.

usage: hooks.py HTTP_HOST:PORT SERVER_BINARY DATA

What each has said is read in the room, once and in order, and the hook's secret is on nobody's output.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import apprise
import requests
import slack_sdk
from slack_sdk.models.blocks import ButtonElement, HeaderBlock, MarkdownTextObject, SectionBlock
from slack_sdk.webhook import WebhookClient

PATIENCE = 30
ROOM = "to-hooks"
here = Path(__file__).parent / "hooks"
ALERTMANAGER = """
route: {{receiver: chat, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers: [{{name: chat, webhook_configs: [{{url: "{url}"}}]}}]
"""
ALERT = {
    "labels": {"alertname": "DiskFull", "severity": "page", "instance": "a:9100"},
    "annotations": {"summary": "sda1 at 97 %"},
}


def post(url, fields):
    request = urllib.request.Request(url, json.dumps(fields).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return response.status


def texts(address):
    """What is said in the room, as it is said."""
    url = f"http://{address}/rooms/{ROOM}/events?as=reader&after=0"
    with urllib.request.urlopen(url, timeout=PATIENCE) as stream:
        deadline = time.monotonic() + 3 * PATIENCE
        for line in stream:
            # Comments come for ever.
            assert time.monotonic() < deadline, "what was to be said is not"
            event = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            if event.get("ev") == "message":
                yield event["text"]


def slack_in_python(url):
    client = WebhookClient(url)
    parts = {"title": "It", "title_link": "https://b.example", "fields": [{"title": "disk", "value": "sda1"}]}
    sent = client.send(text="slack_sdk", attachments=[parts])
    assert (sent.status_code, sent.body) == (200, "ok"), sent.body
    assert client.send_dict({}).status_code == 400
    more = ButtonElement(text="More", url="https://c.example", action_id="more")
    blocks = [HeaderBlock(text="Head"), SectionBlock(text=MarkdownTextObject(text="<https://d|it>"), accessory=more)]
    assert client.send(text="Head", blocks=blocks).status_code == 200
    return f"slack_sdk {slack_sdk.version.__version__}"


def slack_in_node(url):
    done = subprocess.run(["node", here / "slack.mjs", url], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def by_apprise(url):
    place = url.removeprefix("http://")
    for kind in (f"json://{place}", f"form://{place}", "mmost://{}/{}".format(*place.split("/hooks/"))):
        sender = apprise.Apprise()
        assert sender.add(kind) and sender.notify(title="apprise", body=kind.split(":")[0]), kind
    return f"apprise {apprise.__version__}"


def forms_of_parts(url):
    """As Uptime Kuma sends it, and as a person does."""
    kuma = {"data": (None, json.dumps({"monitor": {"name": "web"}, "msg": "[web] [DOWN] timeout"}))}
    assert requests.post(url, files=kuma, timeout=PATIENCE).text == "ok"
    argv = ["curl", "-sS", "--fail", "-F", "title=curl", "-F", "message=-F", url]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE).stdout == "ok"
    return f"requests {requests.__version__} and curl, forms of several parts"


@contextmanager
def alertmanager(url):
    """Where it listens, on a port of the system's choice."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "alertmanager.yml")
        config.write_text(ALERTMANAGER.format(url=url))
        argv = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder}/data"]
        argv += ["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
            # Whoever waits for a line that never comes is woken by the end.
            watchdog = threading.Timer(2 * PATIENCE, process.kill)
            watchdog.start()
            said = []
            try:
                for line in process.stderr:
                    said.append(line)
                    if found := re.search(r'msg="Listening on" address=(\S+)', line):
                        break
                else:
                    raise AssertionError("".join(said))
                # What nobody reads stops who writes it.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield f"http://{found[1]}"
            finally:
                watchdog.cancel()
                process.terminate()
                process.wait(PATIENCE)


def alerts(url, heard):
    with alertmanager(url) as place:
        assert post(f"{place}/api/v2/alerts", [ALERT]) == 200
        assert next(heard) == "[FIRING] DiskFull (page, a:9100): sda1 at 97 %"
        assert post(f"{place}/api/v2/alerts", [{**ALERT, "endsAt": "2020-01-01T00:00:00Z"}]) == 200
        assert next(heard) == "[RESOLVED] DiskFull (page, a:9100): sda1 at 97 %"
    said = subprocess.run(["prometheus-alertmanager", "--version"], capture_output=True, text=True)
    return "Alertmanager {}".format((said.stdout + said.stderr).split()[2])


def main():
    address, binary, data = sys.argv[1:]
    argv = [binary, "--data", data, "hook", "add", ROOM]
    path = subprocess.run(argv, env={}, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    url = f"http://{address}{path}"
    # A running server knows it within two seconds.
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            post(url, {"text": "first"})
            break
        except urllib.error.HTTPError as error:
            assert error.code == 404 and time.monotonic() < deadline, error
            time.sleep(0.05)
    heard = texts(address)
    assert next(heard) == "first"
    for sender, expect in (
        (slack_in_python, ["slack_sdk\nIt https://b.example\ndisk: sda1", "Head\nit (https://d)\nMore\nhttps://c.example"]),
        (slack_in_node, ["npm @slack/webhook\ndisk sda1 (https://a.example) & more"]),
        (by_apprise, ["apprise\njson", "apprise\nform", "apprise\nmmost"]),
        (forms_of_parts, ["[web] [DOWN] timeout", "curl\n-F"]),
        (lambda url: alerts(url, heard), []),
    ):
        name = sender(url)
        said = [next(heard) for _ in expect]
        assert said == expect, said
        print(f"  {name}")


main()
