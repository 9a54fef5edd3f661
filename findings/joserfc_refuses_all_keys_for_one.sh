#!/usr/bin/env bash
# Guess:   of a set of JSON Web Keys what a library does not know is passed over, and the rest serves (RFC 7517, 5: keys with
#          types that are not understood, or with values "out of the supported ranges", SHOULD be ignored): an issuer may
#          put a key of a new curve beside the old ones before everybody knows it.
# Truth:   joserfc passes over a key whose type it does not know. One of a type that it knows, with a curve that it does not
#          (`BP-256`), or with a `use` of its own, which section 4.2 allows, makes it refuse the whole set, and with it
#          each token of the issuer. The error is a KeyError with the curve's name. PyJWT and jwcrypto take the rest.
# Version: joserfc 1.8.0, PyJWT 2.15.1, jwcrypto 1.6.1 (PyPI). Source: `import_key_set` in joserfc's _keys.py, which
#          catches the error of an unknown type and no other.
# So:      who reads a set with it hands over the keys one by one, and an issuer publishes plain keys alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check joserfc==1.8.0 pyjwt==2.15.1 jwcrypto==1.6.1

cat >find.py <<'PYTHON'
import json
import jwt
from joserfc.jwk import KeySet
from jwcrypto import jwk

good = json.loads(jwk.JWK.generate(kty="EC", crv="P-256", kid="good").export_public())
others = {
    "an unknown type": {"kty": "XYZ", "kid": "other", "pub": "AAAA"},
    "an unknown curve": {"kty": "EC", "crv": "BP-256", "x": "AAAA", "y": "AAAA", "kid": "other"},
    "a use of its own": dict(good, kid="other", use="attest"),
}
readers = {
    "joserfc": lambda keys: [key.kid for key in KeySet.import_key_set(keys).keys],
    "PyJWT": lambda keys: [key.key_id for key in jwt.PyJWKSet.from_dict(keys).keys],
    "jwcrypto": lambda keys: [key.get("kid") for key in jwk.JWKSet.from_json(json.dumps(keys))],
}
refused = []
for what, other in others.items():
    for name, read in readers.items():
        try:
            found = "good" in read({"keys": [other, good]}) and "has the good key"
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
            refused.append((what, name))
        print(f"beside {what:17} {name:9} {found}")
expected = [("an unknown curve", "joserfc"), ("a use of its own", "joserfc")]
assert refused == expected, "other sets are refused now"
PYTHON
venv/bin/python find.py
echo "as found: joserfc 1.8.0 refuses a set of keys for one whose curve or use it does not know"
