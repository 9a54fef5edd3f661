//! What an engine is, asked at each connection, and why one is not used.

use super::bounds::WAITING_MAX;
use super::connection::{Connection, Question};
use super::statements::IDENTIFY;
use crate::cluster::READ_VERSION;
use crate::cluster::check::{Engine, Fault, LOOK, Level};
use crate::pg::{Busy, EngineError, Row, Statement};
use crate::time::Tick;

/// Which engine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Which database cluster: all standbys have the same.
    pub(super) system: i64,
    /// It rises with each promotion; 0 of a standby.
    pub(super) timeline: u32,
    /// When it was started: microseconds since 1970.
    pub(super) started: i64,
}

/// All that was asked.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    pub(super) version: Box<str>,
    pub(super) engine: Engine,
    pub(super) identity: Identity,
    faults: Vec<Fault>,
    /// Sessions of ours that wait for a standby.
    waiting: i64,
}

/// An examination that goes on.
#[derive(Debug, Default)]
pub(super) struct Examination {
    process: i32,
    version: Box<str>,
    engine: Option<Engine>,
    identity: Option<(i64, i64, i64)>,
}

/// The engine answers otherwise than PostgreSQL does.
const STRANGE: &str = "it answers otherwise than PostgreSQL does";

impl Examination {
    /// The login is done: asks all that no lock can hold up at once.
    pub(super) fn begin(
        &mut self,
        now: Tick,
        connection: &mut Connection,
        process: i32,
        version: Box<str>,
    ) -> Result<(), Busy> {
        (self.process, self.version) = (process, version);
        for (question, statement) in
            [(Question::Look, LOOK), (Question::Identify, IDENTIFY)] as [(Question, Statement); 2]
        {
            connection.ask(now, question, statement, &[])?;
        }
        Ok(())
    }

    /// One of its questions is answered: the whole, if it was the last one, or why not.
    pub(super) fn on_answer(
        &mut self,
        (now, connection): (Tick, &mut Connection),
        question: Question,
        outcome: Result<Vec<Row>, EngineError>,
    ) -> Result<Option<Examined>, String> {
        let first = |rows: Vec<Row>| rows.into_iter().next().ok_or(STRANGE);
        match question {
            Question::Look => {
                let row = first(outcome.map_err(|error| error.to_string())?)?;
                self.engine = Some(Engine::read(&row).map_err(|error| error.to_string())?);
            }
            Question::Identify => {
                let row = first(outcome.map_err(|error| error.to_string())?)?;
                let ints =
                    (|| Ok::<_, crate::pg::WrongType>((row.int(0)?, row.int(1)?, row.int(2)?)))();
                self.identity = Some(ints.map_err(|error| error.to_string())?);
                // It may be the schema's version that is locked: whoever asks for it leaves a
                // session behind, which waits as well.
                if self.engine.as_ref().is_some_and(|engine| engine.locked.is_some()) {
                    return self.end(None).map(Some);
                }
                // It fails if there is no schema, and was asked in vain.
                let question = connection.ask(now, Question::Version, READ_VERSION, &[]);
                question.map_err(|_busy| STRANGE)?;
            }
            Question::Version => {
                let schema = outcome.ok().and_then(|rows| rows.into_iter().next());
                let schema = schema.as_ref().and_then(|row| row.text(0).ok());
                return self.end(schema).map(Some);
            }
            Question::Listen
            | Question::Beat(..)
            | Question::Notify(_)
            | Question::Leave
            | Question::Ask(_) => {}
        }
        Ok(None)
    }

    fn end(&mut self, schema: Option<&str>) -> Result<Examined, String> {
        let engine = self.engine.take().ok_or(STRANGE)?;
        let (system, started, waiting) = self.identity.take().ok_or(STRANGE)?;
        let timeline = engine.timeline.as_deref().map(|digits| u32::from_str_radix(digits, 16));
        let timeline = timeline.unwrap_or(Ok(0)).map_err(|_error| STRANGE)?;
        let faults = engine.faults(self.process, schema);
        let identity = Identity { system, timeline, started };
        Ok(Examined { version: self.version.clone(), engine, identity, faults, waiting })
    }
}

impl Examined {
    /// Why this engine is not used, in sentences, if there is a reason: `level` is what a commit
    /// has to survive, `known` the engine that was used before.
    pub(super) fn refusal(&self, level: Level, known: Option<Identity>) -> Option<String> {
        // All of them at once, so that an operator need not mend one to be told of the next.
        let mut whys = self.faults.iter().filter(|fault| !fault.is_warning()).map(Fault::to_string);
        if let Some(first) = whys.next() {
            return Some(whys.fold(first, |text, why| text + "; " + &why));
        }
        let Self { engine, identity, waiting, .. } = self;
        let given = engine.level();
        if given < level {
            return Some(format!(
                "it gives level {}, and level {} is wanted: set synchronous_standby_names = \
                 'ANY 1 (*)' and synchronous_commit = on, on each of its standbys, too",
                given.name(),
                level.name()
            ));
        }
        if let Some(known) = known.filter(|known| known.system == identity.system)
            && identity.timeline < known.timeline
        {
            return Some(format!(
                "it is on timeline {}, and a standby was promoted to timeline {}: stop it, and \
                 make it a standby of that one",
                identity.timeline, known.timeline
            ));
        }
        if given == Level::Replicated && engine.connected == 0 {
            return Some(
                "each commit waits for a standby, and none is connected: start one, or have \
                 commits wait for none by synchronous_standby_names = ''"
                    .to_owned(),
            );
        }
        (*waiting >= WAITING_MAX).then(|| {
            format!(
                "{waiting} commits wait for a standby: look at the standbys that \
                 synchronous_standby_names names"
            )
        })
    }

    /// What should be changed although the engine is used.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.faults.iter().filter(|fault| fault.is_warning()).map(Fault::to_string).collect()
    }
}
