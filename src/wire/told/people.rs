//! The replies about accounts and other people.

use super::{AT, BY, Field, Kind, MORE, PROFILE, Shape, always, sometimes};

const AGENT: Field = always("agent", Kind::Text, "what the program calls itself");
const ID: Field = always("id", Kind::Number, "its id");

pub(super) const LOGGED_IN: Shape = Shape {
    name: "logged_in",
    fields: &[
        always("user", Kind::Text, "the name of the account"),
        always("token", Kind::Text, "the secret of the login, for hello"),
        sometimes("rooms", Kind::List(&Kind::Text), "where the invite link leads"),
    ],
};

pub(super) const LOGINS: Shape = Shape {
    name: "logins",
    fields: &[always("logins", Kind::List(&Kind::Object(&LOGIN)), "oldest first")],
};

const LOGIN: Shape = Shape {
    name: "login",
    fields: &[
        ID,
        AGENT,
        AT,
        always("used", Kind::Number, "when it was used last, in ms since 1970"),
        sometimes("current", Kind::Flag, "whether this connection is of it; not in an export"),
    ],
};

pub(super) const INVITE_LINK: Shape = Shape {
    name: "invite_link",
    fields: &[
        always("invite", Kind::Text, "its secret"),
        always("path", Kind::Text, "what follows the address of the page"),
        always("uses", Kind::Number, "how often it can be used"),
        always("until", Kind::Number, "when it ends, in ms since 1970"),
    ],
};

pub(super) const ACCEPTED: Shape = Shape {
    name: "accepted",
    fields: &[always("rooms", Kind::List(&Kind::Text), "where the link leads")],
};

const BLOCKED_LIST: Field =
    always("users", Kind::List(&Kind::Object(&BLOCKED_USER)), "whom you have blocked, by name");

pub(super) const BLOCKED: Shape = Shape { name: "blocked", fields: &[BLOCKED_LIST] };

const BLOCKED_USER: Shape =
    Shape { name: "blocked_user", fields: &[always("user", Kind::Text, "the user's name"), AT] };

pub(super) const PROFILES: Shape = Shape {
    name: "profiles",
    fields: &[always(
        "profiles",
        Kind::Map(&Kind::Object(&PROFILE)),
        "what they say of themselves, by user",
    )],
};

pub(super) const SUBSCRIBED: Shape = Shape { name: "subscribed", fields: &[ID] };

pub(super) const SUBSCRIPTIONS: Shape = Shape {
    name: "subscriptions",
    fields: &[
        always("key", Kind::Text, "what a browser subscribes with"),
        always("items", Kind::List(&Kind::Object(&SUBSCRIPTION)), "your devices, oldest first"),
    ],
};

const SUBSCRIPTION: Shape = Shape {
    name: "subscription",
    fields: &[
        ID,
        always("service", Kind::Text, "whose push service it is"),
        AGENT,
        AT,
        always("current", Kind::Flag, "whether it is of the login of this connection"),
    ],
};

pub(super) const REPORTS: Shape = Shape {
    name: "reports",
    fields: &[
        always("items", Kind::List(&Kind::Object(&REPORT)), "those that you may settle"),
        MORE,
    ],
};

const REPORT: Shape = Shape {
    name: "report",
    fields: &[
        ID,
        always("by", Kind::Text, "who has reported"),
        always("user", Kind::Text, "whom"),
        sometimes("room", Kind::Text, "where"),
        sometimes("target", Kind::Number, "the seq of the message"),
        sometimes("text", Kind::Text, "what the message said"),
        AT,
        always("reason", Kind::Text, "why, or empty"),
    ],
};

pub(super) const AUDIT: Shape = Shape {
    name: "audit",
    fields: &[
        always("items", Kind::List(&Kind::Object(&ACT)), "what was done, latest first"),
        MORE,
    ],
};

const ACT: Shape = Shape {
    name: "act",
    fields: &[
        ID,
        AT,
        BY,
        always("act", Kind::Text, "what was done"),
        sometimes("user", Kind::Text, "to whom"),
        sometimes("room", Kind::Text, "where"),
    ],
};

pub(super) const EXPORT: Shape = Shape {
    name: "export",
    fields: &[
        always("user", Kind::Text, "who you are"),
        always("part", Kind::Text, "profile, rooms, reports or records"),
        sometimes("items", Kind::List(&Kind::Any), "all but the profile has these"),
        sometimes("source", Kind::Text, "of the profile: who says who you are"),
        sometimes("display", Kind::Text, "likewise: what that calls you"),
        sometimes("public", Kind::Object(&PROFILE), "likewise: what you say of yourself"),
        sometimes(
            "since",
            Kind::Any,
            "likewise: since when you are known, in ms since 1970, or null",
        ),
        sometimes("admin", Kind::Flag, "likewise: whether you are an administrator"),
        sometimes("logins", Kind::List(&Kind::Object(&LOGIN)), "likewise"),
        sometimes("pushes", Kind::List(&Kind::Any), "likewise: devices that are told"),
        sometimes("blocked", Kind::List(&Kind::Object(&BLOCKED_USER)), "likewise"),
        sometimes("after", Kind::Number, "to ask for the next part"),
        MORE,
    ],
};
