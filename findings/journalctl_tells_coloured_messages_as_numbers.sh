#!/usr/bin/env bash
# Guess:   in `journalctl -o json` MESSAGE is a string, as in each example, and `jq -r .MESSAGE`, or a shipper of logs that
#          reads it, has the text of every line.
# Truth:   a text with a control character other than tab and line feed (a colour, a carriage return at its end, U+0085) is
#          an array of numbers, its bytes, though it is UTF-8 and JSON could say it as "\u001b"; one of 4 KiB is null,
#          unless `--all` is given, and the name counts, so that it begins at 4088 bytes.
# Version: systemd 252, as in Debian 12 (252.39-1~deb12u2). Source: journalctl(1) at `--output=json`, which says both, null for
#          "fields larger than 4096 bytes" and arrays for "non-printable or non-UTF8" ones; what that is, is seen below.
# So:      a service writes no colours where it does not write to a terminal, and who ships its logs gives `--all`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
version=252.39-1~deb12u2
for package in {systemd,libsystemd0,libsystemd-shared,systemd-journal-remote}="$version" libmicrohttpd12=0.9.75-6; do
  apt-get download -qq "$package" 2>/dev/null
done
for file in *.deb; do dpkg -x "$file" .; done
LD_LIBRARY_PATH=$(echo "$folder"/usr/lib/*-linux-gnu):$(echo "$folder"/usr/lib/*-linux-gnu/systemd)
export LD_LIBRARY_PATH
bin/journalctl --version | head -1

cat >find.py <<'PYTHON'
import json
import struct
import subprocess

MESSAGES = {
    "plain": "hello",
    "letters, and two lines": "\tGröße 日\n👋",
    "a colour": "\x1b[32mINFO\x1b[0m",
    "CR at its end": "hello\r",
    "U+0085 inside": "hel\u0085lo",
    "4087 bytes": "a" * 4087,
    "4088 bytes": "a" * 4088,
}

# The export format of the journal: a field with a line feed in it is preceded by its length.
entries = b""
for number, text in enumerate(MESSAGES.values(), 1):
    head = f"__REALTIME_TIMESTAMP={1_700_000_000_000_000 + number}\n__MONOTONIC_TIMESTAMP={number}\n_BOOT_ID={'ab' * 16}\n"
    payload = text.encode()
    entries += head.encode() + b"MESSAGE\n" + struct.pack("<Q", len(payload)) + payload + b"\n\n"
remote = ["lib/systemd/systemd-journal-remote", "--output=some.journal", "-"]
subprocess.run(remote, input=entries, check=True, stderr=subprocess.DEVNULL)

def kinds(*options):
    """How each message is told: `text`, `numbers` or `null`."""
    argv = ["bin/journalctl", "--file=some.journal", "--output=json", "--no-pager", *options]
    told = [json.loads(line)["MESSAGE"] for line in subprocess.check_output(argv).splitlines()]
    found = []
    for value, text in zip(told, MESSAGES.values(), strict=True):
        assert value in (None, text, list(text.encode())), "it is told in another way now"
        found.append("null" if value is None else "text" if value == text else "numbers")
    return found

usual, all_of_it = kinds(), kinds("--all")
for row in zip(MESSAGES, usual, all_of_it):
    print("{:24} {:8} with --all: {}".format(*row))
assert usual == ["text", "text", "numbers", "numbers", "numbers", "text", "null"], "it is another matter now"
assert all_of_it == usual[:-1] + ["text"], "--all is another matter now"
PYTHON
python3 find.py
echo "as found: journalctl of systemd 252 tells a message in colour as numbers, and a long one as null"
