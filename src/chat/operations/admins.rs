//! Administrators: who is one now.
//!
//! An account is one as long as its row says so; who has come by a token, as long as that holds.

use super::Chat;
use crate::chat::keys::UserKey;
use crate::chat::model::identity::Source;
use crate::chat::model::name::UserName;
use crate::net::ConnId;

/// Whether this connection is an administrator's.
pub(super) fn is_admin(chat: &Chat, (conn, user): (ConnId, UserKey)) -> bool {
    let row = &chat.directory[user];
    match row.source {
        Source::Account => chat.accounts.account(&row.name).is_some_and(|row| row.is_admin),
        Source::Token => chat.directory.credentials.get(conn).is_some_and(|row| row.is_admin),
        Source::None | Source::Guest | Source::Header | Source::Key | Source::Retired => false,
    }
}

/// The connections of all administrators, with their names.
pub(super) fn connections(chat: &Chat) -> Vec<(ConnId, UserName)> {
    let named = chat.accounts.admins().filter_map(|name| chat.directory.user_named(name.as_str()));
    let by_token = chat.directory.credentials.connections();
    let by_token = by_token.filter_map(|conn| Some((conn, chat.delivery.reader(conn)?.user)));
    let by_account = named.flat_map(|user| {
        chat.directory[user].sessions.iter().map(move |session| (session.conn, user))
    });
    let all = by_account.chain(by_token).filter(|&by| is_admin(chat, by));
    all.map(|(conn, user)| (conn, chat.directory[user].name.clone())).collect()
}
