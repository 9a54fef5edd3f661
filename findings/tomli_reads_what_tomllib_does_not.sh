#!/usr/bin/env bash
# Guess:   tomli is `tomllib` for Pythons that have none: who asks for `tomli >= 1.1.0 ; python_version < "3.11"`, as its page
#          says, and imports the one or the other, reads the same files everywhere, and no new Python reads less than an
#          old one.
# Truth:   tomli reads TOML 1.1 since 2.4, the `tomllib` of Python 3.11 to 3.14 reads 1.0: an inline table over several lines
#          or with a comma at its end, a time without seconds, `\e` and `\x41` are read by the program on Python 3.10, and are
#          a TOMLDecodeError on 3.11. tomlkit and rtoml read them, too, as do smol-toml and Rust's toml; npm's @iarna/toml
#          does not.
# Version: tomli 2.5.0, tomlkit 0.15.2, rtoml 0.14.0 (PyPI), @iarna/toml 3.0.0, smol-toml 1.9.1 (npm), Node 24.9.0 (npm's node),
#          Python 3.11. Source: seen, as printed; tomli's page has "compatible with TOML v1.1.0".
# So:      a program imports tomli in each Python below 3.15, or its files keep to TOML 1.0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund node@24.9.0 @iarna/toml@3.0.0 smol-toml@1.9.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tomli==2.5.0 tomlkit==0.15.2 rtoml==0.14.0

cat >find.mjs <<'JAVASCRIPT'
const { parse } = (await import(process.argv[2])).default;
try {
	parse(process.argv[3]);
} catch {
	process.exit(1);
}
JAVASCRIPT

cat >find.py <<'PYTHON'
import subprocess
import sys
import tomllib
import rtoml
import tomli
import tomlkit

assert (3, 11) <= sys.version_info < (3, 15), "this is about the Pythons from 3.11 to 3.14"
OLD = 'room = {name = "lobby"}\nkeep = 07:32:00'
NEW = {
    "a comma at the end": 'room = {name = "lobby",}',
    "several lines": 'room = {\n  name = "lobby"\n}',
    "no seconds": "keep = 07:32",
    "\\e": 'colour = "\\e[1m"',
    "\\x41": 'letter = "\\x41"',
}

def by_npm(name):
    return lambda text: subprocess.run(["node_modules/.bin/node", "find.mjs", name, text], check=True)

readers = {
    "tomllib": tomllib.loads,
    "tomli": tomli.loads,
    "tomlkit": tomlkit.loads,
    "rtoml": rtoml.loads,
    "smol-toml": by_npm("smol-toml"),
    "@iarna/toml": by_npm("@iarna/toml"),
}

def reads(name, text):
    try:
        readers[name](text)
        return True
    except (ValueError, subprocess.CalledProcessError):
        return False

for name in readers:
    assert reads(name, OLD)
    read = [what for what, text in NEW.items() if reads(name, text)]
    print(f"{name:11} reads of what is new in 1.1: {', '.join(read) or 'nothing'}")
    expected = [] if name in ("tomllib", "@iarna/toml") else list(NEW)
    assert read == expected, "it reads something else now"
PYTHON
timeout 120 venv/bin/python find.py
echo "as found: tomli 2.5.0 reads TOML 1.1, and the tomllib that it stands for reads 1.0"
