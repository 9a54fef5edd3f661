"""Tokens that PyJWT and npm's jose have made: each is accepted or refused as due.

usage: tokens.py SERVER FOLDER

The libraries only make them; what becomes of each stands in the table. What no library makes is a good token of theirs
that was changed afterwards. Meanwhile strace writes down what the server opens and connects to: nothing that a token
names, since a token has it open and connect to nothing.
"""

import base64
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

SECRET = b"a secret of this test, of more than 32 bytes"
ISSUER, AUDIENCE = "https://app.example.org", "chat"
GOOD, NO, EXPIRED, NOT_OURS = 0, 2001, 2002, 2003
here = Path(__file__).parent


def pem(key):
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()


def public(key):
    return key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo).decode()


def keys():
    own = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate()}
    other = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate()}
    return own, other


def claims(now, **more):
    all_of_it = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now - 10, "nbf": now - 10, "exp": now + 600, **more}
    return {name: value for name, value in all_of_it.items() if value is not ...}


def table(now):
    """What a token says, by which key and algorithm it is signed, and what becomes of it: `what, alg, header, claims, signed by, expected`."""
    rows = []

    def row(what, expected, alg="HS256", header=None, by=None, **more):
        rows.append((f"{alg}: {what}", alg, {"kid": alg, **(header or {})}, claims(now, **more), by or alg, expected))

    for alg in ["HS256", "RS256", "ES256", "EdDSA"]:
        row("good", GOOD, alg)
        row("good, with a list of audiences", GOOD, alg, aud=["other", AUDIENCE])
        row("good, with other claims", GOOD, alg, email="a@example.org", nested={"a": [1]})
        row("good, with a typ", GOOD, alg, {"typ": "JWT"})
        row("good, an access token by its typ", GOOD, alg, {"typ": "at+jwt"})
        row("signed by another key", NO, alg, by="other")
        row("an unknown kid", NO, alg, {"kid": "unknown"})
        row("a kid that is a path", NO, alg, {"kid": "../../dev/null"})
        row("a kid that is SQL", NO, alg, {"kid": "' OR 1=1 --"})
        row("another issuer", NO, alg, iss="https://evil.example.org")
        row("another audience", NOT_OURS, alg, aud="other")
        row("a list of other audiences", NOT_OURS, alg, aud=["other", "more"])
        row("no audience", NOT_OURS, alg, aud=...)
        row("no subject", NOT_OURS, alg, sub=...)
        row("an empty subject", NOT_OURS, alg, sub="")
        row("a subject that is too long", NOT_OURS, alg, sub="x" * 256)
        row("no end", NOT_OURS, alg, exp=...)
        row("no beginning", NOT_OURS, alg, nbf=...)
        row("ended a minute ago", EXPIRED, alg, exp=now - 60)
        row("ended just now, within the leeway", GOOD, alg, exp=now)
        row("begins in an hour", NOT_OURS, alg, nbf=now + 3_600)
        row("begins in a moment, within the leeway", GOOD, alg, nbf=now + 10)
        row("ended in 1970", EXPIRED, alg, exp=1)
        row("a critical extension", NO, alg, {"crit": ["b64"], "b64": True})
        row("an embedded key", GOOD, alg, {"jwk": {"kty": "oct", "k": "c2VjcmV0"}})
        row("an address of keys", GOOD, alg, {"jku": "https://evil.example.org/keys"})
        row("the certificate of another", GOOD, alg, {"x5u": "https://evil.example.org/x"})
        row("a type of another kind", NO, alg, {"typ": "dpop+jwt"})
        row("a nested token", NO, alg, {"cty": "JWT"})
    for name in ["exp", "nbf", "iat"]:
        for what, value in [("text", str(now + 600)), ("true", True), ("a list", [now]), ("an object", {}), ("null", None), ("a fraction", now + 0.5)]:
            row(f"{name} is {what}", NOT_OURS, **{name: value})
    for what, value in [("a number", 7), ("true", True), ("a list", ["ann"]), ("null", None)]:
        row(f"sub is {what}", NOT_OURS, sub=value)
    for what, value in [("a number", 7), ("an empty list", []), ("a list with a number", [AUDIENCE, 7]), ("null", None)]:
        row(f"aud is {what}", NOT_OURS, aud=value)
    row("jti is a number", NOT_OURS, jti=7)
    row("rooms is text", NOT_OURS, rooms="lobby")
    row("rooms has another right", NOT_OURS, rooms={"lobby": "x"})
    row("good, with rooms", GOOD, rooms={"lobby": "rw", "news/*": "r"})
    return rows


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def changed(good, now, publics):
    """Good tokens by a library, changed afterwards: what becomes of each."""
    for alg, token in good.items():
        head, body, signature = token.split(".")
        yield f"{alg}: no signature", f"{head}.{body}.", NO
        yield f"{alg}: two parts", f"{head}.{body}", NO
        yield f"{alg}: four parts", f"{token}.{signature}", NO
        yield f"{alg}: padded", f"{head}.{body}.{signature}=", NO
        yield f"{alg}: a blank before it", f" {token}", NO
        yield f"{alg}: a line end behind it", f"{token}\n", NO
        yield f"{alg}: other claims", f"{head}.{part(claims(now, sub='root'))}.{signature}", NO
        yield f"{alg}: the signature turned", f"{head}.{body}.{signature[::-1]}", NO
        for none in ["none", "None", "NONE", "nOnE", ""]:
            yield f"{alg}: alg is {none!r}", f"{part({'alg': none, 'kid': alg})}.{body}.", NO
            yield f"{alg}: alg is {none!r}, signed", f"{part({'alg': none, 'kid': alg})}.{body}.{signature}", NO
        if alg != "HS256":
            # The public key as a secret: who believes the header's algorithm takes it.
            for secret in [publics[alg].encode(), publics[alg].strip().encode()]:
                start = f"{part({'alg': 'HS256', 'kid': alg, 'of': len(secret)})}.{body}"
                forged = base64.urlsafe_b64encode(hmac.new(secret, start.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
                yield f"{alg}: signed with the public key of {len(secret)} bytes", f"{start}.{forged}", NO


def made_by_python(rows, own, other):
    for what, alg, header, body, by, expected in rows:
        key = (SECRET if by == "HS256" else b"another secret, of more than 32 bytes too") if alg == "HS256" else (other if by == "other" else own)[alg]
        # The library itself refuses some claims; its part for any text does not.
        token = jwt.PyJWS().encode(json.dumps(body).encode(), key, algorithm=alg, headers=header)
        yield what, token, expected


def made_by_jose(rows, own, other):
    order = {
        "secrets": {"own": SECRET.decode(), "other": "another secret, of more than 32 bytes too"},
        "keys": {"own": {alg: pem(key) for alg, key in own.items()}, "other": {alg: pem(key) for alg, key in other.items()}},
        "rows": [{"alg": alg, "header": header, "claims": body, "by": "other" if by == "other" else "own"} for _, alg, header, body, by, _ in rows],
    }
    made = subprocess.run(["node", here / "tokens.mjs"], input=json.dumps(order), capture_output=True, text=True, check=True)
    return [(row[0], token, row[5]) for row, token in zip(rows, json.loads(made.stdout), strict=True)]


def configure(folder, own):
    (folder / "secret").write_bytes(SECRET)
    text = 'auth = "jwt"\n[limits]\nconnects_per_s = "off"\n[jwt]\naudience = ["chat"]\n'
    text += f'[[jwt.key]]\nissuer = "{ISSUER}"\nkid = "HS256"\nalgorithm = "HS256"\nsecret_file = "{folder}/secret"\n'
    for alg, key in own.items():
        (folder / f"{alg}.pem").write_text(public(key))
        text += f'[[jwt.key]]\nissuer = "{ISSUER}"\nkid = "{alg}"\nalgorithm = "{alg}"\npublic_key_file = "{folder}/{alg}.pem"\n'
    (folder / "secret").chmod(0o600)
    (folder / "chinwag.toml").write_text(text)


def documented(folder):
    """Tokens by the documentation's own lines, in Python and in JavaScript, with its own two lines for the key."""
    text = (here.parents[1] / "src/docs/identity.md").read_text()
    part = lambda language, word: next(code for code in re.findall(rf"```{language}\n(.*?)```", text, re.S) if word in code)
    subprocess.run(["sh", "-ec", part("sh", "openssl genpkey")], cwd=folder, check=True, capture_output=True)
    settings = part("toml", "[[jwt.key]]").partition("[[jwt.key]]")[2].replace("/etc/chinwag", str(folder))
    with open(folder / "chinwag.toml", "a") as config:
        config.write(f"[[jwt.key]]{settings}")
    # Each finds its library where it is, and the key where it was made.
    in_folder = lambda code: code.replace('"private.pem"', json.dumps(str(folder / "private.pem")))
    python = in_folder(part("python", "import time, jwt")) + "print(token_of('ann'))"
    script = in_folder(part("js", "SignJWT")) + "console.log(await tokenOf('ann'));"
    for name, argv in [("PyJWT", [sys.executable, "-c", python]), ("jose", ["node", "--input-type=module", "-e", script])]:
        made = subprocess.run(argv, cwd=here, check=True, capture_output=True, text=True)
        yield f"{name}: as documented", made.stdout.strip(), GOOD


def answer(port, token):
    """The code with which the server answers a hello with this token."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(json.dumps({"op": "hello", "id": 1, "token": token}).encode() + b"\n")
        return json.loads(line.makefile().readline())["code"]


def opened(folder, pid):
    """What the server, which has ended, has opened or connected to since it listened, beside its database."""
    deadline, calls = time.monotonic() + 60, ""
    # Short numbers of processes are filled up with blanks.
    while not re.search(rf"^{pid} +\+\+\+ exited", calls, re.M):
        assert time.monotonic() < deadline, "strace does not end"
        time.sleep(0.05)
        calls = (folder / "calls").read_text()
    _, has_begun, served = calls.partition("listening tcp")
    assert has_begun, "strace has not seen the start"
    # SQLite looks at each folder on the way to its own; the allocator looks at this one.
    own = f"{folder}/data/"
    is_own = lambda path: path.startswith(own) or own.startswith(f"{path}/") or path in ("", "/proc/sys/vm/overcommit_memory")
    found = []
    for line in served.splitlines()[1:]:
        named = re.search(r"^\d+ +(\w+)\((?:AT_FDCWD, |\d+, )?\"([^\"]*)\"", line)
        if re.search(r"^\d+ +(socket|connect)\(", line) or (named and named[1] != "write" and not is_own(named[2])):
            found.append(line)
    return found


def main(server, folder):
    own, other = keys()
    configure(folder, own)
    examples = list(documented(folder))
    # With -D the process is the server, and not strace.
    traced = ["strace", "-D", "-f", "-o", folder / "calls", "-e", "trace=%file,socket,connect,write", "-s", "200"]
    argv = [*traced, server, "--config", folder / "chinwag.toml", "--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--admin", "off", "--data", folder / "data"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=open(folder / "log", "w"), text=True, env={})
    try:
        for line in process.stdout:
            if found := re.match(r"listening tcp://127\.0\.0\.1:(\d+)", line):
                break
        else:
            sys.exit(f"the server did not start:\n{(folder / 'log').read_text()}")
        wrong = count = 0
        for library, make in [("PyJWT", made_by_python), ("jose", made_by_jose)]:
            # Made just before they are said: the leeway is half a minute.
            now = int(time.time())
            made = list(make(table(now), own, other))
            good = {what.split(":")[0]: token for what, token, _ in made if what.endswith(": good")}
            cases = [*made, *(one for one in examples if one[0].startswith(library)), *changed(good, now, {alg: public(key) for alg, key in own.items()})]
            for what, token, expected in cases:
                count += 1
                if (code := answer(int(found[1]), token)) != expected:
                    wrong += 1
                    print(f"{library}, {what}: {code} instead of {expected}")
            print(f"{library}: {len(cases)} tokens")
        assert count >= 150, count
        process.terminate()
        process.wait()
        if calls := opened(folder, process.pid):
            sys.exit("\n".join(["the server has opened or connected to something:", *calls]))
        print("the server has opened and connected to nothing meanwhile")
        sys.exit(f"{wrong} of {count} are wrong" if wrong else 0)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
