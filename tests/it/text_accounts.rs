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
         < ! it is written like this, for example: /login ann PASSWORD
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

#[test]
fn a_person_registers_by_an_invitation_logs_in_and_invites_others() {
    let setup = Setup::default().set("auth", "accounts").set("accounts.registration", "open");
    let server = setup.set("accounts.invites", "anyone").start();
    let mut ann = Raw::connect(server.tcp);
    converse(
        &mut ann,
        "> /register ann secret
         < ! a password has 8 to 256 bytes
         > /register ann secret of ann
         < Welcome to chinwag …. You are ann.
         < Type /join lobby …
         > /join tea
         < -- you are in tea, 1 member --
         > /nick eve
         < ! your name is that of your account; to come by another, /quit
         > /login eve secret of eve
         < ! you are in already; to come in as another, /quit and connect again
         > /logins
         < -- 1 login --
         <   1  terminal, here
         > /invite-link tea 2 7d
         < -- a link for 2 people, until …-…-… --
         <   in a browser: the address of the page with /#invite=cwi_…",
    );
    let told = ann.line().expect("how it is used at a terminal");
    let code = told.rsplit_once(' ').expect("a code").1.to_owned();
    assert!(code.starts_with("cwi_") && code.len() == 47, "{told}");
    let mut bob = Raw::connect(server.tcp);
    converse(
        &mut bob,
        &format!(
            "> /register bob secret of bob {code}
             < -- you are invited: /join tea --
             < Welcome to chinwag …. You are bob.
             < Type /join lobby …
             > /join tea
             < -- you are in tea, 2 members --
             > hello ann
             > /quit
             < -- goodbye --"
        ),
    );
    converse(&mut ann, "< [tea] bob: hello ann");
    let mut again = Raw::connect(server.tcp);
    converse(
        &mut again,
        "> /login ann secret of bob
         < ! name or password is wrong…
         > /login nobody secret of bob
         < ! name or password is wrong…
         > hello?
         < ! nobody is told this: log in first, with /login NAME PASSWORD
         > /login ann secret of ann
         < Welcome to chinwag …. You are ann.
         < Type /join lobby …
         > /password \"secret of bob\" \"another of ann\"
         < ! the old password is wrong…
         > /password \"secret of ann\" \"another of ann\"
         < -- your password is changed, and your other logins are over --",
    );
    converse(&mut ann, "< -- goodbye: this login was ended; log in again --");
    ann.assert_ended();
    let log = server.log();
    for secret in ["secret of", "another of", "cwl_", &code] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn a_guest_may_log_in_until_others_know_them() {
    let setup = Setup::default().set("auth", "accounts").set("accounts.registration", "open");
    let server = setup.set("accounts.guests", "true").start();
    let mut raw = Raw::connect(server.tcp);
    converse(
        &mut raw,
        "> /help
         < Welcome to chinwag …. You are guest-…",
    );
    while !raw.line().expect("the help").starts_with("Times are") {}
    converse(
        &mut raw,
        "> /register ann secret of ann
         < Welcome to chinwag …. You are ann.
         < Type /join lobby …",
    );
    let mut other = Raw::connect(server.tcp);
    converse(
        &mut other,
        "> /join lobby
         < Welcome to chinwag …. You are guest-…
         < Type /join lobby …
         < -- you are in lobby, 1 member --
         > /login ann secret of ann
         < ! you are in already; to come in as another, /quit and connect again",
    );
}
