//! Fields with values that several renderers write. A key comes with its quotes, its colon and the
//! comma before it, so that one copy appends all of them.

use crate::chat::model::record::Epoch;
use crate::wire::json::{name, number, put};

#[inline]
pub(super) fn name_field(out: &mut Vec<u8>, key: &str, value: &str) {
    put(out, key);
    name(out, value);
}

pub(super) fn epoch_field(out: &mut Vec<u8>, key: &str, epoch: Epoch) {
    name_field(out, key, epoch.text(&mut [0; Epoch::LEN_MAX]));
}

#[inline]
pub(super) fn field(out: &mut Vec<u8>, key: &str, value: u64) {
    put(out, key);
    number(out, value);
}
