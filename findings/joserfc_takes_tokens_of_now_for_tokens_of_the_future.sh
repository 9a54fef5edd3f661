#!/usr/bin/env bash
# Guess:   a token that was issued a moment ago, by the same clock, is valid. `iat` may have a fraction (RFC 7519, 2: a
#          NumericDate may be a non-integer), as Python's `time.time()` has, and says when it was issued, not from when on
#          it holds: that is `nbf` (4.1.5, 4.1.6).
# Truth:   joserfc compares `iat` with the whole seconds of its own clock. With `"iat": time.time()` a token is "issued in the
#          future" for the rest of its first second, also for who has issued it, and holds from then on: a login fails at
#          once and succeeds when it is tried again. PyJWT, python-jose and jwcrypto take it.
# Version: joserfc 1.8.0, PyJWT 2.15.1, python-jose 3.5.0, jwcrypto 1.6.1 (PyPI). Source: `validate_iat` and `_generate_now`
#          in joserfc's claims.py; `JWTClaimsRegistry` has `leeway=0`.
# So:      who issues writes `int(time.time())`, and who reads says `JWTClaimsRegistry(leeway=5)`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check joserfc==1.8.0 pyjwt==2.15.1 python-jose==3.5.0 jwcrypto==1.6.1

cat >find.py <<'PYTHON'
import time
import jose.jwt
import jwt
from joserfc import jwt as joserfc
from joserfc.jwk import OctKey
from jwcrypto import jwk
from jwcrypto.jwt import JWT

SECRET = "x" * 32
KEY = OctKey.import_key(SECRET)

def read_by_joserfc(token, leeway=0):
    joserfc.JWTClaimsRegistry(leeway=leeway).validate(joserfc.decode(token, KEY).claims)

readers = {
    "joserfc": read_by_joserfc,
    "joserfc, leeway=5": lambda token: read_by_joserfc(token, leeway=5),
    "PyJWT": lambda token: jwt.decode(token, SECRET, algorithms=["HS256"]),
    "python-jose": lambda token: jose.jwt.decode(token, SECRET, algorithms=["HS256"]),
    "jwcrypto": lambda token: JWT(jwt=token, key=jwk.JWK.from_password(SECRET), algs=["HS256"]),
}

def said(name, now):
    """What it says of a token that was issued at that time, just now."""
    token = joserfc.encode({"alg": "HS256"}, {"sub": "ann", "iat": now, "exp": int(now) + 60}, KEY)
    try:
        readers[name](token)
        return "taken"
    except Exception as error:
        return str(error)

def moment():
    """A time that is well inside its second."""
    while not 0.1 < time.time() % 1 < 0.8:
        time.sleep(0.05)
    return time.time()

refused = []
for name in readers:
    fraction, whole = said(name, moment()), said(name, int(moment()))
    print(f"{name:18} with a fraction: {fraction:52} whole: {whole}")
    assert whole == "taken", "whole seconds are another matter now"
    if fraction != "taken":
        refused.append(name)
assert refused == ["joserfc"], "others refuse a token of now"

now = moment()
token = joserfc.encode({"alg": "HS256"}, {"sub": "ann", "iat": now}, KEY)
time.sleep(1.1 - now % 1)
read_by_joserfc(token)
print(f"joserfc, {time.time() - now:.1f} s later: taken")
PYTHON
timeout 60 venv/bin/python find.py
echo "as found: joserfc 1.8.0 takes a token whose iat has a fraction for one of the future until its second is over"
