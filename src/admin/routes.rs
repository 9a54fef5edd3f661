//! The one table of the API: what is dispatched, documented and tested is read from it.

use std::fmt::Write as _;

use super::shape::Shape;
use super::{requests, responses};

/// Where the API begins.
pub const API: &str = "/api/";

/// The method of a route.
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
    /// Its method.
    pub verb: Verb,
    /// Where.
    pub path: &'static str,
    /// What it does.
    pub call: Call,
    /// The same, as a sentence.
    pub about: &'static str,
    /// What may stand in the query of a GET, or must stand in the JSON body of a POST.
    pub request: &'static Shape,
    /// What is answered; `None`: a document.
    pub response: Option<&'static Shape>,
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
    request: &'static Shape,
    response: &'static Shape,
    about: &'static str,
) -> Route {
    Route {
        verb: Verb::Get,
        path,
        call,
        about,
        request,
        response: Some(response),
        status: 200,
        is_open: false,
        is_audited: false,
        is_idempotent: false,
    }
}

const fn act(
    path: &'static str,
    call: Call,
    request: &'static Shape,
    response: &'static Shape,
    about: &'static str,
) -> Route {
    Route { verb: Verb::Post, is_audited: true, ..look(path, call, request, response, about) }
}

/// As [`act`], of what makes something.
const fn make(
    path: &'static str,
    call: Call,
    request: &'static Shape,
    response: &'static Shape,
    about: &'static str,
) -> Route {
    Route { status: 201, ..act(path, call, request, response, about) }
}

/// As [`make`], of a message, which is in the room's log and not in the audit.
const fn say(
    path: &'static str,
    call: Call,
    request: &'static Shape,
    response: &'static Shape,
    about: &'static str,
) -> Route {
    Route { is_audited: false, is_idempotent: true, ..make(path, call, request, response, about) }
}

const fn document(path: &'static str, call: Call, about: &'static str) -> Route {
    let request = requests::Nothing::SHAPE;
    Route {
        response: None,
        is_open: true,
        ..look(path, call, request, responses::Done::SHAPE, about)
    }
}

/// All routes, in the order of the documents.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    look("/api/v1/stats", Call::Stats, requests::Nothing::SHAPE, responses::Stats::SHAPE,
        "Tells how the server is"),
    look("/api/v1/nodes", Call::Nodes, requests::Nothing::SHAPE, responses::Nodes::SHAPE,
        "Lists the nodes of the cluster, and tells how its engine is"),
    look("/api/v1/connections", Call::Connections, requests::ConnectionsQuery::SHAPE,
        responses::Connections::SHAPE, "Lists connections"),
    look("/api/v1/connections/closed", Call::Closed, requests::ClosedQuery::SHAPE,
        responses::ClosedConnections::SHAPE, "Lists connections that have ended"),
    look("/api/v1/rooms", Call::Rooms, requests::RoomsQuery::SHAPE, responses::Rooms::SHAPE,
        "Lists rooms"),
    look("/api/v1/members", Call::Members, requests::MembersQuery::SHAPE, responses::Members::SHAPE,
        "Lists the members of a room"),
    look("/api/v1/users", Call::Users, requests::PageQuery::SHAPE, responses::Users::SHAPE,
        "Lists users"),
    look("/api/v1/sessions", Call::Sessions, requests::SessionsQuery::SHAPE,
        responses::Sessions::SHAPE,
        "Lists the sessions and logins of a user"),
    look("/api/v1/keys", Call::Keys, requests::PageQuery::SHAPE, responses::Keys::SHAPE,
        "Lists the keys of programs"),
    look("/api/v1/hooks", Call::Hooks, requests::PageQuery::SHAPE, responses::Keys::SHAPE,
        "Lists the incoming hooks"),
    look("/api/v1/bans", Call::Bans, requests::PageQuery::SHAPE, responses::Bans::SHAPE,
        "Lists the bans from the server"),
    look("/api/v1/log-level", Call::LogLevel, requests::Nothing::SHAPE, responses::LogLevel::SHAPE,
        "Tells what is logged"),
    say("/api/v1/publish", Call::Publish, requests::Publish::SHAPE, responses::Sent::SHAPE,
        "Sends a message to a room"),
    say("/api/v1/broadcast", Call::Broadcast, requests::Broadcast::SHAPE,
        responses::Broadcasted::SHAPE,
        "Sends a message to several rooms"),
    make("/api/v1/rooms/kick", Call::Kick, requests::Kick::SHAPE, responses::Sent::SHAPE,
        "Removes a member from a room"),
    make("/api/v1/rooms/ban", Call::RoomBan, requests::RoomBan::SHAPE, responses::Sent::SHAPE,
        "Keeps a user out of a room"),
    make("/api/v1/rooms/unban", Call::RoomUnban, requests::RoomUnban::SHAPE, responses::Sent::SHAPE,
        "Lets a user into a room again"),
    act("/api/v1/ban", Call::Ban, requests::Ban::SHAPE, responses::Done::SHAPE,
        "Keeps a user or an address out of the server"),
    act("/api/v1/unban", Call::Unban, requests::Unban::SHAPE, responses::Done::SHAPE,
        "Lets a user or an address into the server again"),
    act("/api/v1/disconnect", Call::Disconnect, requests::Disconnect::SHAPE,
        responses::Disconnected::SHAPE, "Closes connections, which may come back"),
    act("/api/v1/sessions/end", Call::EndSessions, requests::EndSessions::SHAPE,
        responses::Done::SHAPE,
        "Ends all sessions and logins of a user"),
    make("/api/v1/keys", Call::AddKey, requests::AddKey::SHAPE, responses::NewKey::SHAPE,
        "Makes a key for a program"),
    act("/api/v1/keys/end", Call::EndKey, requests::EndKey::SHAPE, responses::Done::SHAPE,
        "Ends a key, and its connections"),
    make("/api/v1/hooks", Call::AddHook, requests::AddHook::SHAPE, responses::NewHook::SHAPE,
        "Makes an incoming hook"),
    act("/api/v1/hooks/end", Call::EndHook, requests::EndKey::SHAPE, responses::Done::SHAPE,
        "Ends an incoming hook"),
    act("/api/v1/log-level", Call::SetLogLevel, requests::SetLogLevel::SHAPE,
        responses::LogLevel::SHAPE,
        "Changes what is logged, until the next reload or restart"),
    act("/api/v1/reload", Call::Reload, requests::Nothing::SHAPE, responses::Reloaded::SHAPE,
        "Reads configuration, certificates and keys of tokens again, as SIGHUP does"),
    act("/api/v1/drain", Call::Drain, requests::Nothing::SHAPE, responses::Done::SHAPE,
        "Sends all clients away and stops the server, as SIGTERM does"),
    document("/api/v1/openapi.json", Call::OpenApi, "Describes this API"),
    document("/api/v1/asyncapi.json", Call::AsyncApi, "Describes the chat's protocol"),
];

/// The routes at a path: one for each method.
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
        let fields = route.request.fields.iter().map(|field| {
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
        let request: BTreeSet<_> =
            ROUTES.iter().map(|row| (row.path, row.verb == Verb::Get)).collect();
        assert_eq!(request.len(), ROUTES.len());
        assert!(ROUTES.iter().all(|row| row.path.starts_with("/api/v1/")));
        assert!(ROUTES.iter().all(|row| !row.is_open || row.verb == Verb::Get));
    }
}
