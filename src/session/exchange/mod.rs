//! One request of a program's over HTTP, from its head to its answer.

mod admin_request;
mod file_plan;
mod forms;
mod plan;
mod problem;
mod response;
mod stream;
mod top_list;

pub use self::admin_request::OperatorWish;
pub(super) use self::admin_request::{AdminRequest, Scan};
pub(super) use self::file_plan::{FilePlan, Sending};
pub(super) use self::forms::is_json;
pub(super) use self::plan::{Plan, Target, cid_of, is_there};
pub(super) use self::problem::Problem;
pub(super) use self::response::{JSON, of_answers, refused, retry_after_s, status_of};
pub(super) use self::stream::StreamPlan;
pub(super) use self::top_list::TopList;

use crate::chat::model::identity::Identity;
use crate::files::UPLOAD_WINDOW;
use crate::http::{Body, Method, Response, Status};

/// One request of a program's, until it is answered. An idle connection has none.
#[derive(Debug)]
pub(in crate::session) struct Exchange {
    pub method: Method,
    pub keep_alive: bool,
    pub stage: Stage,
    pub body: Body,
    pub bytes: Vec<u8>,
    pub plan: Plan,
    pub identity: Option<Identity>,
    pub name: Option<Box<str>>,
    /// What is asked of the domain.
    pub requests: Vec<String>,
    /// In the order of the requests.
    pub answers: Vec<Option<Answered>>,
    pub is_batch: bool,
    /// Of what was asked last so many were there already.
    pub repeated: usize,
}

/// What became of one of its requests.
#[derive(Clone, Debug)]
pub(in crate::session) struct Answered {
    pub status: Status,
    pub object: Vec<u8>,
    pub retry_after_s: Option<u32>,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its body comes.
    Body,
    /// It is refused already, and its body is read over.
    Refused(Box<Response>),
    /// The domain is told who asks.
    Visiting,
    /// The domain was asked.
    Answering,
    /// A list is to be made of a room that is not in memory.
    Loading(Box<Scan>),
    /// A list is being made, a step a turn.
    Scanning(Box<Scan>),
    /// An act is being written; this is the answer then.
    Acting(Box<Response>),
    /// The configuration is being read again.
    Reloading,
    /// It is asked whether a file may be sent.
    Beginning,
    /// A file comes, of which so many bytes were handed over and not written yet.
    Uploading { unwritten: usize },
    /// A file is being stored, or something is looked up.
    Storing,
    /// A file is being opened.
    Opening,
    /// A file is being sent.
    Sending(Sending),
}

impl Exchange {
    /// Whether to ask again for what the rate has refused: if messages were there already, which
    /// have given their tokens back by now. Otherwise the end of a list that is longer than the
    /// burst would never be said, however often the list is repeated.
    pub(in crate::session) fn asks_again(&mut self) -> bool {
        if std::mem::take(&mut self.repeated) == 0 {
            return false;
        }
        let is_limited = |answer: &mut Answered| answer.status == Status::TooManyRequests;
        self.answers.iter_mut().filter_map(|answer| answer.take_if(is_limited)).count() > 0
    }

    /// Whether the domain owes the answer, so that nothing more is read.
    pub(in crate::session) const fn is_answering(&self) -> bool {
        match self.stage {
            Stage::Body | Stage::Refused(_) => false,
            // As long as the disk keeps up the socket is read on.
            Stage::Uploading { unwritten } => unwritten >= UPLOAD_WINDOW,
            Stage::Visiting
            | Stage::Beginning
            | Stage::Storing
            | Stage::Opening
            | Stage::Sending(_)
            | Stage::Answering
            | Stage::Loading(_)
            | Stage::Scanning(_)
            | Stage::Acting(_)
            | Stage::Reloading => true,
        }
    }

    /// Bytes that it takes.
    pub(in crate::session) fn memory(&self) -> usize {
        let requests: usize = self.requests.iter().map(String::capacity).sum();
        let unwritten = match self.stage {
            Stage::Uploading { unwritten } => unwritten,
            _ => 0,
        };
        // What was handed to the other thread counts until that has written it: it is this
        // connection that sends too fast.
        size_of::<Self>() + self.bytes.capacity() + requests + unwritten
    }

    /// Whether a file comes.
    pub(in crate::session) const fn is_upload(&self) -> bool {
        matches!(self.stage, Stage::Uploading { .. })
    }

    /// Whether the thread that keeps files has something to do for it.
    pub(in crate::session) const fn is_about_file(&self) -> bool {
        matches!(
            self.stage,
            Stage::Beginning
                | Stage::Uploading { .. }
                | Stage::Storing
                | Stage::Opening
                | Stage::Sending(_)
        )
    }

    /// Whether what is asked for may have been done, though nothing says so yet.
    pub(in crate::session) const fn may_be_done(&self) -> bool {
        matches!(self.stage, Stage::Answering | Stage::Acting(_) | Stage::Storing)
            && !matches!(self.method, Method::Get | Method::Head)
    }

    /// Whether a part of the response is on its way.
    pub(in crate::session) const fn is_sending(&self) -> bool {
        matches!(self.stage, Stage::Sending(_))
    }
}
