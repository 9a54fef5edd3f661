//! Keys as they are configured.

use crate::auth::keys::{Algorithm, Key, KeyError, KeyTable, parse_jwks};

use super::{EC_PUBLIC, ED_PUBLIC, NOW, RSA_PUBLIC, SECRET, Signer, encode, good_claims, policy};
use crate::auth::jwt::Verifier;

#[test]
fn a_key_that_its_algorithm_cannot_use_is_refused_before_any_token() {
    let pem =
        |algorithm, pem: &[u8]| Key::from_pem("a", None, algorithm, pem).map(|_| ()).unwrap_err();
    let short: &[u8] = include_bytes!("pem/short.pub.pem");
    let p384: &[u8] = include_bytes!("pem/p384.pub.pem");
    let private: &[u8] = include_bytes!("pem/ec.pem");
    for (algorithm, text, expect) in [
        (Algorithm::Rs256, short, KeyError::RsaBits(1_024)),
        (Algorithm::Es256, p384, KeyError::Unfit(Algorithm::Es256)),
        (Algorithm::Es256, private, KeyError::Private),
        (Algorithm::Es256, RSA_PUBLIC, KeyError::Unfit(Algorithm::Es256)),
        (Algorithm::Es256, ED_PUBLIC, KeyError::Unfit(Algorithm::Es256)),
        (Algorithm::Rs256, EC_PUBLIC, KeyError::Unfit(Algorithm::Rs256)),
        (Algorithm::EdDsa, EC_PUBLIC, KeyError::Unfit(Algorithm::EdDsa)),
        (Algorithm::Hs256, RSA_PUBLIC, KeyError::Unfit(Algorithm::Hs256)),
        (Algorithm::Es256, b"", KeyError::NotPem),
        (Algorithm::Es256, b"\xff\xfe", KeyError::NotPem),
        (
            Algorithm::Es256,
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            KeyError::Unfit(Algorithm::Es256),
        ),
        (Algorithm::Es256, b"-----BEGIN CERTIFICATE-----\nAAAA\n", KeyError::NotPem),
    ] {
        assert_eq!(pem(algorithm, text), expect, "{algorithm:?}");
    }
    let secret = |secret: &[u8]| Key::from_secret("a", None, secret).map(|_| ()).err();
    assert_eq!(secret(&[7; 31]), Some(KeyError::ShortSecret(31)));
    assert_eq!(secret(&[7; 32]), None);
    assert_eq!(secret(RSA_PUBLIC), Some(KeyError::SecretIsPem));
}

