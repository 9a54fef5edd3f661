//! As much of DER as says until when a certificate is good (RFC 5280 section 4.1).

/// The tag of a sequence, of a version, and of the two forms of a time.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The second after which the certificate is no longer good, counted from 1970; `None` if the bytes
/// are no certificate.
///
/// ```text
/// Certificate ::= SEQUENCE { tbs SEQUENCE {
///     [0] version OPTIONAL, serial, algorithm, issuer,
///     SEQUENCE { notBefore, notAfter }, … } … }
/// ```
pub(super) fn not_after(certificate: &[u8]) -> Option<u64> {
    let (mut tbs, _) = value(value(certificate, SEQUENCE)?.0, SEQUENCE)?;
    if tbs.first() == Some(&VERSION) {
        tbs = value(tbs, VERSION)?.1;
    }
    for _serial_algorithm_issuer in 0..3 {
        let tag = *tbs.first()?;
        tbs = value(tbs, tag)?.1;
    }
    let (validity, _) = value(tbs, SEQUENCE)?;
    let (_, rest) = value(validity, *validity.first()?)?;
    let tag = *rest.first()?;
    let (text, _) = value(rest, tag)?;
    seconds(tag, std::str::from_utf8(text).ok()?)
}

/// The value of the item of this `tag` at the front of `input`, and what follows it.
fn value(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        // Lengths of more than four bytes are longer than any file that is read.
        0x81..=0x84 => {
            let (len, rest) = rest.split_at_checked(usize::from(short - 0x80))?;
            (len.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    (first == tag).then(|| rest.split_at_checked(len))?
}

/// The seconds since 1970 of a time in UTC: `YYMMDDhhmmssZ` of 1950 to 2049, or `YYYYMMDDhhmmssZ`.
fn seconds(tag: u8, text: &str) -> Option<u64> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
    let (month, day) = (two(0)?, two(2)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && rest.len() == 10;
    let days = days_from_1970(year, month, day).filter(|_| is_date)?;
    Some(days * 86_400 + two(4)? * 3_600 + two(6)? * 60 + two(8)?)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar that is not before it: each year begins
/// in March, so that the leap day is its last.
fn days_from_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tag: u8, text: &str, expect: Option<u64>) {
        assert_eq!(seconds(tag, text), expect, "{text}");
    }

    #[test]
    fn times_are_seconds_since_1970() {
        check(UTC_TIME, "700101000000Z", Some(0));
        check(UTC_TIME, "491231235959Z", Some(2_524_607_999));
        check(UTC_TIME, "240229120000Z", Some(1_709_208_000));
        check(GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000));
        check(GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799));
        for wrong in [
            "",
            "Z",
            "7001010000Z",
            "700101000000",
            "70010100000Z",
            "701301000000Z",
            "xx0101000000Z",
        ] {
            check(UTC_TIME, wrong, None);
        }
        check(GENERALIZED_TIME, "19491231235959Z", None);
        check(0x13, "700101000000Z", None);
    }

    #[test]
    fn every_prefix_of_a_certificate_is_none() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let der = made.cert.der();
        assert!(not_after(der).is_some());
        for end in 0..der.len() {
            assert_eq!(not_after(&der[..end]), None, "{end}");
        }
    }

    #[test]
    fn no_byte_that_is_changed_is_read_beyond_the_end() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        for at in 0..made.cert.der().len() {
            for bit in 0..8 {
                let mut der = made.cert.der().to_vec();
                der[at] ^= 1 << bit;
                // Whatever it says now, it is read without a panic.
                assert!(not_after(&der).is_none_or(|at| at < 1 << 40), "{at} {bit}");
            }
        }
    }
}
