//! What is kept of a user.

use super::event::profile_object;
use super::field::{field, name_field};
use super::record::record_event;
use super::report::report;
use crate::chat::model::account::Login;
use crate::chat::model::export::{ExportPart, KeptMembership, Profile};
use crate::chat::model::name::UserName;
use crate::wire::json::{array, boolean, number_or_null, put, string};

/// Appends the fields of a part, without the braces.
pub fn export_part(out: &mut Vec<u8>, user: &UserName, part: &ExportPart) {
    name_field(out, r#""user":"#, user.as_str());
    match part {
        ExportPart::Profile(about) => profile(out, about),
        ExportPart::Memberships(rows) => {
            put(out, r#","part":"rooms","items":"#);
            array(out, rows, |out, KeptMembership { room, role, recv, read }| {
                name_field(out, r#"{"room":"#, room.as_str());
                name_field(out, r#","role":"#, role.name());
                field(out, r#","recv":"#, *recv);
                field(out, r#","read":"#, *read);
                put(out, "}");
            });
        }
        ExportPart::Reports(reports) => {
            put(out, r#","part":"reports","items":"#);
            array(out, reports, report);
        }
        ExportPart::Records(records) => {
            put(out, r#","part":"records","items":"#);
            array(out, records, |out, (room, record)| record_event(out, room, record));
        }
    }
}

fn profile(out: &mut Vec<u8>, profile: &Profile) {
    let Profile { source, display, public, since, is_admin, logins, blocked, pushes } = profile;
    put(out, r#","part":"profile""#);
    name_field(out, r#","source":"#, source.name());
    if let Some(display) = display {
        put(out, r#","display":"#);
        string(out, display);
    }
    put(out, r#","public":"#);
    profile_object(out, public);
    put(out, r#","since":"#);
    number_or_null(out, *since);
    put(out, r#","admin":"#);
    boolean(out, *is_admin);
    put(out, r#","logins":"#);
    array(out, logins, |out, login| {
        login_fields(out, login);
        put(out, "}");
    });
    put(out, r#","pushes":"#);
    array(out, pushes, |out, device| {
        field(out, r#"{"id":"#, device.id);
        put(out, r#","endpoint":"#);
        string(out, &device.endpoint);
        put(out, r#","agent":"#);
        string(out, &device.agent);
        field(out, r#","at":"#, device.at);
        put(out, "}");
    });
    put(out, r#","blocked":"#);
    blocked_users(out, blocked);
}

/// Appends the object of a login without its closing brace.
pub(super) fn login_fields(out: &mut Vec<u8>, login: &Login) {
    field(out, r#"{"id":"#, login.id);
    put(out, r#","agent":"#);
    string(out, &login.agent);
    field(out, r#","at":"#, login.at);
    field(out, r#","used":"#, login.used);
}

/// Appends the list of those whom a user has blocked, and since when.
pub(super) fn blocked_users(out: &mut Vec<u8>, blocked: &[(UserName, u64)]) {
    array(out, blocked, |out, (user, at)| {
        name_field(out, r#"{"user":"#, user.as_str());
        field(out, r#","at":"#, *at);
        put(out, "}");
    });
}
