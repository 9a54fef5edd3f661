//! A person with `nc` or telnet, where people log in.

use crate::support::terminal::converse;
use crate::support::{Raw, Server, Setup};

#[test]
fn who_has_to_log_in_is_told_so_at_the_first_line_and_at_each_other() {
    let server = Setup::default().set("auth", "accounts").set("accounts.registration", "invite");
    let server = server.start();
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> hello?
         < Welcome to chinwag …. Log in with /login NAME PASSWORD.
         < With an invitation: /register NAME PASSWORD CODE.
         < Passwords stay on this screen, and without TLS can be read on the way.
         > /join lobby
         < ! nobody is told this: log in first, with /login NAME PASSWORD
         > /nick ann
         < ! nobody is told this: log in first, with /login NAME PASSWORD
         > /login ann
         < ! this command needs more, for example: /login ann PASSWORD
         > /lgoin ann secret-of-ann
         < ! there is no /lgoin; did you mean /login; /help lists the commands
         > /help register",
    );
    for command in ["register", "login", "password", "logins"] {
        converse(&mut raw, &format!("< …/{command}…"));
    }
    converse(
        &mut raw,
        "< … or all …
         < …/invite-link…
         < …/accept…
         < Passwords stay on this screen…
         > /quit
         < -- goodbye --",
    );
    raw.assert_ended();
}

#[test]
fn a_server_without_accounts_says_so_to_who_logs_in() {
    let server = Server::start();
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> /login ann secret-of-ann
         < Welcome to chinwag …
         < Type /join lobby …
         < ! there are no passwords here; /nick ann takes a name
         > /join lobby
         < -- you are in lobby, 1 member --
         >  /password secret-of-ann another
         < ! there are no passwords here; /nick ann takes a name
         > /history
         < -- no messages yet in lobby --",
    );
}
