//! The one order in which a request is checked on its way in.
//!
//! ```text
//!  limits ─▶ head ─▶ Host ─▶ Origin ─▶ body ─▶ twice ─▶ route ─▶ method ─▶ upgrade
//!  414 431   400     400     403       413     400      404      405       400 426
//!            505     421               415 417
//!  └─ HeadParser ─┘ └─ admit ─────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing about the paths can be learnt by a page or under a name that is not allowed in.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::name::Name;
use super::upgrade::SUBPROTOCOL;
use super::{Head, HostPolicy, Method, Methods, OriginPolicy, Refusal, Scheme, Upgrade};

/// Who is let in.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// Under which host names.
    pub hosts: HostPolicy,
    /// From which pages.
    pub origins: OriginPolicy,
    /// Names are believed: only this machine may ask, and no proxy in between.
    pub is_local_only: bool,
}

/// The kind of resource at a path, which the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<P> {
    /// A file of the page.
    Page(P),
    /// The chat's WebSocket.
    WebSocket,
    /// The diagnostic WebSocket, which speaks no subprotocol.
    Echo,
    /// The answer to whether the server is well.
    Health,
    /// What programs ask for: the caller knows its methods.
    Api,
    /// Nothing.
    NotFound,
}

/// What a request that passed every check is to be answered with.
#[derive(Clone, Debug)]
pub enum Admitted<'a, P> {
    /// A file of the page, for GET or HEAD.
    Page(P),
    /// The answer to whether the server is well, for GET or HEAD.
    Health,
    /// What programs ask for, in any method.
    Api,
    /// The handshake of the chat's WebSocket.
    WebSocket(Upgrade<'a>),
    /// The handshake of the diagnostic WebSocket.
    Echo(Upgrade<'a>),
}

impl Admission {
    /// Checks `head` that came over `scheme`, in the order above. `route` looks up the resource of
    /// a path.
    ///
    /// # Errors
    ///
    /// The first check that fails. The connection must end if [`Refusal::is_final`] or unless
    /// [`Head::keep_alive`].
    pub fn admit<'a, P>(
        &self,
        head: &Head<'a>,
        scheme: Scheme,
        route: impl FnOnce(&str) -> Route<P>,
    ) -> Result<Admitted<'a, P>, Refusal> {
        // Every name of this machine is served.
        if self.is_local_only { self.check_local(head) } else { self.hosts.check(head) }?;
        self.origins.check(head, scheme)?;
        head.check_body()?;
        check_single(head)?;
        if head.path() == "*" {
            return Err(Refusal::MethodNotAllowed { allowed: Methods::GetAndHead });
        }
        match route(head.path()) {
            Route::Page(page) => check_plain(head).map(|()| Admitted::Page(page)),
            Route::Health => check_plain(head).map(|()| Admitted::Health),
            Route::WebSocket => Upgrade::negotiate(head, &[SUBPROTOCOL]).map(Admitted::WebSocket),
            Route::Echo => Upgrade::negotiate(head, &[]).map(Admitted::Echo),
            // A client that has the wrong path is told so; to it 404 would look like a server
            // without WebSocket.
            Route::Api | Route::NotFound if head.asks_for_websocket() => {
                Err(Refusal::UpgradeElsewhere)
            }
            Route::Api => Ok(Admitted::Api),
            Route::NotFound => Err(Refusal::NotFound),
        }
    }

    /// Refuses a request that does not name this machine, or says that it has come by a proxy.
    fn check_local(&self, head: &Head<'_>) -> Result<(), Refusal> {
        match head.authority() {
            // A name that somebody else's page has must not learn that names are believed here.
            Some(authority) if !authority.host.is_loopback() => {
                let is_served = self.hosts.serves(authority.host);
                Err(if is_served { Refusal::NotLocal } else { Refusal::HostNotLocal })
            }
            Some(_) | None if is_proxied(head) => Err(Refusal::NotLocal),
            Some(_) | None => Ok(()),
        }
    }
}

/// Refuses a request in which one of the fields that say one thing stands twice: a proxy, or who
/// wrote it, may have meant the other one.
fn check_single(head: &Head<'_>) -> Result<(), Refusal> {
    let single =
        [Name::ContentType, Name::IdempotencyKey, Name::LastEventId, Name::Range, Name::IfRange];
    let repeated = single.into_iter().find(|&name| head.is_repeated(name));
    repeated.map_or(Ok(()), |name| Err(Refusal::FieldRepeated { name: name.text() }))
}

/// Whether the request says that it has come by a proxy.
fn is_proxied(head: &Head<'_>) -> bool {
    [Name::Via, Name::Forwarded, Name::XForwardedFor, Name::XForwardedOther]
        .into_iter()
        .any(|name| head.has(name))
}

/// Requires a request that a file or a status can answer.
fn check_plain(head: &Head<'_>) -> Result<(), Refusal> {
    match head.method() {
        _ if head.asks_for_websocket() => Err(Refusal::UpgradeElsewhere),
        Method::Get | Method::Head => Ok(()),
        Method::Post | Method::Put | Method::Options | Method::Other => {
            Err(Refusal::MethodNotAllowed { allowed: Methods::GetAndHead })
        }
    }
}
