#!/usr/bin/env bash
# Guess:   an issuer with one key needs no `kid`, neither in the key nor in its tokens: both are optional (RFC 7517, 4.5;
#          RFC 7515, 4.1.4), and there is nothing to choose from.
# Truth:   `PyJWKClient` leaves out the keys that have none: "The JWKS endpoint did not contain any signing keys", of a set
#          that has one. Where the key has one and the token none, it looks for the key that is called "None". joserfc and
#          jwcrypto verify the token in both cases.
# Version: PyJWT 2.15.1, joserfc 1.8.0, jwcrypto 1.6.1 (PyPI). Source: `get_signing_keys` and `match_kid` in jwks_client.py.
# So:      an issuer gives each key an id and names it in its tokens, and who reads one that does not takes the key of
#          `get_jwk_set()` itself.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "pyjwt[crypto]==2.15.1" joserfc==1.8.0 jwcrypto==1.6.1

cat >find.py <<'PYTHON'
import http.server
import json
import threading
import jwt
from joserfc import jwt as joserfc
from joserfc.jwk import KeySet
from jwcrypto import jwk
from jwcrypto.jwt import JWT

key = jwk.JWK.generate(kty="EC", crv="P-256")
plain = {name: value for name, value in json.loads(key.export_public()).items() if name != "kid"}

class Issuer(http.server.BaseHTTPRequestHandler):
    """Answers with the set of keys that is the server's."""
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/jwk-set+json")
        self.end_headers()
        self.wfile.write(json.dumps(self.server.keys).encode())

    def log_message(self, *_):
        pass

def by_pyjwt(token, keys):
    issuer = http.server.HTTPServer(("127.0.0.1", 0), Issuer)
    issuer.keys = keys
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    client = jwt.PyJWKClient(f"http://127.0.0.1:{issuer.server_port}/")
    return jwt.decode(token, client.get_signing_key_from_jwt(token).key, algorithms=["ES256"])

def by_pyjwt_without_client(token, keys):
    return jwt.decode(token, jwt.PyJWKSet.from_dict(keys).keys[0].key, algorithms=["ES256"])

readers = {
    "PyJWKClient": by_pyjwt,
    "PyJWKSet": by_pyjwt_without_client,
    "joserfc": lambda token, keys: joserfc.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims,
    "jwcrypto": lambda token, keys: json.loads(
        JWT(jwt=token, key=jwk.JWKSet.from_json(json.dumps(keys)), algs=["ES256"]).claims),
}

def said(name, in_key, in_token):
    headers = {"kid": "1"} if in_token else None
    token = jwt.encode({"sub": "ann"}, key.export_to_pem(True, None), algorithm="ES256", headers=headers)
    try:
        return readers[name](token, {"keys": [plain | ({"kid": "1"} if in_key else {})]})["sub"]
    except Exception as error:
        return str(error)

NONE, NO_SUCH = "The JWKS endpoint did not contain any signing keys", 'Unable to find a signing key that matches: "None"'
for name in readers:
    found = [said(name, in_key, in_token) for in_key, in_token in [(True, True), (True, False), (False, False)]]
    print(f"{name}\n  id in key and token: {found[0]}\n  in the key alone:    {found[1]}\n  in none:             {found[2]}")
    expected = ["ann", NO_SUCH, NONE] if name == "PyJWKClient" else ["ann"] * 3
    assert found == expected, "it is another matter now"
PYTHON
timeout 60 venv/bin/python find.py
echo "as found: the PyJWKClient of PyJWT 2.15.1 sees no key that has no id"
