//! What a device is sent, sealed for it alone: RFC 8291, with the coding `aes128gcm` of RFC 8188.
//!
//! ```text
//!   salt 16 │ record size 4 │ 65 │ our key of this message 65 │ AES-128-GCM( text 02 00 … 00 )
//! ```
//!
//! The push service sees to which device it is sent, when, and a length in steps of
//! [`PAD_TO`] bytes.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use crate::chat::model::push::{DEVICE_KEY_LEN, DEVICE_SECRET_LEN};

/// Texts are filled up to a multiple of so many bytes.
pub const PAD_TO: usize = 128;
/// Bytes of one record, of which there is one: push services take no more than 4096 in all.
const RECORD_SIZE: u32 = 4096;
/// Bytes of the longest text: what is left of these, in whole steps.
pub const TEXT_LEN_MAX: usize = (4096 - 86 - 16) / PAD_TO * PAD_TO - 1;
const SALT_LEN: usize = 16;
/// Ends the text of the last record.
const LAST: u8 = 2;

/// A text cannot be sealed for this device: its key is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDeviceKey;

/// The keys of a device.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Its public key.
    pub key: &'a [u8; DEVICE_KEY_LEN],
    /// What it shares with this server.
    pub secret: &'a [u8; DEVICE_SECRET_LEN],
}

/// Seals a text for a device.
///
/// # Errors
///
/// [`BadDeviceKey`]; also if the system has no random numbers.
pub fn seal(to: Recipient<'_>, text: &[u8]) -> Result<Vec<u8>, BadDeviceKey> {
    let random = SystemRandom::new();
    let mut salt = [0; SALT_LEN];
    random.fill(&mut salt).or(Err(BadDeviceKey))?;
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).or(Err(BadDeviceKey))?;
    let own_key = own.compute_public_key().or(Err(BadDeviceKey))?;
    let mut own_public = [0; DEVICE_KEY_LEN];
    own_public.copy_from_slice(own_key.as_ref());
    let padding = (text.len() + 1).next_multiple_of(PAD_TO) - text.len() - 1;
    let peer = UnparsedPublicKey::new(&ECDH_P256, to.key);
    let sealed = agree_ephemeral(own, &peer, |shared| {
        seal_with(to, (shared, &own_public), salt, (text, padding))
    });
    sealed.or(Err(BadDeviceKey))
}

/// Bytes of key material.
struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

/// `HKDF-Expand` of RFC 5869.
fn expand<const LEN: usize>(from: &Prk, info: &[&[u8]]) -> [u8; LEN] {
    let mut out = [0; LEN];
    // It fails for more than 255 hashes only.
    _ = from.expand(info, Len(LEN)).and_then(|key| key.fill(&mut out));
    out
}

/// The same with what is random given: the secret of both keys of this message, the public one of
/// ours, and the salt.
fn seal_with(
    to: Recipient<'_>,
    (shared, own_public): (&[u8], &[u8; DEVICE_KEY_LEN]),
    salt: [u8; SALT_LEN],
    (text, padding): (&[u8], usize),
) -> Vec<u8> {
    let of_both = Salt::new(HKDF_SHA256, to.secret).extract(shared);
    let info: [&[u8]; 3] = [b"WebPush: info\0", to.key, own_public];
    let of_message: [u8; 32] = expand(&of_both, &info);
    let from = Salt::new(HKDF_SHA256, &salt).extract(&of_message);
    let key: [u8; 16] = expand(&from, &[b"Content-Encoding: aes128gcm\0"]);
    let nonce: [u8; 12] = expand(&from, &[b"Content-Encoding: nonce\0"]);
    let mut record = Vec::with_capacity(text.len() + 1 + padding + AES_128_GCM.tag_len());
    record.extend_from_slice(text);
    record.push(LAST);
    record.resize(text.len() + 1 + padding, 0);
    // Neither can fail: the key has the length that it must have, and the text is short.
    if let Ok(key) = UnboundKey::new(&AES_128_GCM, &key) {
        let nonce = Nonce::assume_unique_for_key(nonce);
        _ = LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::empty(), &mut record);
    }
    let id_len = [65];
    let head: [&[u8]; 4] = [&salt, &RECORD_SIZE.to_be_bytes(), &id_len, own_public];
    let mut sealed = head.concat();
    sealed.append(&mut record);
    sealed
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn bytes<const LEN: usize>(text: &str) -> [u8; LEN] {
        URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_example_of_rfc_8291_is_sealed_to_the_byte() {
        let key = bytes(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        );
        let own_public = bytes(
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
        );
        let shared: [u8; 32] = bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let secret = bytes("BTBZMqHH6r4Tts7J_aSIgg");
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw");
        let text = b"When I grow up, I want to be a watermelon";
        let to = Recipient { key: &key, secret: &secret };
        let sealed = seal_with(to, (&shared, &own_public), salt, (text, 0));
        assert_eq!(
            URL_SAFE_NO_PAD.encode(sealed),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLoc\
             InmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLV\
             WGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    /// Opens what was sealed for the owner of the private key, as a browser does.
    fn open(private: EphemeralPrivateKey, to: Recipient<'_>, sealed: &[u8]) -> Vec<u8> {
        let (salt, rest) = sealed.split_at(SALT_LEN);
        assert_eq!(rest[..5], [0, 0, 16, 0, 65]);
        let (own_public, record) = rest[5..].split_at(DEVICE_KEY_LEN);
        let peer = UnparsedPublicKey::new(&ECDH_P256, own_public);
        agree_ephemeral(private, &peer, |shared| {
            let of_both = Salt::new(HKDF_SHA256, to.secret).extract(shared);
            let ikm: [u8; 32] = expand(&of_both, &[b"WebPush: info\0", to.key, own_public]);
            let from = Salt::new(HKDF_SHA256, salt).extract(&ikm);
            let key: [u8; 16] = expand(&from, &[b"Content-Encoding: aes128gcm\0"]);
            let nonce =
                Nonce::assume_unique_for_key(expand(&from, &[b"Content-Encoding: nonce\0"]));
            let mut record = record.to_vec();
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
            key.open_in_place(nonce, Aad::empty(), &mut record).unwrap().to_vec()
        })
        .unwrap()
    }

    #[test]
    fn only_the_length_in_steps_can_be_seen() {
        for (len, expect) in [(0, 128), (127, 128), (128, 256), (300, 384)] {
            let random = SystemRandom::new();
            let private = EphemeralPrivateKey::generate(&ECDH_P256, &random).unwrap();
            let mut key = [0; 65];
            key.copy_from_slice(private.compute_public_key().unwrap().as_ref());
            let to = Recipient { key: &key, secret: &[9; 16] };
            let text = vec![b'x'; len];
            let sealed = seal(to, &text).unwrap();
            assert_eq!(sealed.len(), 16 + 5 + 65 + expect + 16, "{len}");
            let opened = open(private, to, &sealed);
            let (shown, rest) = opened.split_at(len);
            assert_eq!((shown, rest[0]), (&text[..], LAST));
            assert!(rest[1..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_key_that_is_no_point_of_the_curve_is_refused() {
        let to = Recipient { key: &[4; 65], secret: &[0; 16] };
        assert_eq!(seal(to, b"hi"), Err(BadDeviceKey));
    }
}
