//! What a person types: the commands of the text client, see
//! [`wire::text`](crate::wire::text), and messages.

use std::collections::BTreeSet;

use chinwag_client::model::{array, fields, flag, text};
use chinwag_client::{Client, Error, Item, login, register};
use serde_json::Value;

use super::sign_in::{AGENT, Door, ask_password};
use super::view::Shared;
use super::{changes, profiles, show, sign_in};
use crate::chat::model::command::{Command, ModerationCommand, Reported};
use crate::chat::model::limits::Limits;
use crate::chat::model::meant_message::Meant;
use crate::wire::text::{self as door_text, AccountLine, Line, parse_line};

/// Messages that are shown of a room that is entered.
const ENTER_LIMIT: u64 = 20;
/// Messages that are shown of one that was looked at before, at most.
const RETURN_LIMIT: u64 = 50;
/// Messages that `/history` is proposed for, at most.
const HISTORY_MAX: u64 = 200;

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    Quit,
}

pub(super) use door_text::is_secret;

/// Does what is typed.
#[derive(Debug)]
pub(super) struct Typed<'a> {
    client: &'a Client,
    view: &'a Shared,
    door: Door,
}

impl<'a> Typed<'a> {
    pub(super) const fn new(client: &'a Client, view: &'a Shared, door: Door) -> Self {
        Self { client, view, door }
    }

    /// Says what one comes back to.
    pub(super) fn greet(&self) {
        if let Ok(data) = self.client.request("blocked", Item::new()) {
            self.set_blocked(&data);
        }
        if self.view.lock().current.is_some() {
            return;
        }
        if let Ok(inbox) = self.client.request("rooms", Item::new()) {
            let me = self.me();
            self.view.lock().say(&show::inbox(&inbox, &me));
        }
    }

    /// Logs out, if this program has logged in: nobody needs the token any more.
    pub(super) fn leave(&self) {
        self.view.lock().is_leaving = true;
        if !self.door.has_logged_in {
            return;
        }
        let Ok(logins) = self.client.request("logins", Item::new()) else { return };
        let own = array(&logins, "logins").iter().filter_map(Value::as_object);
        let own = own.filter(|login| flag(login, "current")).find_map(|login| login.get("id"));
        if let Some(own) = own {
            // The end of the login is the end of the connection, which may come first.
            _ = self.client.request("end_login", fields([("login", own.clone())]));
        }
    }

    /// Does what a line asks for.
    pub(super) fn run(&self, line: &str) -> Flow {
        let current = self.view.lock().current.clone();
        let max = self.client.limits().get("message_bytes").and_then(Value::as_u64);
        let max = max.and_then(|max| usize::try_from(max).ok());
        // The server's bound, where it has said it.
        let mut limits = Limits::default();
        limits.message_bytes = max.unwrap_or(limits.message_bytes);
        let completed = with_secret(line);
        let line = completed.as_deref().unwrap_or(line);
        let outcome = match parse_line(line.as_bytes(), current.as_deref(), &limits) {
            Line::Nothing => Ok(()),
            Line::Quit => return Flow::Quit,
            Line::Nick(name) => self.rename(name),
            Line::Command(_, command) => self.command(command),
            Line::Account(line) => self.account(line),
            Line::Answer(of, send) => self.answer(of, &send, false),
            Line::InThread(of, send) => self.answer(of, &send, true),
            Line::Change(of, change) => changes::change(self.client, self.view, (of, change)),
            Line::Talk(user) => {
                self.enter(&format!("@{user}"));
                Ok(())
            }
            other => {
                let mut out = Vec::new();
                door_text::answer(&mut out, &other, self.door.offers.has_accounts());
                self.view.lock().print(&String::from_utf8_lossy(&out));
                Ok(())
            }
        };
        if let Err(error) = outcome {
            self.view.lock().complain(&show::refusal(&error));
        }
        Flow::Continue
    }

    fn me(&self) -> String {
        self.client.user().unwrap_or_default()
    }

