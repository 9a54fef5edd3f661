//! What the operator sees.

use super::scan::{View, connection, count};
use super::{Answer, query, respond, scan, stats};
use crate::admin::requests::{
    Can, ClosedQuery, ConnectionSort, ConnectionsQuery, LIMIT_DEFAULT, Limit, MembersQuery,
    Nothing, PageQuery, RoomSort, RoomsQuery, SessionsQuery,
};
use crate::admin::routes::{Call, Route};
use crate::admin::{self, responses};
use crate::chat::model::account::Key;
use crate::chat::model::identity::Rights;
use crate::chat::model::suspensions::Expiry;
use crate::chat::{Code, Refusal, UserName};
use crate::http::{Response, Status};
use crate::net::CloseReason;
use crate::session::exchange::{JSON, Scan, TopList};
use crate::session::input::Session;
use crate::session::peers::Peers;

impl Session<'_, '_> {
    /// The answer to a GET, or the list that it is.
    pub(super) fn look(&self, route: &Route, query: &str) -> Result<Answer, Refusal> {
        match route.call {
            Call::Stats => {
                let Nothing {} = query::parse(query, route.request)?;
                self.context.update_gauges(self.turn.chat);
                Ok(Answer::Now(respond(&stats::stats(self.context, self.turn.now))))
            }
            Call::Nodes => {
                let Nothing {} = query::parse(query, route.request)?;
                Ok(Answer::Now(respond(&self.context.nodes)))
            }
            Call::Connections => {
                let ConnectionsQuery { sort, limit, user } = query::parse(query, route.request)?;
                let sort = sort.unwrap_or(ConnectionSort::Since);
                let top = TopList::new(rows(limit));
                Ok(Answer::Scan(Scan::Connections { sort, user, next: 0, top }))
            }
            Call::Closed => self.closed(&query::parse(query, route.request)?),
            Call::Rooms => {
                let RoomsQuery { sort, limit, after } = query::parse(query, route.request)?;
                let (sort, top) = (sort.unwrap_or(RoomSort::Name), page(limit, after)?);
                Ok(Answer::Scan(Scan::Rooms { sort, next: 0, top }))
            }
            Call::Users => {
                let PageQuery { limit, after } = query::parse(query, route.request)?;
                Ok(Answer::Scan(Scan::Users { next: 0, top: page(limit, after)? }))
            }
            Call::Members => {
                let MembersQuery { room, limit, after } = query::parse(query, route.request)?;
                Ok(Answer::Scan(Scan::Members { room, next: 0, top: page(limit, after)? }))
            }
            Call::Sessions => self.sessions(&query::parse(query, route.request)?),
            Call::Keys => self.keys(query::parse(query, route.request)?, false),
            Call::Hooks => self.keys(query::parse(query, route.request)?, true),
            Call::Bans => self.bans(query::parse(query, route.request)?),
            Call::LogLevel => {
                let Nothing {} = query::parse(query, route.request)?;
                Ok(Answer::Now(respond(&responses::LogLevel { level: &self.context.log_level })))
            }
            Call::OpenApi => {
                let Nothing {} = query::parse(query, route.request)?;
                let response = Response::new(Status::Ok).field("Cache-Control", "no-cache");
                Ok(Answer::Now(response.body(JSON, admin::openapi().into_bytes())))
            }
            Call::AsyncApi => {
                let Nothing {} = query::parse(query, route.request)?;
                let response = Response::new(Status::Ok).field("Cache-Control", "no-cache");
                Ok(Answer::Now(response.body(JSON, admin::asyncapi().into_bytes())))
            }
            _ => Err(Refusal::new(Code::Internal, "nothing is shown here")),
        }
    }

    /// Connections that have ended: at most as many are looked at as are remembered.
    fn closed(&self, query: &ClosedQuery) -> Result<Answer, Refusal> {
        let ClosedQuery { limit, user, reason } = query;
        if let Some(reason) = reason
            && !CloseReason::ALL.iter().any(|known| known.label() == reason)
        {
            let labels: Vec<&str> = CloseReason::ALL.iter().map(|known| known.label()).collect();
            let refusal = Refusal::new(Code::BadField, "there is no such reason");
            return Err(refusal.field("reason", labels.join(", ")));
        }
        let peers = self.context.peers.iter();
        let closed = peers.flat_map(Peers::latest_closed).filter(|row| {
            let name = row.peer.user.as_ref().map(UserName::as_str);
            (user.is_none() || user.as_deref() == name)
                && reason.as_ref().is_none_or(|reason| row.reason.label() == reason)
        });
        let connections = closed.take(rows(*limit)).map(|row| responses::ClosedConnection {
            id: scan::id(row.peer.conn),
            user: row.peer.user.as_ref().map(UserName::as_str),
            address: row.peer.address().to_string(),
            since: row.peer.since(),
            until: row.until,
            reason: row.reason.label(),
            listener: scan::listener(row.peer.kind),
        });
        let response = responses::ClosedConnections { connections: connections.collect() };
        Ok(Answer::Now(respond(&response)))
    }

