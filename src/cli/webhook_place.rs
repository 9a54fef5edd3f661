//! Where the webhooks are that a command is about: in the database of a server that is alone, or in
//! the engine of a cluster.

use std::path::Path;

use super::cluster::{Session, primary};
use super::people::Failure;
use crate::chat::model::account::Hidden;
use crate::chat::model::webhook::Webhook;
use crate::cluster::node::webhooks::{self as shared, NotDone};
use crate::config::Config;
use crate::server;
use crate::store::tools::webhooks::{self as own, FORMER_MS, NO_WEBHOOK, TAKEN, TOO_MANY};
use crate::store::{DeadLetter, StoredWebhook};

/// Where they are.
pub(super) enum WebhookPlace<'a> {
    /// In this directory.
    Data(&'a Path),
    /// In the engine that nodes share.
    Engine(Box<Session>),
}

impl<'a> WebhookPlace<'a> {
    /// The place that the configuration names.
    pub(super) fn of(config: &'a Config) -> Result<Self, Failure> {
        Ok(match server::engine_address(config)? {
            None => Self::Data(&config.data),
            Some(address) => Self::Engine(Box::new(primary(&address)?)),
        })
    }

    /// All webhooks, by name.
    pub(super) fn load(&mut self) -> Result<Vec<StoredWebhook>, Failure> {
        Ok(match self {
            Self::Data(data) => own::load(data)?,
            Self::Engine(session) => shared::load(&mut **session)?,
        })
    }

    /// Adds one.
    pub(super) fn add(&mut self, webhook: &Webhook) -> Result<(), Failure> {
        match self {
            Self::Data(data) => own::add(data, webhook)??,
            Self::Engine(session) => shared::add(&mut **session, webhook)?.map_err(text)?,
        }
        Ok(())
    }

    /// Ends one.
    pub(super) fn end(&mut self, name: &str, wall_ms: u64) -> Result<(), Failure> {
        match self {
            Self::Data(data) => own::end(data, name, wall_ms)??,
            Self::Engine(session) => shared::end(&mut **session, name)?.map_err(text)?,
        }
        Ok(())
    }

    /// Gives one another secret.
    pub(super) fn rotate(
        &mut self,
        name: &str,
        secret: &Hidden,
        wall_ms: u64,
    ) -> Result<(), Failure> {
        match self {
            Self::Data(data) => own::rotate(data, (name, secret), wall_ms)??,
            Self::Engine(session) => {
                let until = wall_ms.saturating_add(FORMER_MS);
                shared::rotate(&mut **session, name, (secret, until))?.map_err(text)?;
            }
        }
        Ok(())
    }

    /// What could not be delivered to one.
    pub(super) fn dead(&mut self, name: &str) -> Result<Vec<DeadLetter>, Failure> {
        Ok(match self {
            Self::Data(data) => own::dead(data, name)??,
            Self::Engine(session) => shared::dead(&mut **session, name)?.map_err(text)?,
        })
    }

    /// Has that tried again: how many dead letters.
    pub(super) fn retry(&mut self, name: &str) -> Result<usize, Failure> {
        Ok(match self {
            Self::Data(data) => own::retry(data, name)??,
            Self::Engine(session) => shared::retry(&mut **session, name)?.map_err(text)?,
        })
    }
}

const fn text(why: NotDone) -> &'static str {
    match why {
        NotDone::None => NO_WEBHOOK,
        NotDone::Taken => TAKEN,
        NotDone::TooMany => TOO_MANY,
    }
}