    /// Looks at a room, or at the conversation with a user, and shows what was said there.
    pub(super) fn enter(&self, name: &str) {
        let user = name.strip_prefix('@').filter(|user| !user.contains(':'));
        let room = user.map_or_else(|| name.to_owned(), |user| self.client.open(user));
        if user.is_none()
            && !name.starts_with('@')
            && let Err(error) = self.client.join(&room)
        {
            return self.view.lock().complain(&show::refusal(&error));
        }
        self.client.watch(&room);
        let known = self.client.room(&room);
        let mut view = self.view.lock();
        let shown = view.shown(&room);
        let limit = if shown == 0 { ENTER_LIMIT } else { RETURN_LIMIT };
        view.focus(&room);
        // What is told meanwhile comes after what is there.
        view.hold(&room);
        let shown_name = show::name(user.unwrap_or(&room));
        match user {
            Some(_) => view.say(&format!("-- what you type goes to {shown_name} alone now --")),
            None => view.say(&format!("-- you are in {shown_name} --")),
        }
        if let Some(topic) = known.as_ref().map(|room| &room.topic).filter(|it| !it.is_empty()) {
            view.say(&format!("-- topic: {} --", show::line(topic)));
        }
        // The thread that shows events needs the lock while the server is asked.
        drop(view);
        let page = self.client.history(&room, limit).unwrap_or_default();
        let items = array(&page, "items");
        // Of all, since in large rooms nobody is told of changes.
        let authors = self.view.lock().displays.to_ask(items, true);
        let (me, mut view) = (self.me(), self.view.ask(self.client, authors));
        // The page is of the log that there was: by its seqs that of now would look shown already.
        let Some(room) = view.held_room() else { return };
        // Where what was shown, or read on another device, ended.
        let read = known.map_or(0, |room| room.read).max(shown);
        let first = items.first().and_then(|item| item.get("seq")?.as_u64());
        let head = self.client.room(&room).map_or(0, |room| room.seq);
        if first.unwrap_or(head + 1) > read + 1 && read > 0 {
            let count = (head - read.min(head)).clamp(1, HISTORY_MAX);
            view.say(&format!("-- more is unread: /history {count} --"));
        }
        let mut lines = view.render_page(&room, items, (&me, true));
        for item in view.release() {
            lines.extend(view.render(&room, &item, &me));
        }
        if !lines.is_empty() {
            view.print(&lines.join("\n"));
        }
        let last = view.shown(&room);
        drop(view);
        self.client.read(&room, last);
        if user.is_none()
            && let Ok(data) = self.client.request("presence", fields([("room", room.into())]))
        {
            self.view.lock().say(&show::people("here", &data, "online"));
        }
    }

    fn rename(&self, name: &str) -> Result<(), Error> {
        if !self.door.offers.has_open_door() {
            return Err(Error::local(
                "names are proven here: /login NAME comes in as another user",
            ));
        }
        self.client.become_another(None, Some(name.to_owned()));
        self.await_ready()
    }

    fn await_ready(&self) -> Result<(), Error> {
        self.client.wait_ready(Some(std::time::Duration::from_secs(15)))?;
        let (me, mut view) = (self.me(), self.view.lock());
        view.say(&format!("-- you are {me} now --"));
        // A conversation is of the two who had it.
        let has_left = |room: &String| room.starts_with('@') && self.client.room(room).is_none();
        if view.current.as_ref().is_some_and(has_left) {
            view.current = None;
        }
        Ok(())
    }

