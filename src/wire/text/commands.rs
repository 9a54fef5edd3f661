//! The commands of a person: their names, also those that they have elsewhere, and what `/help`
//! says of them.

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Nick,
    Join,
    Leave,
    Close,
    Msg,
    Reply,
    Thread,
    Edit,
    Delete,
    React,
    Me,
    Say,
    Who,
    Members,
    Rooms,
    List,
    History,
    Search,
    Topic,
    Rename,
    End,
    Create,
    Invite,
    Uninvite,
    Bans,
    Kick,
    Mute,
    Unmute,
    Ban,
    Unban,
    Role,
    Register,
    Login,
    Password,
    Logins,
    EndLogin,
    InviteLink,
    Accept,
    Block,
    Unblock,
    Blocked,
    Report,
    Reports,
    Settle,
    Audit,
    Away,
    Back,
    Whois,
    Display,
    Status,
    Color,
    Help,
    Quit,
}

/// One command.
pub(super) struct Entry {
    pub verb: Verb,
    /// Its name and those that other chats have for it.
    pub names: &'static [&'static str],
    /// How it is written.
    pub form: &'static str,
    /// What it does, for `/help`.
    pub about: &'static str,
}

const fn entry(
    verb: Verb,
    names: &'static [&'static str],
    form: &'static str,
    about: &'static str,
) -> Entry {
    Entry { verb, names, form, about }
}

/// All of them, in the order of `/help`.
pub(super) const COMMANDS: &[Entry] = &[
    entry(
        Verb::Nick,
        &["nick", "name"],
        "/nick ann",
        "takes a name; /display adds one, /color a hue; /me acts",
    ),
    entry(
        Verb::Join,
        &["join", "j"],
        "/join lobby",
        "enters a room, and makes it if there is none",
    ),
    entry(
        Verb::Leave,
        &["leave", "part"],
        "/leave",
        "leaves the room; /close as its last, /end ends it for all",
    ),
    entry(
        Verb::Msg,
        &["msg", "query", "m", "w", "whisper", "tell", "dm", "pm", "privmsg"],
        "/msg bob hi",
        "writes to bob alone; /reply, /thread answer what bob said",
    ),
    entry(
        Verb::Who,
        &["who", "names", "users", "here"],
        "/who",
        "lists who is online; /members all, /whois tells of one",
    ),
    entry(
        Verb::Rooms,
        &["rooms", "channels", "unread", "inbox"],
        "/rooms",
        "lists yours and what is unread; /list finds others",
    ),
    entry(
        Verb::History,
        &["history", "log", "last"],
        "/history 20",
        "shows the latest messages; /react bob 👍 likes one",
    ),
    entry(
        Verb::Search,
        &["search", "find", "grep"],
        "/search tea",
        "finds messages; /edit and /delete change your last one",
    ),
    entry(
        Verb::Topic,
        &["topic", "t"],
        "/topic tea",
        "sets the topic, - removes it; /rename tea gives a name",
    ),
    entry(
        Verb::Away,
        &["away", "afk"],
        "/away",
        "shows you as away; /back ends it, /status says more",
    ),
    entry(Verb::Create, &["create", "new"], "/create den private", "makes a room that is yours"),
    entry(
        Verb::Invite,
        &["invite"],
        "/invite bob",
        "invites bob into the room; /uninvite takes it back",
    ),
    entry(Verb::Kick, &["kick", "remove"], "/kick bob spam", "removes bob, for a reason"),
    entry(
        Verb::Mute,
        &["mute", "silence", "quiet"],
        "/mute bob 10m spam",
        "keeps bob from speaking; /unmute ends it",
    ),
    entry(
        Verb::Ban,
        &["ban"],
        "/ban bob 1d spam",
        "keeps bob out; /unban ends it, /bans lists all",
    ),
    entry(
        Verb::Block,
        &["block", "ignore"],
        "/block bob",
        "hides bob from you; /unblock ends it, /blocked lists",
    ),
    entry(
        Verb::Report,
        &["report"],
        "/report bob spam",
        "tells moderators; /reports lists, /settle 3 ends one",
    ),
    entry(
        Verb::Role,
        &["role", "mode"],
        "/role bob moderator",
        "or owner, member, reader; /audit lists such acts",
    ),
    entry(
        Verb::Login,
        &["login", "identify", "signin"],
        "/login ann PASSWORD",
        "comes in as ann; /help login has more of accounts",
    ),
    entry(Verb::Help, &["help", "h", "?", "commands"], "/help", "shows this"),
    entry(
        Verb::Quit,
        &["quit", "exit", "bye", "q", "logout", "disconnect"],
        "/quit",
        "ends the connection",
    ),
    // Those below are named in the line of another one.
    entry(Verb::Members, &["members"], "/members", ""),
    entry(Verb::List, &["list", "directory"], "/list tea", ""),
    entry(Verb::Reply, &["reply", "re", "answer"], "/reply bob yes", ""),
    entry(Verb::Thread, &["thread"], "/thread bob yes", ""),
    entry(Verb::Edit, &["edit", "correct"], "/edit new words", ""),
    entry(Verb::Delete, &["delete", "del", "unsend"], "/delete", ""),
    entry(Verb::React, &["react"], "/react bob 👍", ""),
    entry(Verb::Back, &["back", "unaway"], "/back", ""),
    entry(Verb::Whois, &["whois", "whowas", "finger", "profile"], "/whois bob", ""),
    entry(Verb::Display, &["display", "displayname", "realname"], "/display Ann Smith", ""),
    entry(Verb::Status, &["status"], "/status 1h at lunch", ""),
    entry(Verb::Color, &["color", "colour"], "/color teal", ""),
    entry(Verb::Unmute, &["unmute", "voice", "unsilence"], "/unmute bob", ""),
    entry(Verb::Unban, &["unban"], "/unban bob", ""),
    entry(Verb::Uninvite, &["uninvite"], "/uninvite bob", ""),
    entry(Verb::Bans, &["bans", "restrictions", "mutes", "banlist"], "/bans", ""),
    entry(Verb::Unblock, &["unblock", "unignore"], "/unblock bob", ""),
    entry(Verb::Blocked, &["blocked", "ignored"], "/blocked", ""),
    entry(Verb::Reports, &["reports"], "/reports", ""),
    entry(Verb::Settle, &["settle"], "/settle 3", ""),
    entry(Verb::Audit, &["audit"], "/audit", ""),
    entry(Verb::Close, &["close"], "/close", ""),
    entry(Verb::Rename, &["rename"], "/rename tea", ""),
    entry(Verb::End, &["end"], "/end sure", ""),
    entry(Verb::Say, &["say"], "/say hi", ""),
    entry(Verb::Me, &["me"], "/me waves", ""),
    // Those of accounts have a help of their own.
    entry(Verb::Register, &["register", "signup"], "/register ann PASSWORD CODE", ""),
    entry(Verb::Password, &["password", "passwd"], "/password OLD NEW", ""),
    entry(Verb::Logins, &["logins", "devices", "sessions"], "/logins", ""),
    entry(Verb::EndLogin, &["endlogin", "end-login", "end_login"], "/endlogin 3", ""),
    entry(
        Verb::InviteLink,
        &["invite-link", "invitelink", "invite_link"],
        "/invite-link tea 5 7d",
        "",
    ),
    entry(Verb::Accept, &["accept"], "/accept CODE", ""),
];

