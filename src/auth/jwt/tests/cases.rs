//! The table of attacks: tokens, and what is to become of them.

#![expect(clippy::too_many_lines, reason = "a table is one list")]

use super::*;

/// A token, and why it is refused; `None`: it is taken.
pub(super) struct Case {
    pub(super) what: String,
    pub(super) token: String,
    pub(super) expect: Option<Unfit>,
}

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let mut cases = headers();
    cases.extend(claims());
    cases.extend(times());
    cases.extend(whole_claims());
    cases.extend(forgeries::all());
    cases
}

pub(super) const HS: &str = r#"{"alg":"HS256","kid":"k"}"#;
pub(super) const FORGED: Option<Unfit> = Some(Unfit::Signature);

pub(super) fn case(what: impl Into<String>, token: String, expect: Option<Unfit>) -> Case {
    Case { what: what.into(), token, expect }
}

/// Headers with good claims, signed with the issuer's own secret: only the header can be wrong.
fn headers() -> Vec<Case> {
    let header = Some(Unfit::Header);
    let member = |name| Some(Unfit::HeaderMember(name));
    let (key, algorithm) = (Some(Unfit::Key), Some(Unfit::Algorithm));
    let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(3_000));
    let mut cases = Vec::new();
    for (text, expect) in [
        (HS, None),
        (r#"{"alg":"HS256"}"#, None),
        (r#"{"typ":"JWT","alg":"HS256","kid":"k"}"#, None),
        (r#"{"typ":"jwt","alg":"HS256","kid":"k"}"#, None),
        (r#"{"typ":"at+jwt","alg":"HS256","kid":"k"}"#, None),
        (r#"{"typ":"application/at+JWT","alg":"HS256","kid":"k"}"#, None),
        (" {\"alg\" : \"HS256\",\n\"kid\":\"k\"} ", None),
        (r#"{"alg":"HS256","kid":"\u006b"}"#, None),
        (r#"{"alg":"HS256","kid":"k","x-own":[1,{"a":2}]}"#, None),
        (r#"{"alg":"none","kid":"k"}"#, algorithm),
        (r#"{"alg":"None","kid":"k"}"#, algorithm),
        (r#"{"alg":"NONE","kid":"k"}"#, algorithm),
        (r#"{"alg":"nOnE","kid":"k"}"#, algorithm),
        (r#"{"alg":"","kid":"k"}"#, algorithm),
        (r#"{"alg":"hs256","kid":"k"}"#, algorithm),
        (r#"{"alg":"HS256 ","kid":"k"}"#, algorithm),
        (r#"{"alg":"HS384","kid":"k"}"#, algorithm),
        (r#"{"alg":"HS512","kid":"k"}"#, algorithm),
        (r#"{"alg":"RS256","kid":"k"}"#, algorithm),
        (r#"{"alg":"ES256","kid":"k"}"#, algorithm),
        (r#"{"alg":"EdDSA","kid":"k"}"#, algorithm),
        (r#"{"alg":"dir","kid":"k"}"#, algorithm),
        (r#"{"alg":["HS256"],"kid":"k"}"#, member("alg")),
        (r#"{"alg":null,"kid":"k"}"#, member("alg")),
        (r#"{"alg":256,"kid":"k"}"#, member("alg")),
        (r#"{"alg":true,"kid":"k"}"#, member("alg")),
        (r#"{"kid":"k"}"#, member("alg")),
        (r#"{"ALG":"HS256","kid":"k"}"#, member("alg")),
        (r#"{"alg":"HS256","kid":1}"#, member("kid")),
        (r#"{"alg":"HS256","kid":null}"#, member("kid")),
        (r#"{"alg":"HS256","kid":["k"]}"#, member("kid")),
        (r#"{"alg":"HS256","kid":{"k":1}}"#, member("kid")),
        (r#"{"alg":"HS256","kid":""}"#, key),
        (r#"{"alg":"HS256","kid":"K"}"#, key),
        (r#"{"alg":"HS256","kid":"k "}"#, key),
        (r#"{"alg":"HS256","kid":"k\u0000"}"#, key),
        (r#"{"alg":"HS256","kid":"../../../dev/null"}"#, key),
        (r#"{"alg":"HS256","kid":"/proc/self/environ"}"#, key),
        (r#"{"alg":"HS256","kid":"file:///etc/passwd"}"#, key),
        (r#"{"alg":"HS256","kid":"http://127.0.0.1:1/k"}"#, key),
        (r#"{"alg":"HS256","kid":"' OR '1'='1"}"#, key),
        (r#"{"alg":"HS256","kid":"k' UNION SELECT 'secret';--"}"#, key),
        (r#"{"alg":"HS256","kid":"$(id)"}"#, key),
        (r#"{"alg":"HS256","kid":"|id"}"#, key),
        (r#"{"alg":"HS256","kid":"*"}"#, key),
        (r#"{"alg":"HS256","kid":"a/k"}"#, key),
        (&long, key),
        (r#"{"alg":"HS256","kid":"k","crit":["exp"]}"#, member("crit")),
        (r#"{"alg":"HS256","kid":"k","crit":[]}"#, member("crit")),
        (r#"{"alg":"HS256","kid":"k","crit":["b64"],"b64":false}"#, member("crit")),
        (r#"{"alg":"HS256","kid":"k","b64":false}"#, member("b64")),
        (r#"{"alg":"HS256","kid":"k","cty":"JWT"}"#, member("cty")),
        (r#"{"alg":"HS256","kid":"k","zip":"DEF"}"#, member("zip")),
        (r#"{"alg":"HS256","kid":"k","enc":"A256GCM"}"#, member("enc")),
        (r#"{"alg":"HS256","kid":"k","typ":"JWE"}"#, member("typ")),
        (r#"{"alg":"HS256","kid":"k","typ":"logout+jwt"}"#, member("typ")),
        (r#"{"alg":"HS256","kid":"k","typ":"secevent+jwt"}"#, member("typ")),
        (r#"{"alg":"HS256","kid":"k","typ":1}"#, member("typ")),
        (r#"{"alg":"HS256","alg":"HS256","kid":"k"}"#, header),
        (r#"{"alg":"none","alg":"HS256","kid":"k"}"#, header),
        (r#"{"alg":"HS256","kid":"k","kid":"rsa"}"#, header),
        (r#"{"alg":"HS256","kid":"k","\u0061lg":"none"}"#, header),
        (r#"{"alg":"HS256","kid":"k"}{}"#, header),
        (r#"{"alg":"HS256","kid":"k","#, header),
        (r"{'alg':'HS256','kid':'k'}", header),
        (r#"{"alg":"HS256","kid":"\ud800"}"#, member("kid")),
        ("\u{feff}{\"alg\":\"HS256\",\"kid\":\"k\"}", header),
        (r#"["HS256"]"#, header),
        (r#""HS256""#, header),
        ("null", header),
        ("{}", member("alg")),
    ] {
        let token = Signer::Secret(SECRET).token(text, &good_claims());
        let shown: String = text.chars().take(80).collect();
        cases.push(case(format!("header {shown}"), token, expect));
    }
    // Keys and addresses of keys in a header are not read, whoever has signed.
    for (name, value) in [
        ("jwk", r#"{"kty":"oct","k":"YXR0YWNrZXI"}"#),
        ("jku", r#""http://127.0.0.1:1/jwks.json""#),
        ("x5u", r#""http://127.0.0.1:1/cert.pem""#),
        ("x5c", r#"["MIIB"]"#),
        ("x5t", r#""AAAA""#),
    ] {
        let header = format!(r#"{{"alg":"HS256","kid":"k","{name}":{value}}}"#);
        let ours = Signer::Secret(SECRET).token(&header, &good_claims());
        let theirs = Signer::Secret(b"attacker").token(&header, &good_claims());
        cases.push(case(format!("{name}, and our signature"), ours, None));
        cases.push(case(format!("{name}, and the signature of its key"), theirs, FORGED));
    }
    cases
}

/// One claim that is another than it should be, signed by the issuer.
fn claims() -> Vec<Case> {
    let claim = |name| Some(Unfit::Claim(name));
    let named = |setting| Some(Unfit::Named(setting));
    let missing = |name| Some(Unfit::Missing(name));
    let key = Some(Unfit::Key);
    let long = format!(r#""sub":"{}""#, "s".repeat(256));
    let longest = format!(r#""sub":"{}""#, "s".repeat(255));
    let many: Vec<_> = (0..65).map(|n| format!(r#""r{n}":"r""#)).collect();
    let many = format!(r#""rooms":{{{}}}"#, many.join(","));
    let mut cases = Vec::new();
    for (member, expect) in [
        (r#""iss""#, key),
        (r#""iss":"c""#, key),
        (r#""iss":"A""#, key),
        (r#""iss":"a ""#, key),
        (r#""iss":"""#, key),
        (r#""iss":1"#, key),
        (r#""iss":["a"]"#, key),
        (r#""iss":null"#, key),
        (r#""iss":"http://127.0.0.1:1/""#, key),
        (r#""iss":"../a""#, key),
        // The other issuer has a key of this id, with which it has not signed.
        (r#""iss":"b""#, FORGED),
        (r#""sub""#, missing("sub")),
        (r#""sub":"""#, claim("sub")),
        (r#""sub":1"#, claim("sub")),
        (r#""sub":null"#, claim("sub")),
        (r#""sub":["ann"]"#, claim("sub")),
        (r#""sub":{"a":"ann"}"#, claim("sub")),
        (r#""sub":"ann\u0000""#, claim("sub")),
        (r#""sub":"ann\nbob""#, claim("sub")),
        (r#""sub":"\udc00""#, claim("sub")),
        (&long, claim("sub")),
        (&longest, None),
        (r#""sub":"auth0|17""#, None),
        (r#""sub":"ann@example.org""#, None),
        (r#""aud""#, missing("aud")),
        (r#""aud":"""#, Some(Unfit::Audience)),
        (r#""aud":"Chat""#, Some(Unfit::Audience)),
        (r#""aud":"chat ""#, Some(Unfit::Audience)),
        (r#""aud":"chatter""#, Some(Unfit::Audience)),
        (r#""aud":[]"#, Some(Unfit::Audience)),
        (r#""aud":["mail"]"#, Some(Unfit::Audience)),
        (r#""aud":["mail","chat"]"#, None),
        (r#""aud":"chat2""#, None),
        (r#""aud":["chat",1]"#, claim("aud")),
        (r#""aud":[["chat"]]"#, claim("aud")),
        (r#""aud":null"#, claim("aud")),
        (r#""aud":true"#, claim("aud")),
        (r#""aud":{"chat":1}"#, claim("aud")),
        (r#""jti":"x""#, None),
        (r#""jti":1"#, claim("jti")),
        (r#""jti":"""#, claim("jti")),
        (r#""jti":null"#, claim("jti")),
        (r#""name":"Ann B.""#, None),
        (r#""name":1"#, named("display_claim")),
        (r#""name":["Ann"]"#, named("display_claim")),
        (r#""roles":["admin"]"#, None),
        (r#""roles":"admin""#, None),
        (r#""roles":1"#, named("admin_claim")),
        (r#""roles":[1]"#, named("admin_claim")),
        (r#""roles":{"admin":true}"#, named("admin_claim")),
        (r#""rooms":{}"#, None),
        (r#""rooms":{"support/*":"rw","news":"r"}"#, None),
        (r#""rooms":["news"]"#, named("rooms_claim")),
        (r#""rooms":"*""#, named("rooms_claim")),
        (r#""rooms":null"#, named("rooms_claim")),
        (r#""rooms":{"news":"x"}"#, named("rooms_claim")),
        (r#""rooms":{"news":"wr"}"#, named("rooms_claim")),
        (r#""rooms":{"news":true}"#, named("rooms_claim")),
        (r#""rooms":{"":"r"}"#, named("rooms_claim")),
        (r#""rooms":{"news":"r","news":"rw"}"#, named("rooms_claim")),
        (&many, named("rooms_claim")),
        (r#""mystery":[[[1]]]"#, None),
    ] {
        let token = Signer::Secret(SECRET).token(HS, &claims_with(member));
        let shown: String = member.chars().take(70).collect();
        cases.push(case(format!("claim {shown} ({})", member.len()), token, expect));
    }
    cases
}

/// Times of a wrong type, and at the boundaries.
fn times() -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["exp", "nbf", "iat"] {
        let missing = if name == "iat" { None } else { Some(Unfit::Missing(name)) };
        let token = Signer::Secret(SECRET).token(HS, &claims_with(&format!(r#""{name}""#)));
        cases.push(case(format!("{name} is missing"), token, missing));
        for value in [
            r#""1800000060""#,
            "1800000060.0",
            "1.8e9",
            "1e400",
            "-1",
            "-0.5",
            "null",
            "true",
            "[1800000060]",
            r#"{"at":1800000060}"#,
            "NaN",
            "0x6b49d23c",
            "253402300800",
            "1800000060000",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999999999999999999",
        ] {
            let unfit = match value {
                "NaN" | "0x6b49d23c" => Unfit::Claims,
                _ => Unfit::Claim(name),
            };
            let claims = claims_with(&format!(r#""{name}":{value}"#));
            let token = Signer::Secret(SECRET).token(HS, &claims);
            cases.push(case(format!("{name} is {value}"), token, Some(unfit)));
        }
    }
    let expired = Some(Unfit::Expired);
    let early = Some(Unfit::Early);
    for (name, at, expect) in [
        ("exp", 0, expired),
        ("exp", NOW_S - 31, expired),
        ("exp", NOW_S - 30, expired),
        ("exp", NOW_S - 29, None),
        ("exp", NOW_S, None),
        ("exp", 253_402_300_799, None),
        ("nbf", 0, None),
        ("nbf", NOW_S + 30, None),
        ("nbf", NOW_S + 31, early),
        ("nbf", 253_402_300_799, early),
        ("iat", 0, None),
        ("iat", NOW_S + 30, None),
        ("iat", NOW_S + 31, early),
    ] {
        let token = Signer::Secret(SECRET).token(HS, &claims_with(&format!(r#""{name}":{at}"#)));
        cases.push(case(format!("{name} is at {at}"), token, expect));
    }
    cases
}

/// Claims that are no object, or have a name twice.
fn whole_claims() -> Vec<Case> {
    let good = good_claims();
    let twice = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    let mut cases = Vec::new();
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("[{good}]"),
        format!("{good}{good}"),
        format!("{good},"),
        format!("\u{feff}{good}"),
        good.replace('"', "'"),
        good.replace('}', ",}"),
        format!("{good} // ours"),
        twice(r#""exp":1"#),
        twice(r#""\u0065xp":99999999999"#),
        twice(r#""sub":"eve""#),
        twice(r#""iss":"b""#),
        twice(r#""aud":"mail""#),
        twice(r#""x":1,"x":1"#),
    ] {
        let unfit = if text.is_empty() { Unfit::Parts } else { Unfit::Claims };
        let token = Signer::Secret(SECRET).token(HS, &text);
        cases.push(case(format!("claims {text}"), token, Some(unfit)));
    }
    let deep = format!(r#""x":{}1{}"#, "[".repeat(1_000), "]".repeat(1_000));
    let deep = Signer::Secret(SECRET).token(HS, &claims_with(&deep));
    cases.push(case("claims a thousand deep, which nobody reads", deep, None));
    let message = format!("{}.{}", encode(HS), encode(b"{\"iss\":\"a\",\"sub\":\"\xff\"}"));
    let token = format!("{message}.{}", Signer::Secret(SECRET).sign(&message));
    cases.push(case("claims that are not UTF-8", token, Some(Unfit::Claims)));
    cases
}
