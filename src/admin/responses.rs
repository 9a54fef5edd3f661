//! What the API answers.

use serde_json::value::RawValue;

use super::requests::Can;
use super::shape::{Lacking, shapes, words};

words! {
    /// A listener, as it is configured.
    Listener {
        /// `listen`.
        Http => "http",
        /// `listen`, over TLS.
        Https => "https",
        /// `tcp`, over TLS or not.
        Tcp => "tcp",
        /// `admin`.
        Admin => "admin",
    }

    /// What a connection speaks at the moment.
    Protocol {
        /// HTTP requests.
        Http => "http",
        /// The chat over WebSocket.
        WebSocket => "websocket",
        /// A stream of Server-Sent Events.
        Events => "events",
        /// The diagnostic echo over WebSocket.
        Echo => "echo",
        /// Plain TCP of which nothing has come yet.
        Tcp => "tcp",
        /// A JSON text on a line.
        Lines => "lines",
        /// A JSON text after its length.
        Lengths => "lengths",
        /// Text for a person.
        Text => "text",
        /// The last bytes are on their way.
        Closing => "closing",
    }
}

shapes! {
    /// The answer to what was done and has nothing to tell.
    response Done {
        /// Always true: what could not be done is refused.
        done: bool,
    }

    /// What was refused, as the protocol of the socket says it.
    response Refused {
        /// The protocol's code.
        code: u64,
        /// What is wrong, for a person.
        message: String,
        /// More about it for programs: `error` names the code; `field`, `expected`, `hint`,
        /// `limit` and `retry_after_ms` are there where they help.
        data: Box<RawValue>,
    }

    /// A distribution of durations.
    response Histogram {
        /// The upper bounds of the buckets in microseconds; one more bucket holds what is longer.
        bounds_us: Vec<u64>,
        /// How many there were in each bucket since the start.
        counts: Vec<u64>,
        /// The sum of all of them in microseconds.
        sum_us: u64,
    }

    /// How many connections have ended for one reason.
    response CloseCount {
        /// The reason.
        reason: &'static str,
        /// How many since the start.
        count: u64,
    }

    /// Bytes that are held for one purpose.
    response MemoryAccount {
        /// The purpose.
        account: &'static str,
        /// How many bytes.
        bytes: u64,
    }

    /// How the server is. Numbers of what has happened count from its start.
    response Stats {
        /// The server's version.
        version: &'static str,
        /// Whether new clients should connect: "ok", or why not.
        ready: String,
        /// The server's time: milliseconds since 1970.
        time: u64,
        /// For how many milliseconds it has been running.
        uptime_ms: u64,
        /// Connections that are open, those that are being closed included.
        connections: u64,
        /// Connections that were let in.
        accepted: u64,
        /// Connections that were turned away at the door.
        refused: u64,
        /// Sessions that have said hello.
        sessions: u64,
        /// Users that are known, those without a session included.
        users: u64,
        /// Rooms, direct conversations included.
        rooms: u64,
        /// Memberships of users in rooms.
        memberships: u64,
        /// Subscriptions of connections to rooms.
        subscriptions: u64,
        /// Subscriptions that lag behind their room at the moment.
        lagging: u64,
        /// Records that the logs have taken: messages, edits, reactions, acts.
        records: u64,
        /// Records handed to connections, one for each recipient.
        deliveries: u64,
        /// Records handed to connections that had lagged or came back.
        replayed: u64,
        /// Gaps that clients were told of.
        gaps: u64,
        /// Bytes received.
        received_bytes: u64,
        /// Bytes that sockets took.
        sent_bytes: u64,
        /// Bytes that wait for sockets at the moment.
        queued_bytes: u64,
        /// Turns of the loop by their duration.
        turns: Histogram,
        /// Commits of the store by their duration, syncing included.
        commits: Histogram,
        /// Records that wait for the store at the moment.
        store_waiting: u64,
        /// Bytes of the database.
        store_bytes: u64,
        /// Why connections have ended.
        closes: Vec<CloseCount>,
        /// Where the memory is.
        memory: Vec<MemoryAccount>,
    }

    /// The PostgreSQL in which the nodes of a cluster keep the chat, as this node finds it.
    response EngineState {
        /// "up", "slow" (answers take long) or "down" (what would be written is refused).
        state: &'static str,
        /// What is written there survives: "disk" (a crash) or "replicated" (the loss of the
        /// primary).
        level: Option<&'static str>,
        /// The host that is the primary.
        host: Option<String>,
        /// Its version.
        version: String,
        /// What is wrong, or should be changed.
        faults: Vec<String>,
        /// How long a write takes, in milliseconds.
        write_ms: Option<u64>,
        /// Statements that wait for an answer.
        waiting: u64,
        /// How often it was lost since the start.
        losses: u64,
    }

    /// The Valkey or Redis that carries what may be lost between the nodes of a cluster.
    response BusState {
        /// What is published there comes back.
        up: bool,
        /// All nodes hear it; otherwise the engine carries everything.
        used: bool,
        /// Where it is.
        host: String,
        /// Its name and version; empty before the first answer.
        server: String,
        /// Why it is not up.
        fault: Option<String>,
        /// How often it was lost since the start.
        losses: u64,
    }

    /// One node of a cluster.
    response NodeState {
        /// Its number, which is never given again.
        id: u64,
        /// What it is called.
        name: String,
        /// Where it is, if it tells.
        address: String,
        /// The version of its program.
        version: String,
        /// For how many milliseconds it was not heard of; after 10,000 it counts as gone.
        silent_ms: u64,
        /// Whether it is the node that answers.
        own: bool,
    }

    /// The nodes of a cluster.
    response Nodes {
        /// The engine; null where there is no cluster.
        engine: Option<EngineState>,
        /// The bus; null where there is none.
        bus: Option<BusState>,
        /// Of nodes that have no bus, or another one: in sentences.
        apart: Vec<String>,
        /// The nodes, by their numbers.
        nodes: Vec<NodeState>,
    }

    /// One connection.
    response Connection<'a> {
        /// Names it, and is never given again. What stands before the @ names it in the log.
        id: String,
        /// Whose it is, if it has said hello.
        user: Option<&'a str>,
        /// From where it comes: the client's address, also where it comes by a proxy.
        address: String,
        /// Since when: milliseconds since 1970.
        since: u64,
        /// What it speaks.
        protocol: Protocol,
        /// By which listener it came.
        listener: Listener,
        /// Rooms that it is subscribed to.
        rooms: u64,
        /// Rooms of which it lags behind.
        lagging: u64,
        /// Records that it has yet to be sent, over all of these rooms.
        lag: u64,
        /// Bytes that wait for its socket.
        queued_bytes: u64,
        /// Bytes that came in part, or wait for their turn at its rate.
        held_bytes: u64,
        /// Milliseconds since it was heard of, or asked whether it is there.
        idle_ms: u64,
    }

    /// Connections, those that are most so first.
    response Connections<'a> {
        /// As many as were asked for, without the connection that asks.
        connections: Vec<Connection<'a>>,
        /// How many there are in all, the connection that asks included.
        total: u64,
    }

    /// A connection that has ended.
    response ClosedConnection<'a> {
        /// What it was named.
        id: String,
        /// Whose it was, if it had said hello.
        user: Option<&'a str>,
        /// From where it came.
        address: String,
        /// Since when: milliseconds since 1970.
        since: u64,
        /// Until when: milliseconds since 1970.
        until: u64,
        /// Why it has ended: a reason as on the metrics page.
        reason: &'static str,
        /// By which listener it came.
        listener: Listener,
    }

    /// Connections that have ended, the last one first.
    response ClosedConnections<'a> {
        /// As many as were asked for. The last 10,000 are remembered.
        connections: Vec<ClosedConnection<'a>>,
    }

    /// One room.
    response Room<'a> {
        /// Its name.
        room: &'a str,
        /// How many members it has.
        members: u64,
        /// How many connections are subscribed to it.
        subscribers: u64,
        /// The last seq of its log, 0 if it has no record.
        seq: u64,
        /// The first seq that is kept, one above `seq` if none is.
        oldest: u64,
        /// What its records survive: "disk", "os" or "memory".
        durability: &'static str,
        /// Whether strangers learn that it exists.
        private: bool,
        /// Bytes of its recent records in memory.
        ring_bytes: u64,
    }

    /// A page of the rooms in memory.
    response Rooms<'a> {
        /// As many as were asked for.
        rooms: Vec<Room<'a>>,
        /// The `after` of the next page; null if this is the last one.
        next: Option<String>,
        /// How many are in memory.
        total: u64,
        /// How many are in the store only, since nobody uses them.
        elsewhere: u64,
    }

    /// One member of a room.
    response Member<'a> {
        /// Who.
        user: &'a str,
        /// In which role: "owner", "moderator", "member" or "reader".
        role: &'static str,
        /// As others are told: "online", "away" or "off".
        presence: &'static str,
        /// Up to which seq it has read.
        read: u64,
    }

    /// A page of the members of a room.
    response Members<'a> {
        /// As many as were asked for, by name.
        members: Vec<Member<'a>>,
        /// The `after` of the next page; null if this is the last one.
        next: Option<String>,
        /// How many there are in all.
        total: u64,
    }

    /// One user.
    response User<'a> {
        /// Its name.
        user: &'a str,
        /// Who says who it is: "none", "guest", "account", "token", "header" or "key".
        source: &'static str,
        /// As others are told: "online", "away" or "off".
        presence: &'static str,
        /// How many sessions it has.
        sessions: u64,
        /// Of how many rooms it is a member.
        rooms: u64,
    }

    /// A page of the users that are in memory: all who are here or are members of a room.
    response Users<'a> {
        /// As many as were asked for, by name.
        users: Vec<User<'a>>,
        /// The `after` of the next page; null if this is the last one.
        next: Option<String>,
        /// How many there are in all.
        total: u64,
    }

    /// One login of an account: a device.
    response Login<'a> {
        /// Names it to its user.
        id: u64,
        /// What the client called itself.
        agent: &'a str,
        /// Since when: milliseconds since 1970.
        since: u64,
        /// When it was used last, to the minute: milliseconds since 1970.
        used: u64,
    }

    /// The sessions of a user.
    response Sessions<'a> {
        /// Those that are connected.
        connections: Vec<Connection<'a>>,
        /// Those of an account that can come back without a password.
        logins: Vec<Login<'a>>,
    }

    /// A key for a program. Its secret is not kept.
    response Key<'a> {
        /// The name of the program.
        name: &'a str,
        /// Its rooms, in which `*` stands for any text.
        rooms: Vec<&'a str>,
        /// What it may do there.
        can: Can,
        /// Since when: milliseconds since 1970.
        since: u64,
        /// Until when; null: until it is ended.
        until: Option<u64>,
    }

    /// A page of the keys, or of the hooks.
    response Keys<'a> {
        /// As many as were asked for, by name.
        keys: Vec<Key<'a>>,
        /// The `after` of the next page; null if this is the last one.
        next: Option<String>,
        /// How many there are in all.
        total: u64,
    }

    /// A key that was made.
    response NewKey<'a> {
        /// The name of the program.
        name: &'a str,
        /// Its secret, which is not shown again.
        secret: &'a str,
    }

    /// A hook that was made.
    response NewHook<'a> {
        /// The name under which it speaks.
        name: &'a str,
        /// Its path below the address of the page, which is its secret and is not shown again.
        path: String,
    }

    /// A user or an address that may not use the server.
    response Banned<'a> {
        /// The user, if it is one.
        user: Option<&'a str>,
        /// The address or network, if it is one.
        address: Option<String>,
        /// Until when: milliseconds since 1970; null: until it is ended.
        until: Option<u64>,
        /// Why.
        reason: &'a str,
    }

    /// A page of the bans from the server that hold.
    response Bans<'a> {
        /// As many as were asked for.
        bans: Vec<Banned<'a>>,
        /// The `after` of the next page; null if this is the last one.
        next: Option<String>,
        /// How many there are in all.
        total: u64,
    }

    /// A record that a room's log has.
    response Sent {
        /// The room.
        room: String,
        /// Its seq in the log.
        seq: u64,
        /// When the log took it: milliseconds since 1970.
        at: u64,
        /// What it survives: "disk", "os" or "memory".
        durable: String,
        /// It was there already.
        dup: Lacking<bool>,
    }

    /// What became of a message in each room.
    response Broadcasted {
        /// For each room, in the order of the request: what `publish` answers, or what was refused.
        messages: Vec<Box<RawValue>>,
    }

    /// How many connections were closed.
    response Disconnected {
        /// So many.
        closed: u64,
    }

    /// A setting that was read again and is another.
    response Setting<'a> {
        /// Its name.
        name: &'a str,
        /// What it was, as in the file; null: it was not set.
        from: Option<&'a str>,
        /// What it is, as in the file; null: it is not set.
        to: Option<&'a str>,
    }

    /// What came of reading the configuration again.
    response Reloaded<'a> {
        /// Settings that hold from now on.
        changed: Vec<Setting<'a>>,
        /// Settings that stay as they were until a restart.
        needs_restart: Vec<Setting<'a>>,
    }

    /// What is logged.
    response LogLevel<'a> {
        /// The filter, such as "info" or "info,session=debug".
        level: &'a str,
    }
}