#[test]
fn two_keys_of_one_issuer_need_two_ids() {
    let key = |issuer, kid| Key::from_secret(issuer, kid, SECRET).unwrap();
    let table = |keys| KeyTable::new(keys).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(table(vec![key("a", Some("1")), key("b", Some("1")), key("a", None)]), Ok(()));
    let twice = table(vec![key("a", Some("1")), key("a", Some("1"))]).unwrap_err();
    assert_eq!(twice, r#"two keys of the issuer "a" have the kid "1""#);
    assert!(table(vec![key("a", None), key("a", None)]).unwrap_err().contains("no kid"));
}

/// The keys of a set, as `alg:kid`, or why it cannot be used.
fn jwks(text: &str, only: Option<Algorithm>) -> Result<String, String> {
    let shown = |key: &Key| format!("{}:{}", key.algorithm().name(), key.kid().unwrap_or("-"));
    let keys = parse_jwks("a", text, only).map_err(|error| error.to_string())?;
    Ok(keys.iter().map(shown).collect::<Vec<_>>().join(" "))
}

/// The public part of the test's P-256 key as a JWK: the last 64 bytes of the PEM file's contents.
fn ec_jwk(more: &str) -> String {
    let der = der_of(EC_PUBLIC);
    let point = &der[der.len() - 64..];
    let (x, y) = (encode(&point[..32]), encode(&point[32..]));
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"{more}}}"#)
}

fn ed_jwk(more: &str) -> String {
    let der = der_of(ED_PUBLIC);
    let x = encode(&der[der.len() - 32..]);
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#)
}

fn der_of(pem: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = str::from_utf8(pem).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

#[test]
fn a_set_gives_the_keys_that_can_verify_and_leaves_out_the_others() {
    let set = |keys: &[String]| format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let (ec, ed) = (ec_jwk(r#","kid":"1","alg":"ES256","use":"sig""#), ed_jwk(r#","kid":"2""#));
    let secret = format!(r#"{{"kty":"oct","k":"{}","kid":"3"}}"#, encode(SECRET));
    let for_others = [
        ec_jwk(r#","kid":"4","use":"enc""#),
        ec_jwk(r#","kid":"5","alg":"ECDH-ES""#),
        r#"{"kty":"EC","crv":"P-521","x":"","y":"","kid":"6"}"#.to_owned(),
        r#"{"kty":"quantum","kid":"7"}"#.to_owned(),
        r#"{"kty":"RSA","alg":"RSA-OAEP","n":"AQ","e":"AQAB"}"#.to_owned(),
    ];
    let all: Vec<_> = [ec.clone(), ed, secret].into_iter().chain(for_others.clone()).collect();
    assert_eq!(jwks(&set(&all), None).unwrap(), "ES256:1 EdDSA:2 HS256:3");
    assert_eq!(jwks(&set(&all), Some(Algorithm::EdDsa)).unwrap(), "EdDSA:2");
    assert!(jwks(&set(&for_others), None).unwrap_err().starts_with("no key of the set"));
    let keys = parse_jwks("a", &set(&[ec]), None).unwrap();
    let token = Signer::Ec.token(r#"{"alg":"ES256","kid":"1"}"#, &good_claims());
    Verifier::new(KeyTable::new(keys).unwrap(), policy()).verify(&token, NOW).unwrap();
}

#[test]
fn a_set_that_is_damaged_is_refused_with_the_key_and_the_member() {
    let one = |key: &str| jwks(&format!(r#"{{"keys":[{key}]}}"#), None).unwrap_err();
    let bits = |n: &str, e: &str| one(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#));
    let n = encode([0xff; 256]);
    for (found, expect) in [
        (jwks("", None).unwrap_err(), "this is no JWKS"),
        (jwks("[]", None).unwrap_err(), "this is no JWKS"),
        (jwks(r#"{"keys":{}}"#, None).unwrap_err(), "this is no JWKS"),
        (jwks(r#"{"keys":[],"keys":[]}"#, None).unwrap_err(), "this is no JWKS"),
        (jwks(r#"{"keys":[]}"#, None).unwrap_err(), "no key of the set"),
        (one("{}"), r#"key 1 of the set: "kty""#),
        (one(r#"{"kty":"oct","k":"c2hvcnQ"}"#), "key 1 of the set: the secret has 5 bytes"),
        (one(r#"{"kty":"oct"}"#), r#"key 1 of the set: "k""#),
        (one(&ec_jwk(r#","d":"AAAA""#)), "key 1 of the set: this is a private key"),
        (one(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), r#"key 1 of the set: "x""#),
        (one(&ec_jwk("").replace(r#""x":""#, r#""x":"="#)), r#"key 1 of the set: "x""#),
        (one(r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#), "key 1 of the set: the key is damaged"),
        (bits("AQAB", "AQAB"), "key 1 of the set: the RSA key has 17 bits"),
        (bits(&encode([0xff; 513]), "AQAB"), "key 1 of the set: the RSA key has 4104 bits"),
        (bits(&n, "AQ"), r#"key 1 of the set: "e""#),
        (bits(&n, "AQAA"), r#"key 1 of the set: "e""#),
        (bits(&n, &encode([0xff; 256])), r#"key 1 of the set: "e""#),
    ] {
        assert!(found.starts_with(expect), "{found:?} instead of {expect:?}");
    }
}
