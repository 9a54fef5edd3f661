//! Who somebody is by a token: verified here, within a budget, and handed to the domain.
//!
//! A signature costs up to half a millisecond, and after a restart all clients come at once. So
//! only a few are verified in a turn: the connections whose turn it is not wait, unread, and the
//! time until their hello rests. Tokens that were verified before cost nothing and do not count.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auth::jwt::{Claims, LEEWAY_MS, Unfit, Verifier};
use crate::chat::Refusal;
use crate::chat::model::identity::{Grant, Identity, Rights, Source};
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::clock::Now;

/// Signatures that are verified in one turn: some 4 ms of the slowest.
pub(super) const VERIFIED_PER_TURN_MAX: u32 = 8;
/// Over how many milliseconds those are spread that wait, so that they do not all ask at once.
const SPREAD_MS: u64 = 64;

/// The tokens of all connections.
#[derive(Debug)]
pub(super) struct Tokens {
    /// `None` if no keys are configured.
    verifier: Option<Verifier>,
    /// Signatures that may still be verified in this turn.
    left: u32,
    /// When the next ones may be.
    again_at: Tick,
    /// Who connections were by their upgrade, until their hello. Bound: one for each connection.
    proven: BTreeMap<ConnId, Box<Identity>>,
}

impl Tokens {
    pub(super) const fn new(verifier: Option<Verifier>) -> Self {
        let (left, again_at) = (VERIFIED_PER_TURN_MAX, Tick::ZERO);
        Self { verifier, left, again_at, proven: BTreeMap::new() }
    }

    /// The keys, to be replaced.
    pub(super) const fn verifier_mut(&mut self) -> Option<&mut Verifier> {
        self.verifier.as_mut()
    }

    /// Whether tokens are verified at all.
    pub(super) const fn is_on(&self) -> bool {
        self.verifier.is_some()
    }

    /// Another turn begins.
    pub(super) const fn on_turn_end(&mut self) {
        self.left = VERIFIED_PER_TURN_MAX;
    }

    /// From when on a connection may bring its token.
    pub(super) fn ready_at(&self, conn: ConnId) -> Tick {
        if self.again_at == Tick::ZERO {
            return Tick::ZERO;
        }
        self.again_at
            .after(Duration::from_millis(u64::try_from(conn.slot()).unwrap_or(0) % SPREAD_MS))
    }

    /// Whether no more signatures are verified in this turn.
    pub(super) const fn is_used_up(&self) -> bool {
        self.left == 0
    }

    /// Who the token says that its bearer is.
    pub(super) fn verify(&mut self, token: &str, now: Now) -> Result<Identity, Unfit> {
        let verifier = self.verifier.as_mut().ok_or(Unfit::Key)?;
        let claims = if let Some(recalled) = verifier.recall(token, now.wall_ms) {
            recalled?
        } else {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.again_at = now.tick.after(Duration::from_millis(1));
            }
            verifier.verify(token, now.wall_ms)?
        };
        Ok(identity(&claims, now.wall_ms))
    }

    /// The upgrade has shown who the connection is.
    pub(super) fn keep(&mut self, conn: ConnId, identity: Identity) {
        self.proven.insert(conn, Box::new(identity));
    }

    /// Who the connection is by its upgrade.
    pub(super) fn proven(&self, conn: ConnId) -> Option<&Identity> {
        self.proven.get(&conn).map(|identity| &**identity)
    }

    /// The connection has said hello, or is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.proven.remove(&conn);
    }
}

/// The refusal of a token.
pub(super) fn refusal(unfit: Unfit) -> Refusal {
    let refusal = Refusal::new(unfit.code(), unfit.words());
    let member = unfit.member().filter(|_| unfit.code() != crate::chat::Code::Unauthorized);
    match (unfit, member) {
        (Unfit::Named(setting), _) => {
            let expected = format!("one whose claim of [jwt] {setting} is as it must be");
            refusal.field("token", expected)
        }
        (_, Some(name)) => refusal.field("token", format!("one whose {name:?} is as it must be")),
        (_, None) => refusal,
    }
}

/// The identity that a token claims.
fn identity(claims: &Claims, wall_ms: u64) -> Identity {
    let at = claims.expires_ms.saturating_sub(LEEWAY_MS);
    // Who has come within the leeway is not sent away at once.
    let expires = if wall_ms < at { at } else { claims.expires_ms };
    let grants = claims.rooms.as_ref().map_or_else(Vec::new, |rooms| {
        let grants = rooms.iter().map(|grant| Grant {
            rooms: grant.pattern.clone(),
            rights: Rights { read: grant.read, send: grant.write },
        });
        // An empty list would be all rooms, and what is claimed is none: no room has no name.
        let nothing = Grant { rooms: "".into(), rights: Rights::default() };
        grants.chain([nothing]).collect()
    });
    Identity {
        source: Source::Token,
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        name: claims.name.clone(),
        display: claims.display.clone(),
        is_admin: claims.is_admin,
        grants,
        expires: Some(expires),
        issued: claims.issued_ms,
        token_id: claims.id.clone(),
        login: None,
    }
}