    fn command(&self, command: Command<'_>) -> Result<(), Error> {
        let ask = |op: &str, room: &str| self.client.request(op, fields([("room", room.into())]));
        let say = |lines: &str| self.view.lock().say(lines);
        match command {
            Command::Join { room, .. } => self.enter(&room),
            Command::Create { room, private, .. } => {
                let private = private.then_some(true);
                self.client.create(&room, fields([("private", private.into())]))?;
                self.enter(&room);
            }
            Command::Leave { room } => self.leave_room(&room, false)?,
            Command::LeaveAndClose { room } => self.leave_room(&room, true)?,
            Command::Close { room, reason, sure } => {
                let reason = Some(&*reason).filter(|reason| !reason.is_empty());
                let wanted = [
                    ("room", Value::from(&*room)),
                    ("reason", reason.into()),
                    ("sure", sure.into()),
                ];
                self.client.request("close", fields(wanted))?;
            }
            Command::Rename { room, name } => {
                self.client.change("rename", &room, fields([("name", (&*name).into())]))?;
            }
            Command::Send(send) => self.send(&send)?,
            Command::Presence { room } => {
                say(&show::people("here", &ask("presence", &room)?, "online"));
            }
            Command::Members { room, .. } => {
                say(&show::people("members", &ask("members", &room)?, "member"));
            }
            Command::Restrictions { room, .. } => {
                say(&show::restrictions(&ask("restrictions", &room)?));
            }
            Command::Rooms { .. } => {
                say(&show::inbox(&self.client.request("rooms", Item::new())?, &self.me()));
            }
            Command::Directory { text, limit, .. } => {
                let wanted = fields([("text", text.as_deref().into()), ("limit", limit.into())]);
                say(&show::directory(&self.client.request("directory", wanted)?));
            }
            Command::History { room, limit, .. } => {
                self.history(&room, limit.map_or(ENTER_LIMIT, u64::from))?;
            }
            Command::Search { text, limit, .. } => {
                let wanted = fields([("text", text.into()), ("limit", limit.into())]);
                let found = self.client.request("search", wanted)?;
                self.view.learn(self.client, array(&found, "items"));
                let (mut view, me) = (self.view.lock(), self.me());
                let shown = show::found(&found, view.look(&me));
                view.print(&shown);
            }
            Command::Topic { room, text: None, .. } => {
                let data = ask("topic", &room)?;
                let topic = show::line(text(&data, "text").unwrap_or_default());
                let topic = if topic.is_empty() { "there is no topic" } else { &topic };
                say(&format!("-- topic: {topic} --"));
            }
            Command::Topic { room, text: Some(text), .. } => {
                self.client.change("topic", &room, fields([("text", text.into())]))?;
            }
            other => self.about_people(other)?,
        }
        Ok(())
    }

    /// Commands that are about a user.
    fn about_people(&self, command: Command<'_>) -> Result<(), Error> {
        let ask = |op: &str, fields: Item| self.client.request(op, fields);
        let remark = match command {
            Command::Invite { room, user, .. } => {
                let (of, to) = (room.as_ref(), user.as_ref());
                ask("invite", fields([("room", of.into()), ("user", to.into())]))?;
                format!("-- {user} is invited to {room} --")
            }
            Command::Uninvite { room, user } => {
                let (of, to) = (room.as_ref(), user.as_ref());
                ask("uninvite", fields([("room", of.into()), ("user", to.into())]))?;
                format!("-- {user} is not invited to {room} now --")
            }
            Command::Moderate { room, user, command, reason, .. } => {
                let (op, role, for_ms) = match command {
                    ModerationCommand::Kick => ("kick", None, None),
                    ModerationCommand::Mute(for_ms) => ("mute", None, for_ms),
                    ModerationCommand::Ban(for_ms) => ("ban", None, for_ms),
                    ModerationCommand::Unban => ("unban", None, None),
                    ModerationCommand::Role(role) => ("role", Some(role.name()), None),
                };
                let reason = Some(reason.as_ref()).filter(|reason| !reason.is_empty());
                let wanted = fields([
                    ("user", user.as_ref().into()),
                    ("role", role.into()),
                    ("for_ms", for_ms.into()),
                    ("reason", reason.into()),
                ]);
                self.client.change(op, &room, wanted)?;
                return Ok(());
            }
            Command::Status { away } => {
                let status = if away { "away" } else { "online" };
                ask("status", fields([("status", status.into())]))?;
                let how = if away { "; /back ends it" } else { "" };
                format!("-- you are shown as {status}{how} --")
            }
            Command::Block { user, on } => {
                let op = if on { "block" } else { "unblock" };
                ask(op, fields([("user", user.as_ref().into())]))?;
                // The server's list: another device of one's own may have changed it, too.
                self.set_blocked(&ask("blocked", Item::new())?);
                if on {
                    format!("-- you hear nothing of {user} any more; /unblock {user} ends that --")
                } else {
                    format!("-- {user} is not blocked now --")
                }
            }
            Command::Blocked => {
                self.set_blocked(&ask("blocked", Item::new())?);
                show::blocked(&self.view.lock().blocked)
            }
            other => self.about_reports_and_profiles(other)?,
        };
        self.view.lock().say(&remark);
        Ok(())
    }

