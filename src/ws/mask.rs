//! Masking: RFC 6455 section 5.3.

/// The key that a client's frame is masked with.
pub type MaskKey = [u8; 4];

/// Bytes that are masked in one step: a multiple of the key's length, wide enough for the compiler
/// to use the machine's vectors.
const BLOCK_LEN: usize = 32;

const _: () = assert!(BLOCK_LEN.is_multiple_of(size_of::<MaskKey>()));

/// Masks `payload` in place, or takes the mask off: the two are the same.
///
/// `offset` is the position of `payload` in its frame's payload, so that a frame may be unmasked in
/// pieces as they arrive.
pub fn mask(payload: &mut [u8], key: MaskKey, offset: u64) {
    // The key begins anew with each frame and not with each piece.
    let key = rotate(key, offset);
    let mut pattern = [0; BLOCK_LEN];
    for (byte, key) in pattern.iter_mut().zip(key.iter().cycle()) {
        *byte = *key;
    }
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK_LEN>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(pattern) {
            *byte ^= key;
        }
    }
    let (words, rest) = rest.as_chunks_mut::<4>();
    // In the machine's order on both sides, so that the bytes meet whatever it is.
    let key_word = u32::from_ne_bytes(key);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key_word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

/// The key as it applies from `offset` on.
fn rotate(mut key: MaskKey, offset: u64) -> MaskKey {
    match offset % 4 {
        0 => {}
        1 => key.rotate_left(1),
        2 => key.rotate_left(2),
        _ => key.rotate_left(3),
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.3 to the letter: each octet is combined with the key's octet of its position
    /// modulo 4.
    fn mask_plainly(payload: &mut [u8], key: MaskKey, offset: usize) {
        for (i, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[(offset + i) % 4];
        }
    }

    #[test]
    fn masking_by_blocks_is_the_rfcs_definition_at_every_offset_and_length() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let source: Vec<u8> = (0..=255).cycle().take(3 * BLOCK_LEN + 8).collect();
        for start in 0..8 {
            for len in 0..=source.len() - start {
                for offset in 0..9 {
                    let mut fast = source.clone();
                    let mut plain = source.clone();
                    mask(&mut fast[start..start + len], key, u64::try_from(offset).unwrap());
                    mask_plainly(&mut plain[start..start + len], key, offset);
                    assert_eq!(fast, plain, "start {start}, length {len}, offset {offset}");
                }
            }
        }
    }

    #[test]
    fn masking_in_two_pieces_is_masking_at_once() {
        let key = [1, 2, 4, 8];
        for cut in 0..=100 {
            let mut whole = [0x55; 100];
            let mut pieces = whole;
            mask(&mut whole, key, 0);
            let (head, tail) = pieces.split_at_mut(cut);
            mask(head, key, 0);
            mask(tail, key, u64::try_from(cut).unwrap());
            assert_eq!(whole, pieces, "cut at {cut}");
        }
    }
}