    /// The sessions of one user: at most as many as a user may have.
    fn sessions(&self, query: &SessionsQuery) -> Result<Answer, Refusal> {
        let chat = &*self.turn.chat;
        let name = UserName::stored(&query.user);
        let is_known = |name: &UserName| {
            chat.has_account(name) || chat.connections_of(name.as_str()).is_some()
        };
        let Some(name) = name.as_ref().filter(|name| is_known(name)) else {
            let refusal = Refusal::new(Code::NoSuchUser, "there is no such user");
            return Err(refusal.field("user", "one that is listed"));
        };
        let (states, context, now) = (&*self.others, &*self.context, self.turn.now);
        let view = View { states, context, chat, now };
        let conns = chat.connections_of(name.as_str()).unwrap_or_default();
        let peers = self.context.peers.as_ref();
        let shown = conns.iter().filter_map(|conn| connection(&view, peers?.get(*conn)?));
        let logins = chat.logins_of(name).map(|login| responses::Login {
            id: login.id,
            agent: &login.agent,
            since: login.at,
            used: login.used,
        });
        let response =
            responses::Sessions { connections: shown.collect(), logins: logins.collect() };
        Ok(Answer::Now(respond(&response)))
    }

    /// Keys or hooks. There are so few that one turn looks at all.
    fn keys(&self, query: PageQuery, hooks: bool) -> Result<Answer, Refusal> {
        let mut top = page(query.limit, query.after)?;
        let keys: Vec<&Key> = self.turn.chat.keys().filter(|key| key.is_hook == hooks).collect();
        // All with one number, so that they are in the order of their names.
        keys.iter().enumerate().for_each(|(at, key)| top.offer(0, key.name.as_str(), at));
        let shown = top.rows().filter_map(|at| keys.get(at)).map(|key| responses::Key {
            name: key.name.as_str(),
            rooms: key.grants.iter().map(|grant| &*grant.rooms).collect(),
            // Commands give all rooms of a key the same rights.
            can: match key.grants.first().map(|grant| grant.rights) {
                Some(Rights { read: true, send: true }) => Can::Both,
                Some(Rights { send: true, .. }) => Can::Send,
                Some(_) | None => Can::Read,
            },
            since: key.at,
            until: key.until,
        });
        let (next, total) = (top.next(), count(keys.len()));
        Ok(Answer::Now(respond(&responses::Keys { keys: shown.collect(), next, total })))
    }

    /// Bans from the server. There are so few that one turn looks at all.
    fn bans(&self, query: PageQuery) -> Result<Answer, Refusal> {
        let mut top = page(query.limit, query.after)?;
        let (all, wall_ms) = (self.turn.chat.suspended(), self.turn.now.wall_ms);
        let holds = |expiry: &Expiry| !expiry.is_over(wall_ms);
        let users = all.users.iter().filter(|row| holds(&row.1));
        let users = users.map(|(name, expiry)| (Some(name.as_str()), None, expiry));
        let addresses = all.addresses.iter().filter(|row| holds(&row.1));
        let addresses =
            addresses.map(|(network, expiry)| (None, Some(network.to_string()), expiry));
        let bans: Vec<_> = users.chain(addresses).collect();
        for (at, (user, address, _)) in bans.iter().enumerate() {
            top.offer(0, user.or(address.as_deref()).unwrap_or_default(), at);
        }
        let shown = top.rows().filter_map(|at| bans.get(at)).map(|(user, address, expiry)| {
            let (user, address) = (*user, address.clone());
            responses::Banned { user, address, until: expiry.until, reason: &expiry.reason }
        });
        let (next, total) = (top.next(), count(bans.len()));
        Ok(Answer::Now(respond(&responses::Bans { bans: shown.collect(), next, total })))
    }
}

/// How many rows are wanted.
fn rows(limit: Option<Limit>) -> usize {
    limit.map_or(LIMIT_DEFAULT, |limit| usize::try_from(limit.0).unwrap_or(LIMIT_DEFAULT))
}

/// A page of a list.
fn page(limit: Option<Limit>, after: Option<String>) -> Result<TopList<usize>, Refusal> {
    let limit = rows(limit);
    let Some(place) = after else { return Ok(TopList::new(limit)) };
    TopList::after(limit, &place).ok_or_else(|| {
        let refusal = Refusal::new(Code::BadField, "this is no place in the list");
        refusal.field("after", "the next of the page before")
    })
}
