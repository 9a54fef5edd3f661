//! The tables of tokens' keys.

use super::*;
use crate::auth::keys::Algorithm;

const AUDIENCE: &str = "[jwt]\naudience = [\"chat\"]\n";

/// What is wrong with one table that has these lines.
#[track_caller]
fn refused(lines: &str, expect: &[&str]) {
    check(file(&format!("{AUDIENCE}[[jwt.key]]\n{lines}\n")), expect);
}

#[test]
fn a_key_says_whose_tokens_it_verifies_and_how() {
    let text = format!(
        "{AUDIENCE}[[jwt.key]]\nissuer = \"a\"\nkid = \"1\"\nalgorithm = \"HS256\"\n\
         secret = \"0123456789abcdef0123456789abcdef\"\n[[jwt.key]]\nissuer = \"b\"\njwks_file = \"j\"\n"
    );
    let loaded = file(&text).unwrap();
    let [one, two] = &loaded.config.token_keys[..] else { panic!("{loaded:?}") };
    assert_eq!((one.issuer.as_str(), one.kid.as_deref()), ("a", Some("1")));
    assert_eq!(one.algorithm, Some(Algorithm::Hs256));
    assert_eq!(two.material, KeyMaterial::JwksFile("j".into()));
    assert!(!format!("{loaded:?}").contains("0123456789"), "a secret is shown");
}

#[test]
fn a_key_that_is_not_whole_is_refused_with_what_is_missing() {
    const ONE: &str =
        "jwt.key 1: needs exactly one of secret, secret_file, public_key_file and jwks_file";
    for (lines, expect) in [
        ("issuer = \"a\"\nalgorithm = \"HS256\"", ONE),
        ("issuer = \"a\"\nalgorithm = \"HS256\"\nsecret = \"s\"\nsecret_file = \"f\"", ONE),
        (
            "algorithm = \"HS256\"\nsecret_file = \"f\"",
            "jwt.key 1: has no issuer: write the iss of its tokens",
        ),
        (
            "issuer = \"a\"\nsecret_file = \"f\"",
            "jwt.key 1: has no algorithm: write HS256, RS256, ES256 or EdDSA",
        ),
        (
            "issuer = \"a\"\nalgorithm = \"HS256\"\npublic_key_file = \"f\"",
            "jwt.key 1: has a public key, which HS256 has not: write RS256, ES256 or EdDSA",
        ),
        (
            "issuer = \"a\"\nalgorithm = \"ES256\"\nsecret = \"s\"",
            "jwt.key 1: has a secret, which only HS256 has: give a public_key_file",
        ),
        (
            "issuer = \"a\"\nkid = \"1\"\njwks_file = \"f\"",
            "jwt.key 1: has jwks_file, whose keys have their own kid: leave kid out",
        ),
        (
            "issuer = \"a\"\nalgorithm = \"none\"\nsecret_file = \"f\"",
            "jwt.key 1: algorithm = \"none\": must be \"HS256\" or \"RS256\" or \"ES256\" or \"EdDSA\"",
        ),
        (
            "issuer = \"a\"\nalg = \"HS256\"\nsecret_file = \"f\"",
            "jwt.key 1: unknown key alg in [[jwt.key]]",
        ),
    ] {
        refused(lines, &[expect]);
    }
}

#[test]
fn a_complaint_shows_neither_a_secret_nor_its_line() {
    let text = format!(
        "{AUDIENCE}[[jwt.key]]\nissuer = \"a\"\nalgorithm = \"HS256\"\nsecret = [\"hush hush\"]\n"
    );
    let shown = file(&text).unwrap_err().to_string();
    assert!(shown.contains("secret must be text in quotes") && !shown.contains("hush"), "{shown}");
}

#[test]
fn keys_need_a_name_for_the_server_that_takes_their_tokens() {
    let found = file("[[jwt.key]]\nissuer = \"a\"\njwks_file = \"j\"\n").unwrap_err().to_string();
    assert!(found.contains("jwt.audience = [] fits no token"), "{found}");
    check(
        file("[jwt]\nkey = 5\n"),
        &["jwt.key is a list of tables: write [[jwt.key]] above each of them"],
    );
}
