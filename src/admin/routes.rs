//! The one table of the API: what is dispatched, documented and tested is read from it.

use super::asked;
use super::shape::Shape;
use super::told;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Tells how the server is.
    Stats,
    /// Lists connections.
    Connections,
    /// Lists connections that have ended.
    Closed,
    /// Lists rooms.
    Rooms,
    /// Describes the API.
    OpenApi,
}

/// One route.
#[derive(Debug)]
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
    /// It is answered without a token.
    pub is_open: bool,
}

const fn get(
    path: &'static str,
    call: Call,
    asked: &'static Shape,
    told: &'static Shape,
    about: &'static str,
) -> Route {
    Route { verb: Verb::Get, path, call, about, asked, told: Some(told), is_open: false }
}

const fn document(path: &'static str, call: Call, about: &'static str) -> Route {
    let asked = asked::Nothing::SHAPE;
    Route { verb: Verb::Get, path, call, about, asked, told: None, is_open: true }
}

/// All routes, in the order of the documents.
pub const ROUTES: &[Route] = &[
    get(
        "/api/v1/stats",
        Call::Stats,
        asked::Nothing::SHAPE,
        told::Stats::SHAPE,
        "Tells how the server is",
    ),
    get(
        "/api/v1/connections",
        Call::Connections,
        asked::ConnectionsQuery::SHAPE,
        told::Connections::SHAPE,
        "Lists connections",
    ),
    get(
        "/api/v1/connections/closed",
        Call::Closed,
        asked::ClosedQuery::SHAPE,
        told::ClosedConnections::SHAPE,
        "Lists connections that have ended",
    ),
    get("/api/v1/rooms", Call::Rooms, asked::RoomsQuery::SHAPE, told::Rooms::SHAPE, "Lists rooms"),
    document("/api/v1/openapi.json", Call::OpenApi, "This description of the API"),
];

/// The routes at a path: one for each way in which it may be asked.
pub fn at(path: &str) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| route.path == path)
}
