//! Tokens as they are made by whoever has a key, and by whoever has none.

mod attacks;
mod cases;
mod forgeries;
mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm as Backend, EncodingKey, crypto};

use super::*;
use crate::auth::keys::Algorithm;
use crate::chat::{Code, UserName};

/// The moment of all tests, in seconds and milliseconds.
const NOW_S: u64 = 1_800_000_000;
const NOW: u64 = NOW_S * 1_000;

const SECRET: &[u8] = b"a secret of more than 32 bytes, known to two";
const OTHER_SECRET: &[u8] = b"another secret of more than 32 bytes, of b's";
const RSA_PUBLIC: &[u8] = include_bytes!("pem/rsa.pub.pem");
const EC_PUBLIC: &[u8] = include_bytes!("pem/ec.pub.pem");
const ED_PUBLIC: &[u8] = include_bytes!("pem/ed.pub.pem");

/// The keys of two issuers, `a` and `b`, who both call one of theirs `k`.
fn table() -> KeyTable {
    let pem = |issuer, kid, algorithm, pem| Key::from_pem(issuer, Some(kid), algorithm, pem);
    let keys = vec![
        Key::from_secret("a", Some("k"), SECRET),
        Key::from_secret("a", None, SECRET),
        pem("a", "rsa", Algorithm::Rs256, RSA_PUBLIC),
        pem("a", "ec", Algorithm::Es256, EC_PUBLIC),
        pem("a", "ed", Algorithm::EdDsa, ED_PUBLIC),
        Key::from_secret("b", Some("k"), OTHER_SECRET),
    ];
    KeyTable::new(keys.into_iter().collect::<Result<_, _>>().unwrap()).unwrap()
}

