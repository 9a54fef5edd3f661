//! What a token claims, each claim of its type. RFC 7519 section 4.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use serde::Deserialize;

use super::unfit::Unfit;
use crate::auth::json::Object;
use crate::chat::UserName;

/// How far the clocks of issuer and server may be apart.
pub const LEEWAY_MS: u64 = 30_000;
/// Bytes of the longest `sub`, `iss` and `jti`.
const ID_LEN_MAX: usize = 255;
/// Bytes of the longest display name.
const DISPLAY_LEN_MAX: usize = 128;
/// The most patterns of rooms: each is compared with a room's name when something is done there.
const ROOMS_MAX: usize = 64;
/// Bytes of the longest pattern of rooms.
const PATTERN_LEN_MAX: usize = 128;
/// The end of the year 9999 in seconds: a later time is one in milliseconds.
const TIME_MAX: u64 = 253_402_300_799;

/// Which claims are read, and what they must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPolicy {
    /// The names of this service, one of which `aud` must have.
    pub audience: Vec<String>,
    /// Whether a token without `nbf` is taken.
    pub nbf_optional: bool,
    /// The claim with the user's name; `None`: `sub`.
    pub name: Option<String>,
    /// The claim with what people call the user.
    pub display: Option<String>,
    /// The claim that makes an administrator: `true`, `"admin"` or a list with that.
    pub admin: Option<String>,
    /// The claim with the only rooms of the token.
    pub rooms: Option<String>,
}

/// Rooms, and what may be done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomGrant {
    /// The name of a room, in which each `*` stands for any text.
    pub pattern: Box<str>,
    /// Join, read, be told.
    pub read: bool,
    /// Say something.
    pub write: bool,
}

/// What a token claims, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who has signed it.
    pub issuer: Box<str>,
    /// Whom it is about, in the issuer's words.
    pub subject: Box<str>,
    /// The name that the user is to have; `None` if the claim is none or no name.
    pub name: Option<UserName>,
    /// What people call the user.
    pub display: Option<Box<str>>,
    /// The user may do what administrators may.
    pub is_admin: bool,
    /// The only rooms; `None`: all. Empty: none.
    pub rooms: Option<Vec<RoomGrant>>,
    /// Until when it is taken, leeway included: milliseconds since 1970.
    pub expires_ms: u64,
    /// From when on it is taken, leeway included.
    pub begins_ms: u64,
    /// When it was issued, if it says so.
    pub issued_ms: Option<u64>,
    /// Its own id.
    pub id: Option<Box<str>>,
}

/// One text, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(text) => text == wanted,
            Self::Many(texts) => texts.iter().any(|text| text == wanted),
        }
    }
}

/// Who claims to have signed the token: which key is due.
pub(super) fn issuer_of(claims: &Object<'_>) -> Result<String, Unfit> {
    required(claims, "iss").and_then(|issuer| id(issuer, "iss"))
}

impl Claims {
    /// All that is claimed, by types; the times are not compared yet.
    pub(super) fn parse(claims: &Object<'_>, policy: &ClaimPolicy) -> Result<Self, Unfit> {
        let time = |name: &'static str| match claims.typed::<u64>(name) {
            // An issuer that writes milliseconds would have made a token that never ends.
            Ok(Some(seconds)) if seconds > TIME_MAX => Err(Unfit::Claim(name)),
            Ok(seconds) => Ok(seconds.map(|seconds| seconds * 1_000)),
            Err(_) => Err(Unfit::Claim(name)),
        };
        let issuer = issuer_of(claims)?;
        let subject = id(required(claims, "sub")?, "sub")?;
        let audience: OneOrMany = required(claims, "aud")?;
        let expires = time("exp")?.ok_or(Unfit::Missing("exp"))?;
        let begins = time("nbf")?;
        if begins.is_none() && !policy.nbf_optional {
            return Err(Unfit::Missing("nbf"));
        }
        let issued = time("iat")?;
        let token_id = claims.typed("jti").map_err(|_error| Unfit::Claim("jti"))?;
        let token_id = token_id.map(|text| id(text, "jti")).transpose()?;
        // Issued in the future means that a clock is wrong, as beginning there does: both are good
        // within the same leeway.
        let begins_ms = begins.unwrap_or(0).max(issued.unwrap_or(0)).saturating_sub(LEEWAY_MS);
        let parsed = Self {
            name: name(claims, policy, &subject)?,
            display: display(claims, policy)?,
            is_admin: is_admin(claims, policy)?,
            rooms: rooms(claims, policy)?,
            issuer: issuer.into(),
            subject: subject.into(),
            expires_ms: expires.saturating_add(LEEWAY_MS),
            begins_ms,
            issued_ms: issued,
            id: token_id.map(Into::into),
        };
        if policy.audience.iter().any(|ours| audience.has(ours)) {
            Ok(parsed)
        } else {
            Err(Unfit::Audience)
        }
    }

    /// Whether it is taken at this moment.
    ///
    /// # Errors
    ///
    /// [`Unfit::Expired`], [`Unfit::Early`].
    pub(super) const fn check_times(&self, wall_ms: u64) -> Result<(), Unfit> {
        if wall_ms >= self.expires_ms {
            return Err(Unfit::Expired);
        }
        if wall_ms < self.begins_ms { Err(Unfit::Early) } else { Ok(()) }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let rooms = self.rooms.iter().flatten();
        let rooms: usize = rooms.map(|grant| size_of::<RoomGrant>() + grant.pattern.len()).sum();
        let texts = [&self.display, &self.id].into_iter().flatten();
        let texts: usize = texts.map(|text| text.len()).sum();
        size_of::<Self>() + self.issuer.len() + self.subject.len() + texts + rooms
    }
}

