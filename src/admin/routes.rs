//! The one table of the API: what is dispatched, documented and tested is read from it.

use std::fmt::Write as _;

use super::shape::Shape;
use super::{asked, told};

/// Where the API begins.
pub const API: &str = "/api/";

/// How a route is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It tells something, and changes nothing. HEAD is answered likewise.
    Get,
    /// It does something.
    Post,
}

/// What a route does.
#[expect(missing_docs, reason = "the table says it of each")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Stats,
    Nodes,
    Connections,
    Closed,
    Rooms,
    Members,
    Users,
    Sessions,
    Keys,
    Hooks,
    Bans,
    LogLevel,
    Publish,
    Broadcast,
    Kick,
    RoomBan,
    RoomUnban,
    Ban,
    Unban,
    Disconnect,
    EndSessions,
    AddKey,
    EndKey,
    AddHook,
    EndHook,
    SetLogLevel,
    Reload,
    Drain,
    OpenApi,
    AsyncApi,
}

/// One route.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "marks that do not depend on each other")]
pub struct Route {
    /// How it is asked.
    pub verb: Verb,
    /// Where.
    pub path: &'static str,
    /// What it does.
    pub call: Call,
    /// The same, as a sentence.
    pub about: &'static str,
    /// What may stand in the query of a GET, or must stand in the JSON body of a POST.
    pub asked: &'static Shape,
    /// What is answered; `None`: a document.
    pub told: Option<&'static Shape>,
    /// The status of what was done.
    pub status: u16,
    /// It is answered without a token.
    pub is_open: bool,
    /// It is noted for the audit.
    pub is_audited: bool,
    /// Asked twice with the same `Idempotency-Key`, it is done once.
    pub is_idempotent: bool,
}

const fn look(
    path: &'static str,
    call: Call,
    asked: &'static Shape,
    told: &'static Shape,
    about: &'static str,
) -> Route {
    Route {
        verb: Verb::Get,
        path,
        call,
        about,
        asked,
        told: Some(told),
        status: 200,
        is_open: false,
        is_audited: false,
        is_idempotent: false,
    }
}

const fn act(
    path: &'static str,
    call: Call,
    asked: &'static Shape,
    told: &'static Shape,
    about: &'static str,
) -> Route {
    Route { verb: Verb::Post, is_audited: true, ..look(path, call, asked, told, about) }
}

/// As [`act`], of what makes something.
const fn make(
    path: &'static str,
    call: Call,
    asked: &'static Shape,
    told: &'static Shape,
    about: &'static str,
) -> Route {
    Route { status: 201, ..act(path, call, asked, told, about) }
}

/// As [`make`], of a message, which is in the room's log and not in the audit.
const fn say(
    path: &'static str,
    call: Call,
    asked: &'static Shape,
    told: &'static Shape,
    about: &'static str,
) -> Route {
    Route { is_audited: false, is_idempotent: true, ..make(path, call, asked, told, about) }
}

const fn document(path: &'static str, call: Call, about: &'static str) -> Route {
    let asked = asked::Nothing::SHAPE;
    Route { told: None, is_open: true, ..look(path, call, asked, told::Done::SHAPE, about) }
}

