//! What the server reads again while it runs: the configuration, certificates, keys of tokens.

use super::bounds::{drain_window_ms, limits};
use super::{CertificateWatch, ConfigWatch, Server, token_keys};
use crate::config::Config;
use crate::net::{ConnId, Effects};
use crate::session::Turn;
use crate::time::clock::Now;

impl Server {
    /// The configuration may have been read again.
    pub(super) fn take_config(&mut self, now: Now, effects: &mut Effects) {
        while let Some(found) = self.config_watch.as_ref().and_then(ConfigWatch::poll) {
            if let Some(config) = &found.config
                && self.set_config(config)
            {
                found.say();
            }
            if let Some(conn) = self.reloads.pop_front().flatten() {
                let turn = &mut Turn { now, chat: &mut self.chat, effects };
                self.sessions.handle_reloaded(conn, &found.outcome, turn);
            }
        }
    }

    /// Whether the configuration was taken.
    fn set_config(&mut self, config: &Config) -> bool {
        let limits = limits(config);
        if let Err(error) = self.sessions.set_config(config, limits.clone()) {
            log::error!(error:%; "the configuration was not taken: nothing has changed");
            return false;
        }
        self.chat.set_limits(limits);
        self.drain_window_ms = drain_window_ms(config);
        self.stop_timeout = config.timeouts.stop;
        self.upgrading.set_timeout(config.timeouts.upgrade);
        crate::log::set_filter(&config.log_level);
        true
    }

    /// Other keys of tokens may have been read.
    pub(super) fn take_keys(&mut self) {
        if let Some(keys) = self.key_watch.as_ref().and_then(token_keys::KeyWatch::poll) {
            let count = keys.iter().count();
            self.sessions.set_keys(keys);
            log::info!(keys = count; "the keys of tokens were read again");
        }
    }

    /// Has read again what may change while the server runs; `asker` is told what came of it.
    pub(super) fn reload(&mut self, by: &str, requester: Option<ConnId>) {
        // What follows belongs into the new file.
        crate::log::reopen();
        log::info!("{by}: configuration, certificates and keys of tokens are read again");
        if let Some(watch) = &self.config_watch {
            self.reloads.push_back(requester);
            watch.look_now();
        }
        self.certificates.iter().for_each(CertificateWatch::reload);
        self.key_watch.iter().for_each(token_keys::KeyWatch::look_now);
    }
}
