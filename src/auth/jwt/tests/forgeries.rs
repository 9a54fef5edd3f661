//! The part of the table that is about signatures, and forms in which there is none.

#![expect(clippy::too_many_lines, reason = "a table is one list")]

use super::cases::{Case, FORGED, HS, case};
use super::*;

/// All of them.
pub(super) fn all() -> Vec<Case> {
    let mut cases = confusions();
    cases.extend(forms());
    cases.extend(turned_bits());
    cases
}

/// A signature by another key, or by another algorithm, than the header's key has.
fn confusions() -> Vec<Case> {
    let good = good_claims();
    let of_b = good.replace(r#""iss":"a""#, r#""iss":"b""#);
    let none = |header: &str| format!("{}.{}.", encode(header), encode(&good));
    let public = |pem| Signer::Secret(pem);
    let trimmed = RSA_PUBLIC.trim_ascii_end();
    let algorithm = Some(Unfit::Algorithm);
    let ec = r#"{"alg":"ES256","kid":"ec"}"#;
    let rs = r#"{"alg":"RS256","kid":"rsa"}"#;
    let ed = r#"{"alg":"EdDSA","kid":"ed"}"#;
    let hs = |kid: &str| format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
    let with_signature = |header: &str, signature: &[u8]| {
        format!("{}.{}.{}", encode(header), encode(&good), encode(signature))
    };
    let mut cases = vec![
        case("RS256 by its key", Signer::Rsa.token(rs, &good), None),
        case("ES256 by its key", Signer::Ec.token(ec, &good), None),
        case("EdDSA by its key", Signer::Ed.token(ed, &good), None),
        case("alg none without a signature", none(r#"{"alg":"none"}"#), Some(Unfit::Parts)),
        case("HS256 without a signature", none(HS), Some(Unfit::Parts)),
        case(
            "HS256, the public RSA key as secret",
            public(RSA_PUBLIC).token(&hs("rsa"), &good),
            algorithm,
        ),
        case(
            "HS256, the same without the last newline",
            public(trimmed).token(&hs("rsa"), &good),
            algorithm,
        ),
        case(
            "HS256, the public EC key as secret",
            public(EC_PUBLIC).token(&hs("ec"), &good),
            algorithm,
        ),
        case(
            "HS256, the public Ed key as secret",
            public(ED_PUBLIC).token(&hs("ed"), &good),
            algorithm,
        ),
        case(
            "RS256 in name, HMAC with the public key",
            public(RSA_PUBLIC).token(rs, &good),
            FORGED,
        ),
        case("ES256 in name, HMAC with the public key", public(EC_PUBLIC).token(ec, &good), FORGED),
        case("EdDSA in name, HMAC with the public key", public(ED_PUBLIC).token(ed, &good), FORGED),
        case(
            "PS256 with an RS256 key",
            Signer::RsaPss.token(r#"{"alg":"PS256","kid":"rsa"}"#, &good),
            algorithm,
        ),
        case("RS256 in name, PSS padding", Signer::RsaPss.token(rs, &good), FORGED),
        case(
            "RS512 with an RS256 key",
            Signer::Rsa512.token(r#"{"alg":"RS512","kid":"rsa"}"#, &good),
            algorithm,
        ),
        case("RS256 in name, SHA-512", Signer::Rsa512.token(rs, &good), FORGED),
        case("ES256 by another key of that kind", Signer::OtherEc.token(ec, &good), FORGED),
        case(
            "HS256 by a secret that is nobody's",
            Signer::Secret(b"guess").token(HS, &good),
            FORGED,
        ),
        case("HS256 by the empty secret", Signer::Secret(b"").token(HS, &good), FORGED),
        case(
            "b's token by b's key of the same id",
            Signer::Secret(OTHER_SECRET).token(HS, &of_b),
            None,
        ),
        case(
            "b's token by a's key of the same id",
            Signer::Secret(SECRET).token(HS, &of_b),
            FORGED,
        ),
        case(
            "a's token by b's key of the same id",
            Signer::Secret(OTHER_SECRET).token(HS, &good),
            FORGED,
        ),
        case(
            "b's token with an id that only a has",
            Signer::Rsa.token(rs, &of_b),
            Some(Unfit::Key),
        ),
        case(
            "b's token without an id",
            Signer::Secret(SECRET).token(r#"{"alg":"HS256"}"#, &of_b),
            Some(Unfit::Key),
        ),
        case("ES256 of zeros (CVE-2022-21449)", with_signature(ec, &[0; 64]), FORGED),
        case("ES256 of r = 0", with_signature(ec, &[[0; 32], [1; 32]].concat()), FORGED),
        case("ES256 of ff", with_signature(ec, &[0xff; 64]), FORGED),
        case("ES256 of one byte", with_signature(ec, &[1]), FORGED),
        case("ES256 of 65 bytes", with_signature(ec, &[1; 65]), FORGED),
        case("ES256 as DER", with_signature(ec, b"\x30\x06\x02\x01\x01\x02\x01\x01"), FORGED),
        case("RS256 of zeros", with_signature(rs, &[0; 256]), FORGED),
        case("RS256 of one", with_signature(rs, &[[0; 255].as_slice(), &[1]].concat()), FORGED),
        case("RS256 of 255 bytes", with_signature(rs, &[1; 255]), FORGED),
        case("EdDSA of zeros", with_signature(ed, &[0; 64]), FORGED),
        case("EdDSA of 63 bytes", with_signature(ed, &[1; 63]), FORGED),
        case("HS256 of 16 bytes", with_signature(HS, &[0; 16]), FORGED),
    ];
    let whole = Signer::Secret(SECRET).token(HS, &good);
    let (message, signature) = whole.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let short = format!("{message}.{}", encode(&signature[..31]));
    let long = format!("{message}.{}", encode([&signature[..], &[0]].concat()));
    cases.push(case("HS256 with its signature cut", short, FORGED));
    cases.push(case("HS256 with a byte behind its signature", long, FORGED));
    cases
}

/// A good token in another form than the compact one, or not whole.
fn forms() -> Vec<Case> {
    let good = Signer::Secret(SECRET).token(HS, &good_claims());
    let parts: Vec<_> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { unreachable!() };
    let (shape, encoding) = (Some(Unfit::Parts), Some(Unfit::Encoding));
    let flat =
        format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{signature}"}}"#);
    let general = format!(
        r#"{{"payload":"{claims}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#
    );
    let long = format!("{}.{claims}.{signature}", "A".repeat(64 * 1024));
    let list = [
        ("nothing", String::new(), shape),
        ("a dot", ".".to_owned(), shape),
        ("two dots", "..".to_owned(), shape),
        ("three dots", "...".to_owned(), shape),
        ("a word", "letmein".to_owned(), shape),
        ("the header alone", header.to_owned(), shape),
        ("no signature, no dot", format!("{header}.{claims}"), shape),
        ("no header", format!(".{claims}.{signature}"), shape),
        ("no claims", format!("{header}..{signature}"), shape),
        ("a fourth part", format!("{good}.{signature}"), shape),
        ("five parts, as JWE has", format!("{good}.{claims}.{signature}"), shape),
        ("a dot behind", format!("{good}."), shape),
        ("a dot in front", format!(".{good}"), shape),
        ("JSON serialisation, flat", flat, shape),
        ("JSON serialisation, general", general, shape),
        ("the signature first", format!("{signature}.{claims}.{header}"), Some(Unfit::Header)),
        ("padding behind", format!("{good}="), encoding),
        ("padding behind each part", format!("{header}=.{claims}=.{signature}="), encoding),
        ("a blank behind", format!("{good} "), encoding),
        ("a blank in front", format!(" {good}"), encoding),
        ("a newline behind", format!("{good}\n"), encoding),
        ("a newline inside", good.replacen('.', "\n.", 1), encoding),
        ("a NUL behind", format!("{good}\0"), encoding),
        ("percent-encoded", good.replacen('.', "%2e", 1), shape),
        ("the word Bearer", format!("Bearer {good}"), encoding),
        ("quoted", format!("\"{good}\""), encoding),
        ("the alphabet with plus and slash", format!("{header}.{claims}.+/{signature}"), encoding),
        ("a letter of another script", format!("{header}.{claims}.ß{signature}"), encoding),
        ("64 KiB", long, Some(Unfit::Long)),
        ("a byte more than the most", "A".repeat(TOKEN_LEN_MAX + 1), Some(Unfit::Long)),
        ("as many bytes as the most", "A".repeat(TOKEN_LEN_MAX), shape),
    ];
    let mut cases: Vec<_> =
        list.into_iter().map(|(what, token, expect)| case(what, token, expect)).collect();
    // Bits behind the last byte are zero: otherwise one token has several forms.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    let other = alphabet.chars().nth(at + 1).unwrap();
    let token = format!("{}{other}", good.strip_suffix(last).unwrap());
    cases.push(case("a bit behind the last byte of the signature", token, encoding));
    cases
}

/// One bit turned in each part of a token of each algorithm.
fn turned_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for (signer, header) in [
        (Signer::Secret(SECRET), HS),
        (Signer::Rsa, r#"{"alg":"RS256","kid":"rsa"}"#),
        (Signer::Ec, r#"{"alg":"ES256","kid":"ec"}"#),
        (Signer::Ed, r#"{"alg":"EdDSA","kid":"ed"}"#),
    ] {
        let name = header.get(8..13).unwrap();
        let claims = claims_with(r#""x":"0000""#);
        let message = format!("{}.{}", encode(header), encode(&claims));
        let signature = signer.sign(&message);
        for at in [0, 10, 20, 30] {
            let mut bytes = URL_SAFE_NO_PAD.decode(&signature).unwrap();
            bytes[at] ^= 1;
            let token = format!("{message}.{}", encode(bytes));
            cases.push(case(format!("{name}, a bit of the signature at {at}"), token, FORGED));
        }
        let changed = claims.replace("0000", "0001");
        let token = format!("{}.{}.{signature}", encode(header), encode(changed));
        cases.push(case(format!("{name}, a bit of the claims"), token, FORGED));
        let eve = claims.replace(r#""sub":"ann""#, r#""sub":"eve""#);
        let token = format!("{}.{}.{signature}", encode(header), encode(eve));
        cases.push(case(format!("{name}, another subject"), token, FORGED));
        let spaced = header.replace(',', ", ");
        let token = format!("{}.{}.{signature}", encode(spaced), encode(&claims));
        cases.push(case(format!("{name}, a blank in the header"), token, FORGED));
    }
    cases
}