/// All routes, in the order of the documents.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    look("/api/v1/stats", Call::Stats, asked::Nothing::SHAPE, told::Stats::SHAPE,
        "Tells how the server is"),
    look("/api/v1/nodes", Call::Nodes, asked::Nothing::SHAPE, told::Nodes::SHAPE,
        "Lists the nodes of the cluster, and tells how its engine is"),
    look("/api/v1/connections", Call::Connections, asked::ConnectionsQuery::SHAPE,
        told::Connections::SHAPE, "Lists connections"),
    look("/api/v1/connections/closed", Call::Closed, asked::ClosedQuery::SHAPE,
        told::ClosedConnections::SHAPE, "Lists connections that have ended"),
    look("/api/v1/rooms", Call::Rooms, asked::RoomsQuery::SHAPE, told::Rooms::SHAPE,
        "Lists rooms"),
    look("/api/v1/members", Call::Members, asked::MembersQuery::SHAPE, told::Members::SHAPE,
        "Lists the members of a room"),
    look("/api/v1/users", Call::Users, asked::PageQuery::SHAPE, told::Users::SHAPE,
        "Lists users"),
    look("/api/v1/sessions", Call::Sessions, asked::SessionsQuery::SHAPE, told::Sessions::SHAPE,
        "Lists the sessions and logins of a user"),
    look("/api/v1/keys", Call::Keys, asked::PageQuery::SHAPE, told::Keys::SHAPE,
        "Lists the keys of programs"),
    look("/api/v1/hooks", Call::Hooks, asked::PageQuery::SHAPE, told::Keys::SHAPE,
        "Lists the incoming hooks"),
    look("/api/v1/bans", Call::Bans, asked::PageQuery::SHAPE, told::Bans::SHAPE,
        "Lists the bans from the server"),
    look("/api/v1/log-level", Call::LogLevel, asked::Nothing::SHAPE, told::LogLevel::SHAPE,
        "Tells what is logged"),
    say("/api/v1/publish", Call::Publish, asked::Publish::SHAPE, told::Sent::SHAPE,
        "Sends a message to a room"),
    say("/api/v1/broadcast", Call::Broadcast, asked::Broadcast::SHAPE, told::Broadcasted::SHAPE,
        "Sends a message to several rooms"),
    make("/api/v1/rooms/kick", Call::Kick, asked::Kick::SHAPE, told::Sent::SHAPE,
        "Removes a member from a room"),
    make("/api/v1/rooms/ban", Call::RoomBan, asked::RoomBan::SHAPE, told::Sent::SHAPE,
        "Keeps a user out of a room"),
    make("/api/v1/rooms/unban", Call::RoomUnban, asked::RoomUnban::SHAPE, told::Sent::SHAPE,
        "Lets a user into a room again"),
    act("/api/v1/ban", Call::Ban, asked::Ban::SHAPE, told::Done::SHAPE,
        "Keeps a user or an address out of the server"),
    act("/api/v1/unban", Call::Unban, asked::Unban::SHAPE, told::Done::SHAPE,
        "Lets a user or an address into the server again"),
    act("/api/v1/disconnect", Call::Disconnect, asked::Disconnect::SHAPE,
        told::Disconnected::SHAPE, "Closes connections, which may come back"),
    act("/api/v1/sessions/end", Call::EndSessions, asked::EndSessions::SHAPE, told::Done::SHAPE,
        "Ends all sessions and logins of a user"),
    make("/api/v1/keys", Call::AddKey, asked::AddKey::SHAPE, told::NewKey::SHAPE,
        "Makes a key for a program"),
    act("/api/v1/keys/end", Call::EndKey, asked::EndKey::SHAPE, told::Done::SHAPE,
        "Ends a key, and its connections"),
    make("/api/v1/hooks", Call::AddHook, asked::AddHook::SHAPE, told::NewHook::SHAPE,
        "Makes an incoming hook"),
    act("/api/v1/hooks/end", Call::EndHook, asked::EndKey::SHAPE, told::Done::SHAPE,
        "Ends an incoming hook"),
    act("/api/v1/log-level", Call::SetLogLevel, asked::SetLogLevel::SHAPE, told::LogLevel::SHAPE,
        "Changes what is logged, until the next reload or restart"),
    act("/api/v1/reload", Call::Reload, asked::Nothing::SHAPE, told::Reloaded::SHAPE,
        "Reads configuration, certificates and keys of tokens again, as SIGHUP does"),
    act("/api/v1/drain", Call::Drain, asked::Nothing::SHAPE, told::Done::SHAPE,
        "Sends all clients away and stops the server, as SIGTERM does"),
    document("/api/v1/openapi.json", Call::OpenApi, "Describes this API"),
    document("/api/v1/asyncapi.json", Call::AsyncApi, "Describes the chat's protocol"),
];

/// The routes at a path: one for each way in which it may be asked.
pub fn at(path: &str) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| route.path == path)
}

/// The table of the documentation.
#[must_use]
pub fn table() -> String {
    let mut table = "| request | does | with |\n|---|---|---|\n".to_owned();
    for route in ROUTES {
        let verb = match route.verb {
            Verb::Get => "GET",
            Verb::Post => "POST",
        };
        let fields = route.asked.fields.iter().map(|field| {
            let mark = if field.is_optional { "?" } else { "" };
            format!("`{}{mark}`", field.name)
        });
        let fields: Vec<String> = fields.collect();
        let (path, about) = (route.path, route.about);
        let fields = fields.join(", ");
        // Writing to a string cannot fail.
        _ = writeln!(table, "| `{verb} {path}` | {about} | {fields} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_has_the_table() {
        let chapter = include_str!("../docs/admin.md");
        assert!(chapter.contains(&table()), "put this into admin.md:\n{}", table());
    }

    #[test]
    fn no_two_routes_are_asked_alike_and_what_is_open_only_tells() {
        let asked: BTreeSet<_> =
            ROUTES.iter().map(|row| (row.path, row.verb == Verb::Get)).collect();
        assert_eq!(asked.len(), ROUTES.len());
        assert!(ROUTES.iter().all(|row| row.path.starts_with("/api/v1/")));
        assert!(ROUTES.iter().all(|row| !row.is_open || row.verb == Verb::Get));
    }
}
