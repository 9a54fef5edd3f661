//! The table of attacks, run: each token is taken or refused as it says, and for the reason that it
//! says.

use std::collections::BTreeSet;

use super::cases::{Case, all};
use super::*;

#[test]
fn each_token_of_the_table_is_taken_or_refused_as_it_should_be() {
    let cases = all();
    let names: BTreeSet<_> = cases.iter().map(|case| case.what.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "each case has a name of its own");
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let wrong: Vec<_> = cases.iter().filter_map(check).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn check(case: &Case) -> Option<String> {
    let Case { what, token, expect } = case;
    let found = verify_now(token).map(|_| ()).err();
    (found != *expect).then(|| format!("{what}: {found:?} instead of {expect:?}"))
}

/// Every bit of a short token, and not only those of the table.
#[test]
fn no_bit_of_a_signed_token_can_be_turned() {
    let token = Signer::Secret(SECRET).token(r#"{"alg":"HS256","kid":"k"}"#, &good_claims());
    let mut verifier = Verifier::new(table(), policy());
    for (at, bit) in (0..token.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] ^= 1 << bit;
        let turned = String::from_utf8(bytes).unwrap();
        let found = verifier.verify(&turned, NOW);
        assert!(found.is_err(), "byte {at}, bit {bit} of {token}");
        assert_eq!(found.unwrap_err().code(), Code::Unauthorized, "byte {at}, bit {bit}");
    }
}

#[test]
fn every_prefix_of_a_token_is_refused() {
    let token = Signer::Ec.token(r#"{"alg":"ES256","kid":"ec"}"#, &good_claims());
    for end in 0..token.len() {
        assert!(verify_now(token.get(..end).unwrap()).is_err(), "{end}");
    }
    verify_now(&token).unwrap();
}
