//! What must hold of one name, by what people were answered: the checker.

use crate::history::Check;

/// A password that may have become the account's: asked for, and not answered.
#[derive(Clone, Debug)]
struct Maybe {
    password: String,
    /// The life of the process in which it was asked for.
    life: u64,
    /// It is of a registration, and not of a change.
    is_first: bool,
}

/// One name, and the account that it may have.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// Somebody was told that there is an account.
    pub(super) is_taken: bool,
    /// The password that must be right, unless one of `maybe` is.
    certain: Option<String>,
    maybe: Vec<Maybe>,
    /// The operator's command has made it, and the server has not noticed.
    is_unnoticed: bool,
    /// Rises when it becomes certain what the password is.
    pub(super) version: u64,
    /// Logins that were asked for.
    pub(super) logins: u64,
}

impl Claim {
    /// A registration or a change of the password is asked for.
    pub(super) fn ask(&mut self, password: &str, life: u64, is_first: bool) {
        self.maybe.push(Maybe { password: password.to_owned(), life, is_first });
    }

    fn settle(&mut self, password: &str) {
        self.certain = Some(password.to_owned());
        self.is_taken = true;
        self.version += 1;
    }

    /// A registration was answered.
    pub(super) fn on_registered(&mut self, password: &str, is_done: bool) -> Check {
        self.maybe.retain(|maybe| !(maybe.is_first && maybe.password == password));
        if !is_done {
            // Somebody has it, or may have it.
            let is_due = self.is_taken || self.maybe.iter().any(|maybe| maybe.is_first);
            return is_due.then_some(()).ok_or_else(|| "a free name is taken".to_owned());
        }
        if self.is_taken {
            return Err("a name was given to two".to_owned());
        }
        self.maybe.clear();
        self.settle(password);
        Ok(())
    }

    /// The operator's command has made the account.
    pub(super) fn on_added(&mut self, password: &str) -> Check {
        if self.is_taken {
            return Err("a name that was given is free on the disk".to_owned());
        }
        self.maybe.clear();
        self.settle(password);
        self.is_unnoticed = true;
        Ok(())
    }

    /// The server has noticed what the operator's command has made.
    pub(super) const fn on_noticed(&mut self) {
        self.is_unnoticed = false;
        self.version += 1;
    }

    /// A registration or a change was refused before anything was written.
    pub(super) fn forget(&mut self, password: &str) {
        self.maybe.retain(|maybe| maybe.password != password);
    }

    /// A change was answered: it is done.
    pub(super) fn on_changed(&mut self, password: &str) {
        self.forget(password);
        self.settle(password);
    }

    /// A login, asked for when the claim had this version, was answered.
    pub(super) fn on_login(
        &mut self,
        password: &str,
        (is_done, version, life): (bool, u64, u64),
    ) -> Check {
        let is_certain = self.certain.as_deref() == Some(password);
        let is_maybe = self.maybe.iter().any(|maybe| maybe.password == password);
        if is_done {
            if !is_certain && !is_maybe {
                return Err(format!("a login with {password}, which is not the password"));
            }
            // What died with an earlier process was written by now, or never is.
            self.maybe.retain(|maybe| maybe.life == life && !maybe.is_first);
            if !is_certain {
                self.forget(password);
                self.settle(password);
            }
            return Ok(());
        }
        if version != self.version || self.is_unnoticed {
            return Ok(());
        }
        self.maybe.retain(|maybe| maybe.password != password || maybe.life == life);
        if is_certain {
            self.certain = None;
        }
        if self.is_taken && self.certain.is_none() && self.maybe.is_empty() {
            return Err(format!("nobody can log in any more, not with {password} either"));
        }
        Ok(())
    }

    /// Whether a change of the password may be under way, or may have been made.
    pub(super) fn is_changing(&self) -> bool {
        self.maybe.iter().any(|maybe| !maybe.is_first)
    }

    /// The passwords of which one must be right, if the name is taken.
    pub(super) fn candidates(&self) -> Vec<String> {
        let maybe = self.maybe.iter().map(|maybe| maybe.password.clone());
        self.certain.iter().cloned().chain(maybe).collect()
    }
}