fn required<'a, T: Deserialize<'a>>(claims: &Object<'a>, name: &'static str) -> Result<T, Unfit> {
    claims.typed(name).map_err(|_error| Unfit::Claim(name))?.ok_or(Unfit::Missing(name))
}

fn id(text: String, name: &'static str) -> Result<String, Unfit> {
    let is_fit = (1..=ID_LEN_MAX).contains(&text.len()) && !text.contains(char::is_control);
    if is_fit { Ok(text) } else { Err(Unfit::Claim(name)) }
}

/// A claim of the policy's name; that it is named there and is of another type is refused.
fn named<'a, T: Deserialize<'a>>(
    claims: &Object<'a>,
    name: Option<&String>,
    setting: &'static str,
) -> Result<Option<T>, Unfit> {
    name.map_or(Ok(None), |name| claims.typed(name).map_err(|_error| Unfit::Named(setting)))
}

/// A subject or claim that is no name is no fault: a name is made for it.
fn name(
    claims: &Object<'_>,
    policy: &ClaimPolicy,
    subject: &str,
) -> Result<Option<UserName>, Unfit> {
    let claimed: Option<String> = named(claims, policy.name.as_ref(), "name_claim")?;
    Ok(UserName::parse(claimed.as_deref().unwrap_or(subject)).ok())
}

fn display(claims: &Object<'_>, policy: &ClaimPolicy) -> Result<Option<Box<str>>, Unfit> {
    let claimed: Option<String> = named(claims, policy.display.as_ref(), "display_claim")?;
    let shown = claimed.map(|text| -> Box<str> {
        // Cleaned, not refused: it is for show only, and people do not choose what their issuer
        // writes there.
        let clean: String = text.chars().filter(|c| !c.is_control() && !is_bidi(*c)).collect();
        let end = clean.floor_char_boundary(DISPLAY_LEN_MAX.min(clean.len()));
        clean.get(..end).unwrap_or_default().trim().into()
    });
    Ok(shown.filter(|text| !text.is_empty()))
}

/// Whether it changes the direction of the text around it, and so what a reader sees.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_admin(claims: &Object<'_>, policy: &ClaimPolicy) -> Result<bool, Unfit> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Admin {
        Switch(bool),
        Roles(OneOrMany),
    }
    Ok(match named(claims, policy.admin.as_ref(), "admin_claim")? {
        None => false,
        Some(Admin::Switch(is_admin)) => is_admin,
        Some(Admin::Roles(roles)) => roles.has("admin"),
    })
}

fn rooms(claims: &Object<'_>, policy: &ClaimPolicy) -> Result<Option<Vec<RoomGrant>>, Unfit> {
    let unfit = Unfit::Named("rooms_claim");
    let claimed: Option<Object<'_>> = named(claims, policy.rooms.as_ref(), "rooms_claim")?;
    let Some(claimed) = claimed else { return Ok(None) };
    let mut grants = Vec::new();
    for (pattern, rights) in claimed.iter() {
        // A right that cannot be understood refuses the token: to leave it out could widen what is
        // allowed, to take it in part would surprise the issuer.
        let is_fit = (1..=PATTERN_LEN_MAX).contains(&pattern.len())
            && !pattern.contains(char::is_control)
            && grants.len() < ROOMS_MAX;
        let (read, write) = match serde_json::from_str::<&str>(rights) {
            Ok("r") => (true, false),
            Ok("w") => (false, true),
            Ok("rw") => (true, true),
            _ => return Err(unfit),
        };
        if !is_fit {
            return Err(unfit);
        }
        grants.push(RoomGrant { pattern: pattern.into(), read, write });
    }
    Ok(Some(grants))
}
