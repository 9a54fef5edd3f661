//! Threads: a page of one, and the list of those that are followed.

use super::Context;
use super::field::{epoch_field, field, name_field};
use super::record::item;
use crate::chat::model::reply::Reply;
use crate::chat::model::thread::ThreadRow;
use crate::wire::json::{array, boolean, prose, put};

/// Appends the fields of the answer to `thread` or `threads`.
pub(super) fn threads(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    match reply {
        Reply::Thread { room, epoch, thread, page } => {
            name_field(out, r#""room":"#, room.as_str());
            epoch_field(out, r#","epoch":"#, *epoch);
            field(out, r#","thread":"#, *thread);
            put(out, r#","items":"#);
            array(out, &page.records, |out, record| item(out, record, context.viewer));
            put(out, r#","more":"#);
            boolean(out, page.more);
            put(out, r#","following":"#);
            boolean(out, page.mark.is_some());
            if let Some((read, unread)) = page.mark {
                field(out, r#","read":"#, read);
                field(out, r#","unread":"#, unread);
            }
        }
        Reply::Threads { items } => {
            put(out, r#""items":"#);
            array(out, items, row);
        }
        _ => {}
    }
}

fn row(out: &mut Vec<u8>, row: &ThreadRow) {
    let ThreadRow { room, thread, from, text, seq, read, unread } = row;
    name_field(out, r#"{"room":"#, room.as_str());
    field(out, r#","thread":"#, *thread);
    name_field(out, r#","from":"#, from.as_str());
    put(out, r#","text":"#);
    prose(out, text);
    field(out, r#","seq":"#, *seq);
    field(out, r#","read":"#, *read);
    field(out, r#","unread":"#, *unread);
    put(out, "}");
}
