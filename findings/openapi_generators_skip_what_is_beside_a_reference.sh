#!/usr/bin/env bash
# Guess:   in OpenAPI 3.1 a schema is one of JSON Schema 2020-12, in which what stands beside `$ref` holds too (8.2.3.1), as
#          it did not in 3.0: `{"$ref": …Message, "required": ["seq"]}` is a message that has a `seq`, and `properties`
#          beside it adds to it. The `description` beside it is read by all.
# Truth:   openapi-typescript, @hey-api/openapi-ts and openapi-python-client read only the reference, though
#          they read 3.1: `seq` stays optional, and the added property is in no type.
#          datamodel-code-generator reads both. `allOf` around the two says the same to all of them.
# Version: openapi-typescript 7.13.0 with typescript 5.9.3, @hey-api/openapi-ts 0.95.0 (npm); openapi-python-client 0.29.1,
#          datamodel-code-generator 0.89.0 (PyPI). Source: what is generated, as printed.
# So:      a description that others generate clients from says `allOf: [{$ref}, {required}]`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check openapi-python-client==0.29.1 datamodel-code-generator==0.89.0
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund openapi-typescript@7.13.0 typescript@5.9.3 @hey-api/openapi-ts@0.95.0

cat >find.py <<'PYTHON'
import json
import pathlib
import re
import subprocess

REFERENCE = {"$ref": "#/components/schemas/Message"}
MORE = {"required": ["seq", "note"], "properties": {"note": {"type": "string"}}}

def describe(page):
    message = {"type": "object", "properties": {"seq": {"type": "integer"}}}
    answer = {"description": "a page", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "chat", "version": "1"},
        "paths": {"/page": {"get": {"operationId": "page", "responses": {"200": answer}}}},
        "components": {"schemas": {"Message": message, "Page": {"type": "object", "properties": {"first": page}}}},
    }

GENERATORS = {
    "openapi-typescript": ["node_modules/.bin/openapi-typescript", "in.json", "-o", "out/all.ts"],
    "hey-api": ["node_modules/.bin/openapi-ts", "-i", "in.json", "-o", "out", "-p", "@hey-api/typescript"],
    "openapi-python-client": ["venv/bin/openapi-python-client", "generate", "--path", "in.json", "--output-path", "out",
                              "--overwrite", "--meta", "none"],
    "datamodel-code-generator": ["venv/bin/datamodel-codegen", "--input", "in.json", "--input-file-type", "openapi",
                                 "--output", "out/all.py"],
}

def has_note(argv, page):
    """Whether the property that stands beside the reference is in what is generated."""
    subprocess.run(["rm", "-rf", "out"], check=True)
    pathlib.Path("out").mkdir()
    pathlib.Path("in.json").write_text(json.dumps(describe(page)))
    # Formatters that are not there are no matter.
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    written = "\n".join(path.read_text() for path in pathlib.Path("out").rglob("*.[tp][sy]"))
    assert re.search(r"\bMessage\b", written), "nothing was generated"
    return bool(re.search(r"\bnote\b", written))

found = {}
for name, argv in GENERATORS.items():
    beside, around = has_note(argv, {**REFERENCE, **MORE}), has_note(argv, {"allOf": [REFERENCE, MORE]})
    found[name] = beside
    says = {True: "read", False: "not read"}
    print(f"{name:25} beside $ref: {says[beside]:9} in allOf: {says[around]}")
    assert around, f"{name} does not read allOf"
expected = dict.fromkeys(GENERATORS, False) | {"datamodel-code-generator": True}
assert found == expected, "others read it now"
PYTHON
python3 find.py
echo "as found: of four generators for OpenAPI 3.1 one reads what stands beside a reference"
