//! Against `httparse`, which no one here wrote: heads that both take mean the same, and where it
//! takes one that is refused here, a rule says why.

use proptest::prelude::*;

use super::splits::hostile_bytes;
use super::*;

/// What `httparse` makes of an input.
#[derive(Debug, PartialEq, Eq)]
enum Theirs {
    Incomplete,
    Head { target: String, old: bool, fields: Vec<(String, Vec<u8>)>, head_len: usize },
    Refused,
}

fn theirs(input: &[u8]) -> Theirs {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(input) {
        Ok(httparse::Status::Partial) => Theirs::Incomplete,
        Ok(httparse::Status::Complete(head_len)) => Theirs::Head {
            target: request.path.unwrap().to_owned(),
            old: request.version == Some(0),
            fields: request
                .headers
                .iter()
                .map(|field| (field.name.to_owned(), field.value.to_vec()))
                .collect(),
            head_len,
        },
        Err(_) => Theirs::Refused,
    }
}

/// The rule by which a head is refused here that `httparse` takes; `None` if there is no such rule.
fn rule(refusal: Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::BareLf { .. } => "RFC 9112 2.2: a line may be ended by LF alone; it need not be",
        Refusal::EmptyLines => "RFC 9112 2.2: one empty line before is enough to tolerate",
        Refusal::TargetByte { .. } => "RFC 3986 2: other bytes must be percent-encoded",
        Refusal::TargetForm { .. } => "RFC 9112 3.2: a path, an absolute URI, or * for OPTIONS",
        Refusal::Connect => "this server is no proxy",
        Refusal::HostMissing | Refusal::HostRepeated | Refusal::HostForm => {
            "RFC 9112 3.2: one valid Host"
        }
        Refusal::LengthRepeated
        | Refusal::LengthForm
        | Refusal::LengthAndCoding
        | Refusal::CodingForm
        | Refusal::CodingUnknown => "RFC 9112 6: the length of a body must be beyond doubt",
        Refusal::HeadTooLarge { .. } | Refusal::FirstLineTooLong { .. } => "limits",
        _ => return None,
    })
}

/// Checks that the two agree on `input`, or differ by a rule.
fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match (feed([input]), theirs(input)) {
        (
            Outcome::Head { summary, head_len },
            Theirs::Head { target, old, fields, head_len: len },
        ) => {
            assert_eq!(head_len, len, "{text:?}");
            assert_eq!(summary.fields, fields, "{text:?}");
            assert_eq!(summary.version == Version::Http10, old, "{text:?}");
            let query = summary.query.map(|query| format!("?{query}")).unwrap_or_default();
            let ours = format!("{}{query}", summary.path);
            // Theirs is as it came: perhaps in the absolute form, perhaps without a path there.
            assert!(target.ends_with(&ours) || target.starts_with("http"), "{target:?} {ours:?}");
        }
        (Outcome::Refused(refusal), Theirs::Head { .. }) => {
            assert!(rule(refusal).is_some(), "{refusal:?} without a rule: {text:?}");
        }
        // Here a line is judged as a whole; there each byte is as it comes.
        (Outcome::Incomplete, Theirs::Refused) => {
            let longer = [input, b"\r\n\r\n"].concat();
            assert!(matches!(feed([&longer[..]]), Outcome::Refused(_)), "{text:?}");
        }
        (Outcome::Refused(_), Theirs::Refused | Theirs::Incomplete)
        | (Outcome::Incomplete, Theirs::Incomplete) => {}
        (ours, theirs) => panic!("{ours:?} but {theirs:?}: {text:?}"),
    }
}

#[test]
fn a_browsers_head_means_the_same_to_both_however_much_of_it_has_come() {
    for end in 0..=BROWSER.len() {
        check(&BROWSER.as_bytes()[..end]);
    }
}

#[test]
fn each_rule_has_an_example_that_httparse_takes() {
    for (head, expect) in [
        ("GET / HTTP/1.1\nHost: a\n\n", "LF alone"),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "one empty line"),
        ("GET /\"a HTTP/1.1\r\nHost: a\r\n\r\n", "percent-encoded"),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "a path"),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "no proxy"),
        ("GET / HTTP/1.1\r\n\r\n", "one valid Host"),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "one valid Host"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "beyond doubt"),
    ] {
        let Outcome::Refused(refusal) = feed([head.as_bytes()]) else { panic!("{head:?}") };
        assert!(matches!(theirs(head.as_bytes()), Theirs::Head { .. }), "{head:?}");
        assert!(rule(refusal).is_some_and(|rule| rule.contains(expect)), "{refusal:?}");
    }
}

/// A well-formed head.
fn good_head() -> impl Strategy<Value = String> {
    let name = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}";
    let value = "[ -~\t\u{e9}\u{1f642}]{0,40}";
    let field = (name, "[ \t]{0,3}", value)
        .prop_map(|(name, blanks, value)| format!("x{name}:{blanks}{value}\r\n"));
    let target = "/[A-Za-z0-9._~!$&'()*+,;=:@/-]{0,40}([?][A-Za-z0-9/?=&]{0,20})?";
    let fields = proptest::collection::vec(field, 0..99);
    ("[A-Z]{3,8}", target, "1[.][01]", fields).prop_map(|(method, target, version, fields)| {
        format!("{method}x {target} HTTP/{version}\r\nHost: a\r\n{}\r\n", fields.concat())
    })
}

proptest! {
    #[test]
    fn any_bytes_mean_the_same_to_both_or_differ_by_a_rule(input in hostile_bytes()) {
        check(&input);
    }

    #[test]
    fn every_well_formed_head_is_taken_by_both(head in good_head()) {
        check(head.as_bytes());
        let outcome = feed([head.as_bytes()]);
        let taken = matches!(outcome, Outcome::Head { head_len, .. } if head_len == head.len());
        prop_assert!(taken || head.len() > 8 * 1024, "{:?}", outcome);
    }
}