/// Commands of other chats that there are none of here, and what to do instead.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["op", "deop", "halfop", "devoice"], "roles are given with /role bob moderator"),
    (&["notice", "ctcp"], "use /msg bob hi"),
    (
        &["server", "connect", "reconnect"],
        "to change the name or the server, /quit and connect again",
    ),
    (&["export"], "the page gives you what is kept of you, under Account and devices"),
    (&["clear"], "what the terminal shows is the terminal's; most clear it with Ctrl-L"),
    (
        &["pass", "user"],
        "a name is taken with /nick ann or, where there are accounts, with /login ann PASSWORD",
    ),
];

impl Verb {
    /// Whether it is about an account.
    pub(super) const fn is_of_accounts(self) -> bool {
        matches!(
            self,
            Self::Register
                | Self::Login
                | Self::Password
                | Self::Logins
                | Self::EndLogin
                | Self::InviteLink
                | Self::Accept
        )
    }
}

/// What a word after a `/` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// This command, and how it is written.
    Command(Verb, &'static str),
    /// What to do instead.
    Hint(&'static str),
    /// Nothing.
    Unknown,
}

/// What `word` means, in any case of its letters.
pub(super) fn meaning(word: &str) -> Meaning {
    let is = |name: &&str| name.eq_ignore_ascii_case(word);
    if let Some(entry) = COMMANDS.iter().find(|entry| entry.names.iter().any(is)) {
        return Meaning::Command(entry.verb, entry.form);
    }
    let hint = ELSEWHERE.iter().find(|(names, _)| names.iter().any(is));
    hint.map_or(Meaning::Unknown, |(_, hint)| Meaning::Hint(hint))
}

/// The first name of each command, for who completes what is typed.
pub fn command_names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter_map(|entry| entry.names.first().copied())
}

/// The command whose name is most like `word`, if one is.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    // One letter is near to every other.
    let names = COMMANDS.iter().flat_map(|entry| entry.names).filter(|name| name.len() > 1);
    let near = names.map(|name| (strsim::damerau_levenshtein(name, word), *name)).min()?;
    // Of a short word two letters are most of it.
    let far = if word.chars().count() <= 3 { 1 } else { 2 };
    (1..=far).contains(&near.0).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_one_thing() {
        let here = COMMANDS.iter().flat_map(|entry| entry.names);
        let elsewhere = ELSEWHERE.iter().flat_map(|(names, _)| *names);
        let mut names: Vec<_> = here.chain(elsewhere).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
        for name in names {
            assert_ne!(meaning(&name.to_uppercase()), Meaning::Unknown, "{name}");
        }
    }

    #[test]
    fn what_is_nearly_a_command_is_guessed() {
        for (word, expect) in [
            ("jion", Some("join")),
            ("joim", Some("join")),
            ("hlep", Some("help")),
            ("mgs", Some("msg")),
            ("qiut", Some("quit")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest(word), expect, "{word}");
        }
    }
}