    /// Commands about reports and profiles, and what there is to say of them.
    fn about_reports_and_profiles(&self, command: Command<'_>) -> Result<String, Error> {
        let ask = |op: &str, fields: Item| self.client.request(op, fields);
        Ok(match command {
            Command::Report { about: Reported::User(user, room), reason } => {
                let reason = Some(reason.as_ref()).filter(|reason| !reason.is_empty());
                let wanted = fields([
                    ("user", user.as_ref().into()),
                    ("room", room.as_deref().into()),
                    ("reason", reason.into()),
                ]);
                ask("report", wanted)?;
                "-- it is reported to the moderators or administrators --".to_owned()
            }
            Command::Profile { .. } | Command::Whois { .. } => {
                let (op, wanted) = profiles::request_of(&command);
                profiles::shown(&ask(op, wanted)?)
            }
            Command::Reports { .. } => show::reports(&ask("reports", Item::new())?),
            Command::Settle { report } => {
                ask("settle", fields([("report", report.into())]))?;
                format!("-- report {report} is settled --")
            }
            Command::Audit { room, limit, .. } => {
                let wanted = fields([("room", room.as_deref().into()), ("limit", limit.into())]);
                show::audit(&ask("audit", wanted)?)
            }
            _ => return Err(Error::local("this cannot be done at a terminal")),
        })
    }

    fn set_blocked(&self, data: &Item) {
        let users = array(data, "users").iter().filter_map(Value::as_object);
        let users: BTreeSet<_> =
            users.filter_map(|user| text(user, "user")).map(str::to_owned).collect();
        self.view.lock().blocked = users;
    }

    fn leave_room(&self, room: &str, close: bool) -> Result<(), Error> {
        self.client.leave(room, close)?;
        // The event says so, too, and maybe only after the next prompt.
        let mut view = self.view.lock();
        if view.current.as_deref() == Some(room) {
            view.current = None;
        }
        Ok(())
    }

    fn send(&self, send: &crate::chat::model::command::Send<'_>) -> Result<(), Error> {
        use crate::chat::model::command::Target;
        let room = match &send.target {
            Target::Room(room) => room.to_string(),
            Target::User(user) => self.client.open(user),
        };
        // Held, so that the answer finds the message among those that are on the screen.
        let mut view = self.view.lock();
        let entry = self.client.post(&room, &send.text)?;
        view.typed.insert(entry.cid);
        if self.client.state() != chinwag_client::State::Ready {
            view.say("-- it is kept until the server is back --");
        }
        Ok(())
    }

    /// Answers a message that is on the screen, or was lately, or says something in its thread.
    fn answer(
        &self,
        of: Meant<'_>,
        send: &crate::chat::model::command::Send<'_>,
        is_in_thread: bool,
    ) -> Result<(), Error> {
        use crate::chat::model::command::Target;
        let Target::Room(room) = &send.target else { return Ok(()) };
        let mut view = self.view.lock();
        let Some((seq, quote)) = view.find_quotable(room, of, is_in_thread) else {
            return Err(Error::local(changes::NONE_MEANT));
        };
        let (field, to) =
            if is_in_thread { ("thread", "in the thread of") } else { ("reply_to", "to") };
        let entry = self.client.post_with(room, &send.text, fields([(field, seq.into())]))?;
        view.typed.insert(entry.cid);
        view.say(&format!("-- {to} {quote} --"));
        Ok(())
    }