fn policy() -> ClaimPolicy {
    ClaimPolicy {
        audience: vec!["chat".to_owned(), "chat2".to_owned()],
        nbf_optional: false,
        name: None,
        display: Some("name".to_owned()),
        admin: Some("roles".to_owned()),
        rooms: Some("rooms".to_owned()),
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs.
#[derive(Clone, Copy, Debug)]
enum Signer {
    Secret(&'static [u8]),
    Rsa,
    RsaPss,
    Rsa512,
    Ec,
    OtherEc,
    Ed,
}

impl Signer {
    fn sign(self, message: &str) -> String {
        let (key, algorithm) = match self {
            Self::Secret(secret) => (EncodingKey::from_secret(secret), Backend::HS256),
            Self::Rsa | Self::RsaPss | Self::Rsa512 => {
                let key = EncodingKey::from_rsa_pem(include_bytes!("pem/rsa.pem")).unwrap();
                let algorithm = match self {
                    Self::RsaPss => Backend::PS256,
                    Self::Rsa512 => Backend::RS512,
                    _ => Backend::RS256,
                };
                (key, algorithm)
            }
            Self::Ec => {
                (EncodingKey::from_ec_pem(include_bytes!("pem/ec.pem")).unwrap(), Backend::ES256)
            }
            Self::OtherEc => {
                let pem = include_bytes!("pem/other.pem");
                (EncodingKey::from_ec_pem(pem).unwrap(), Backend::ES256)
            }
            Self::Ed => {
                (EncodingKey::from_ed_pem(include_bytes!("pem/ed.pem")).unwrap(), Backend::EdDSA)
            }
        };
        crypto::sign(message.as_bytes(), &key, algorithm).unwrap()
    }

    /// A token with this header and these claims as they stand here.
    fn token(self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        format!("{message}.{}", self.sign(&message))
    }
}

/// Claims with which nothing is wrong.
fn good_claims() -> String {
    claims_with("")
}

/// Claims with which nothing is wrong, and one more, or one in the place of another.
fn claims_with(member: &str) -> String {
    let name = member.split(':').next().unwrap_or_default();
    let good = [
        r#""iss":"a""#.to_owned(),
        r#""sub":"ann""#.to_owned(),
        r#""aud":"chat""#.to_owned(),
        format!(r#""exp":{}"#, NOW_S + 60),
        format!(r#""nbf":{}"#, NOW_S - 60),
    ];
    let mut members: Vec<_> = good
        .into_iter()
        .filter(|other| name.is_empty() || !other.starts_with(&format!("{name}:")))
        .collect();
    // A name alone takes the claim away.
    if member.contains(':') {
        members.push(member.to_owned());
    }
    format!("{{{}}}", members.join(","))
}

/// What becomes of a token now.
fn verify_now(token: &str) -> Result<Claims, Unfit> {
    Verifier::new(table(), policy()).verify(token, NOW).map(|claims| (*claims).clone())
}

#[test]
fn each_algorithm_verifies_what_its_key_has_signed_and_nothing_else() {
    let signers = [
        ("HS256", "k", Signer::Secret(SECRET)),
        ("RS256", "rsa", Signer::Rsa),
        ("ES256", "ec", Signer::Ec),
        ("EdDSA", "ed", Signer::Ed),
    ];
    for (alg, kid, signer) in signers {
        for (named, other, _) in signers {
            let header = format!(r#"{{"alg":"{named}","kid":"{other}"}}"#);
            let found = verify_now(&signer.token(&header, &good_claims()));
            let expect = if alg == named { Ok(Some("ann")) } else { Err(Unfit::Signature) };
            let name = found.as_ref().map(|claims| claims.name.as_ref().map(UserName::as_str));
            assert_eq!(name.map_err(|unfit| *unfit), expect, "{alg} as {named}, kid {kid}/{other}");
        }
    }
}

#[test]
fn both_edges_of_the_leeway_are_where_they_are_said_to_be() {
    let header = r#"{"alg":"HS256","kid":"k"}"#;
    let token = |claim: &str, at: u64| {
        Signer::Secret(SECRET).token(header, &claims_with(&format!(r#""{claim}":{at}"#)))
    };
    let verdict =
        |token: &str, at: u64| Verifier::new(table(), policy()).verify(token, at).map(|_| ()).err();
    let expiring = token("exp", NOW_S);
    assert_eq!(verdict(&expiring, NOW + LEEWAY_MS - 1), None);
    assert_eq!(verdict(&expiring, NOW + LEEWAY_MS), Some(Unfit::Expired));
    for claim in ["nbf", "iat"] {
        let early = token(claim, NOW_S);
        assert_eq!(verdict(&early, NOW - LEEWAY_MS), None, "{claim}");
        assert_eq!(verdict(&early, NOW - LEEWAY_MS - 1), Some(Unfit::Early), "{claim}");
    }
}

#[test]
fn what_is_remembered_expires_at_its_time_and_goes_with_its_key() {
    let token = Signer::Ec.token(r#"{"alg":"ES256","kid":"ec"}"#, &good_claims());
    let mut verifier = Verifier::new(table(), policy());
    assert!(verifier.recall(&token, NOW).is_none());
    let first = verifier.verify(&token, NOW).unwrap();
    let again = verifier.recall(&token, NOW).expect("remembered").unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let late = NOW + 60_000 + LEEWAY_MS;
    assert_eq!(verifier.verify(&token, late).map(|_| ()), Err(Unfit::Expired));
    let rest = table().iter().filter(|key| key.kid() != Some("ec")).cloned().collect();
    verifier.set_keys(KeyTable::new(rest).unwrap());
    assert_eq!((verifier.remembered(), verifier.recall(&token, NOW).is_none()), (0, true));
    assert_eq!(verifier.verify(&token, NOW).map(|_| ()), Err(Unfit::Key));
}

#[test]
fn the_cache_is_bounded_and_remembers_no_forgery() {
    let mut verifier = Verifier::new(table(), policy()).within(Some(24 << 20));
    for number in 0..3_000 {
        let claims = claims_with(&format!(r#""sub":"u{number:0200}""#));
        let token = Signer::Secret(SECRET).token(r#"{"alg":"HS256","kid":"k"}"#, &claims);
        verifier.verify(&token, NOW).unwrap();
    }
    let (weight, bound) = (verifier.verified.weight(), cache_bytes(Some(24 << 20)));
    assert!(bound == 768 << 10 && weight <= bound && weight > bound / 2, "{weight} of {bound}");
    verifier.set_keys(table());
    assert_eq!((verifier.verified.capacity(), verifier.remembered()), (bound, 0));
    assert_eq!([None, Some(1 << 40)].map(cache_bytes), [CACHE_BYTES_MAX; 2]);
    let claims = claims_with(r#""sub":"u""#);
    let token = Signer::Secret(SECRET).token(r#"{"alg":"HS256","kid":"k"}"#, &claims);
    verifier.verify(&token, NOW).unwrap();
    let before = verifier.remembered();
    verifier.verify("a.b.c", NOW).unwrap_err();
    assert_eq!(verifier.remembered(), before);
}

#[test]
fn two_keys_serve_at_once_while_one_takes_over() {
    let token = |kid: &str, secret| {
        Signer::Secret(secret).token(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), &good_claims())
    };
    let key = |kid, secret| Key::from_secret("a", Some(kid), secret).unwrap();
    let (old, new) = (token("1", SECRET), token("2", OTHER_SECRET));
    let both = vec![key("1", SECRET), key("2", OTHER_SECRET)];
    let mut verifier = Verifier::new(KeyTable::new(both).unwrap(), policy());
    assert!(verifier.verify(&old, NOW).is_ok() && verifier.verify(&new, NOW).is_ok());
    verifier.set_keys(KeyTable::new(vec![key("2", OTHER_SECRET)]).unwrap());
    assert_eq!(verifier.verify(&old, NOW).map(|_| ()), Err(Unfit::Key));
    verifier.verify(&new, NOW).unwrap();
}

#[test]
fn nobody_who_has_no_key_learns_why_a_token_is_not_taken() {
    let words: std::collections::BTreeSet<_> = [
        Unfit::Long,
        Unfit::Parts,
        Unfit::Encoding,
        Unfit::Header,
        Unfit::HeaderMember("crit"),
        Unfit::Claims,
        Unfit::Key,
        Unfit::Algorithm,
        Unfit::Signature,
    ]
    .map(|unfit| (unfit.code().number(), unfit.words()))
    .into();
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!(Unfit::Expired.code(), Code::TokenExpired);
}

#[test]
fn no_key_is_shown_by_debug() {
    let shown = format!("{:?} {:#?}", Verifier::new(table(), policy()), table());
    assert!(!shown.contains("a secret") && !shown.contains("115, 101, 99"), "{shown}");
}
