//! Signatures as Standard Webhooks has them: HMAC-SHA256 over the request's id, its time and its
//! body, separated by dots, with a secret that is written as `whsec_` and base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::chat::model::account::Hidden;

/// How a secret begins.
const PREFIX: &str = "whsec_";

/// The secret that consists of these bits.
#[must_use]
pub fn make(bits: [u8; 32]) -> Hidden {
    Hidden::new(format!("{PREFIX}{}", STANDARD.encode(bits)))
}

/// The field `webhook-signature` by these secrets, one signature for each: a receiver takes a
/// request if it knows one of them, so that a secret can be changed while requests come.
#[must_use]
pub fn signatures<'a>(
    secrets: impl Iterator<Item = &'a Hidden>,
    (id, timestamp): (&str, u64),
    body: &[u8],
) -> String {
    let signed = secrets.filter_map(|secret| signature(secret.reveal(), (id, timestamp), body));
    signed.collect::<Vec<_>>().join(" ")
}

/// One signature; `None` if the secret has not the form of one.
fn signature(secret: &str, (id, timestamp): (&str, u64), body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_example_of_the_specification_is_signed_as_there() {
        assert_eq!(signature(SECRET, (ID, 1_614_265_330), BODY).as_deref(), Some(SIGNATURE));
        assert_ne!(signature(SECRET, (ID, 1_614_265_331), BODY).as_deref(), Some(SIGNATURE));
        assert_eq!(signature("whsec_", (ID, 1), BODY).map(|text| text.len()), Some(47));
        assert_eq!(signature("secret", (ID, 1), BODY), None);
    }

    #[test]
    fn two_secrets_make_two_signatures() {
        let secrets = [Hidden::new(SECRET), make([7; 32])];
        let signed = signatures(secrets.iter(), (ID, 1_614_265_330), BODY);
        let (first, second) = signed.split_once(' ').unwrap();
        assert_eq!(first, SIGNATURE);
        assert!(second.starts_with("v1,") && second != first);
    }
}