    fn history(&self, room: &str, limit: u64) -> Result<(), Error> {
        let page = self.client.history(room, limit)?;
        self.view.learn(self.client, array(&page, "items"));
        let (me, mut view) = (self.me(), self.view.lock());
        let lines = view.render_page(room, array(&page, "items"), (&me, false));
        if lines.is_empty() {
            view.say(&format!("-- no messages yet in {} --", show::name(room)));
        } else {
            view.print(&lines.join("\n"));
        }
        Ok(())
    }

    fn account(&self, line: AccountLine<'_>) -> Result<(), Error> {
        if !self.door.offers.has_accounts() {
            return Err(Error::local("there are no passwords here; /nick ann takes a name"));
        }
        // What no server would take is refused in the words of this program.
        line.command().map_err(|refusal| Error::local(&*refusal.message))?;
        let Door { address, roots, .. } = &self.door;
        match line {
            AccountLine::Login { name, password } => {
                let login = login(address, roots, (name, password), AGENT)?;
                self.client.become_another(Some(login.token), None);
                self.await_ready()?;
            }
            AccountLine::Register { name, password, invite } => {
                let login = register(address, roots, (name, password), (invite, AGENT))?;
                self.client.become_another(Some(login.token), None);
                self.await_ready()?;
            }
            AccountLine::Password { old, new } => {
                let wanted = fields([("old", old.into()), ("new", new.into())]);
                self.client.request("password", wanted)?;
                self.view
                    .lock()
                    .say("-- your password is changed, and your other logins are over --");
            }
            AccountLine::Logins => {
                let shown = show::logins(&self.client.request("logins", Item::new())?);
                self.view.lock().say(&shown);
            }
            AccountLine::EndLogin(which) => {
                let which = which.parse::<u64>().map_or_else(|_| which.into(), Value::from);
                self.client.request("end_login", fields([("login", which)]))?;
                self.view.lock().say("-- it is over --");
            }
            AccountLine::InviteLink { room, uses, for_ms } => {
                let rooms = room.map_or(Value::Null, |room| Value::from(vec![room]));
                let wanted =
                    fields([("uses", uses.into()), ("for_ms", for_ms.into()), ("rooms", rooms)]);
                let link = self.client.request("invite_link", wanted)?;
                let invite = show::line(text(&link, "invite").unwrap_or_default());
                let lines = format!(
                    "  in a browser: the address of the page with /#invite={invite}\n  at a \
                     terminal: /register NAME PASSWORD {invite}"
                );
                self.view.lock().print(&lines);
            }
            AccountLine::Accept(invite) => {
                let data = self.client.request("accept", fields([("invite", invite.into())]))?;
                for room in array(&data, "rooms").iter().filter_map(Value::as_str) {
                    self.view.lock().say(&show::invited(room, None, ""));
                }
            }
        }
        Ok(())
    }
}

/// The line with the password that it lacks, which is asked for and not shown.
fn with_secret(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (command, rest) = (words.next()?, words.collect::<Vec<_>>());
    match (command.to_ascii_lowercase().as_str(), rest.as_slice()) {
        ("/login" | "/identify" | "/signin", [name]) => {
            Some(format!("/login {name} {}", ask_password(&format!("password of {name}: "))?))
        }
        ("/login" | "/identify" | "/signin", []) => {
            let (name, password) = sign_in::ask(None)?;
            Some(format!("/login {name} {password}"))
        }
        ("/register" | "/signup", [name]) => {
            let password = ask_password(&format!("a password for {name}: "))?;
            Some(format!("/register {name} {password}"))
        }
        _ => None,
    }
}
