//! Files over HTTP: what is sent goes to the thread that keeps them as it comes, and what is read
//! comes from it a piece at a time, as the socket takes it.
//!
//! ```text
//!  head ─▶ visit ─▶ Beginning ─ Begun ─▶ Uploading ─ all of it ─▶ Storing ─ Stored ─▶ 201
//!              │                           └─ 256 KiB wait: no more is read
//!              └──▶ history of the message ─▶ Opening ─ Opened ─▶ Sending ─ the last piece ─▶ done
//!                                                                  └─ Drained: the next piece
//! ```

use std::borrow::Cow;

use super::exchange::{Exchange, FilePlan, JSON, Plan, Problem, Sending, Stage, refused};
use super::input::Session;
use super::state::Protocol;
use super::visits;
use crate::chat::model::file::StoredFile;
use crate::chat::{Code, Refusal};
use crate::files::{FileAnswer, FileFault, FileJob, Kind, PIECE_LEN, PictureFault};
use crate::http::{Method, Range, Response, Status};
use crate::net::{CloseReason, Effect, Ending};

/// When a client should come back that has to wait for others, or for a disk.
const RETRY_MS: u64 = 2_000;
/// Bytes of a piece, however little may wait for a socket.
const PIECE_LEN_MIN: usize = 1024;

impl Session<'_, '_> {
    /// The thread that keeps files has answered.
    pub(super) fn on_file(&mut self, answer: FileAnswer) {
        let (now, is_leaving) = (self.turn.now.tick, self.state.is_leaving());
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        match answer {
            FileAnswer::Begun => {
                exchange.stage = Stage::Uploading { unwritten: 0 };
                let waits = matches!(&exchange.plan, Plan::Upload(plan) if plan.waits);
                let is_last = exchange.body.is_done() || is_leaving;
                self.state.set_since(now);
                if waits {
                    self.send(super::http::CONTINUE.to_vec());
                }
                // Also if the peer has said that nothing more comes.
                if is_last {
                    return self.on_upload_end();
                }
                let deadline = self.state.deadline(now, self.context);
                self.arm(deadline);
                self.resume();
            }
            FileAnswer::Written(len) => {
                if let Stage::Uploading { unwritten } = &mut exchange.stage {
                    *unwritten = unwritten.saturating_sub(len);
                }
                self.resume();
            }
            FileAnswer::Progress(len) => {
                let body = format!(r#"{{"offset":{len}}}"#).into_bytes();
                let response = Response::new(Status::Ok).field("Cache-Control", "no-store");
                self.finish_exchange(response.body(JSON, body));
            }
            FileAnswer::Stored { file, kind, size, is_new } => {
                // What was sent before is not read again.
                exchange.keep_alive &= exchange.body.is_done();
                self.context.uploading.remove(&self.state.conn);
                let status = if is_new { Status::Created } else { Status::Ok };
                self.finish_exchange(stored(status, &file, (kind, size)));
            }
            FileAnswer::Opened(file) => self.begin_sending(&file),
            FileAnswer::Piece(bytes) => self.send_piece(bytes),
            FileAnswer::Refused(fault) => {
                if matches!(exchange.stage, Stage::Sending(_)) {
                    // The length was said already: only the end of the connection says that the
                    // rest does not come.
                    return self.close(Vec::new(), (CloseReason::HttpRefused, Ending::Flush));
                }
                // With the rest of the body unread the next bytes would be taken for a request.
                exchange.keep_alive &= exchange.body.is_done();
                let refusal = refused(problem_of(&fault));
                self.finish_exchange(refusal);
            }
        }
    }

    /// Some of a file has come. `None` if no file is being sent.
    pub(super) fn on_upload_bytes(&mut self, input: &mut &mut [u8]) -> Option<bool> {
        let (conn, now) = (self.state.conn, self.turn.now.tick);
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return None;
        };
        let Stage::Uploading { unwritten } = &mut exchange.stage else { return None };
        let consumed = match exchange.body.advance(input) {
            Ok(progress) => {
                if !progress.data.is_empty() {
                    // Counted here and taken off when it is written: between the two no more than
                    // the window is in memory.
                    *unwritten += progress.data.len();
                    self.context.file_jobs.push(FileJob::Bytes(conn, progress.data.to_vec()));
                }
                progress.consumed
            }
            Err(refusal) => {
                exchange.keep_alive = false;
                self.finish_exchange(refused(refusal.into()));
                return Some(false);
            }
        };
        let is_done = exchange.body.is_done();
        // As long as something comes, it may take its time.
        self.state.set_since(now);
        let rest = std::mem::take(input);
        *input = rest.get_mut(consumed..).unwrap_or_default();
        if is_done {
            self.on_upload_end();
        }
        Some(!self.state.is_closing())
    }

    /// No more of a file comes.
    pub(super) fn on_upload_end(&mut self) {
        let conn = self.state.conn;
        if let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol {
            exchange.stage = Stage::Storing;
            let is_whole = exchange.body.is_done();
            self.context.file_jobs.push(FileJob::Finish { conn, is_whole });
        }
    }

    fn begin_sending(&mut self, file: &StoredFile) {
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        let Exchange { method, keep_alive, plan: Plan::File(plan), .. } = &**exchange else {
            return;
        };
        let (method, keep_alive) = (*method, *keep_alive);
        let kind = Kind::of_number(file.kind);
        let Some((from, end)) = plan.range.within(file.bytes) else {
            let response = Response::new(Status::RangeNotSatisfiable).no_part(file.bytes);
            return self.finish_exchange(response);
        };
        // Also if it is all that there is: who asks so finds out whether there are parts.
        let is_part = plan.range != Range::All;
        let status = if is_part { Status::PartialContent } else { Status::Ok };
        let mut response = Response::new(status)
            .field("Content-Type", kind.media_type())
            .disposition(kind.is_picture(), &plan.name)
            .field("Accept-Ranges", "bytes")
            .following(end - from);
        response = plan.kept(response);
        if is_part {
            response = response.part((from, end), file.bytes);
        }
        if method == Method::Head {
            return self.finish_exchange(response);
        }
        exchange.stage =
            Stage::Sending(Sending { hash: file.hash.clone(), next: from, end, is_asked: false });
        let mut out = Vec::new();
        let response = response.date(self.context.dates.at(self.turn.now.wall_ms));
        response.render(&mut out, method, keep_alive);
        self.context.metrics.http.count_response(status.code());
        self.send(out);
        self.ask_for_piece();
    }

    /// Nothing waits for the socket any more: the next piece may come.
    pub(super) fn ask_for_piece(&mut self) {
        let conn = self.state.conn;
        // No more than may wait for a reader, or a file would fill what is meant for messages.
        let len_max = PIECE_LEN.min(self.turn.chat.outbound_limit()).max(PIECE_LEN_MIN);
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        let Stage::Sending(sending) = &mut exchange.stage else { return };
        // One piece at a time: they must come in order, and each waits for the socket.
        if sending.is_asked {
            return;
        }
        sending.is_asked = true;
        let len = usize::try_from(sending.end - sending.next).unwrap_or(usize::MAX).min(len_max);
        let job = FileJob::Read(conn, sending.hash.clone(), sending.next, len);
        self.context.file_jobs.push(job);
    }

    fn send_piece(&mut self, bytes: Vec<u8>) {
        let conn = self.state.conn;
        let Protocol::Http { exchange: Some(exchange) } = &mut self.state.protocol else {
            return;
        };
        let Stage::Sending(sending) = &mut exchange.stage else { return };
        sending.is_asked = false;
        sending.next += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if sending.next < sending.end {
            self.send(bytes);
            // The next piece is read when this one has left.
            return self.turn.effects.push(Effect::Wake { conn });
        }
        visits::finish_with(&mut self.state, self.context, self.turn, bytes, CloseReason::HttpDone);
    }
}

/// What the sender of a file is told.
fn stored(status: Status, file: &StoredFile, (kind, size): (Kind, Option<(u32, u32)>)) -> Response {
    let media_type = kind.media_type().split(';').next().unwrap_or_default();
    let size = size.map_or(String::new(), |(w, h)| format!(r#","w":{w},"h":{h}"#));
    // None of them has to be escaped.
    let body =
        format!(r#"{{"id":"{}","type":"{media_type}","size":{}{size}}}"#, file.id, file.bytes);
    let response = Response::new(status).field("Cache-Control", "no-store");
    response.body(JSON, body.into_bytes())
}

fn bad(message: impl Into<Cow<'static, str>>, expected: &'static str) -> Refusal {
    Refusal::new(Code::BadField, message).field("body", expected)
}

/// Something that is over after a while.
fn for_now(code: Code, message: &'static str) -> Refusal {
    Refusal::new(code, message).retry_after_ms(RETRY_MS)
}

/// Why a file is not taken or sent, as the protocol says it.
fn problem_of(fault: &FileFault) -> Problem {
    let refusal = match fault {
        FileFault::TooLarge => {
            let refusal = Refusal::new(Code::TooLarge, "the file is larger than a file may be");
            refusal.field("body", "at most limits.file_bytes of the welcome ([files] bytes)")
        }
        FileFault::Empty => bad("there is nothing in the file", "at least one byte"),
        FileFault::UserFull(left) => {
            let message = format!("you may send {left} bytes more ([files] per_user)");
            let refusal = Refusal::new(Code::StorageFull, message);
            refusal.field("body", "less; or delete messages with files first")
        }
        FileFault::Full => {
            Refusal::new(Code::StorageFull, "no more files are taken here ([files] total)")
        }
        FileFault::NoSpace => for_now(Code::StorageFull, "the server's disk is full"),
        FileFault::Busy => for_now(Code::Busy, "too many files are being sent"),
        FileFault::Kind(kind) => {
            let message = format!("files of this kind are not taken: {}", kind.media_type());
            bad(message, "a picture ([files] kinds)")
        }
        FileFault::Picture(PictureFault::Metadata(what)) => bad(
            format!("the picture has {what}, which may say who took it, and where"),
            "a picture without it: the page removes it, and so does exiftool -all= FILE",
        ),
        FileFault::Picture(PictureFault::Malformed(what)) => {
            bad(format!("the picture is malformed: {what}"), "a whole picture and nothing else")
        }
        FileFault::Offset(len) => {
            let refusal = Refusal::new(Code::CidConflict, format!("{len} bytes of it have come"));
            refusal.field("offset", len.to_string())
        }
        FileFault::OtherSize(size) => {
            let message = format!("its beginning was sent as one of {size} bytes");
            Refusal::new(Code::CidConflict, message).field("size", size.to_string())
        }
        FileFault::Size => bad("it does not have the size that was said", "size bytes in all"),
        FileFault::TakenOver => {
            let message = "another connection goes on with this upload";
            let refusal = Refusal::new(Code::CidConflict, message);
            refusal.field("upload", "one connection at a time for each name")
        }
        FileFault::Short { len, is_kept } => {
            let expected = if *is_kept {
                "all of it: the rest of what has come, with offset and size"
            } else {
                "all of it; with upload, what has come could be gone on with"
            };
            bad(format!("{len} bytes of the file have come, and the rest is missing"), expected)
        }
        FileFault::Hash => bad(
            "what has come has another SHA-256 than the path",
            "the bytes whose SHA-256 is in the path",
        ),
        FileFault::NotShared => {
            let message = "this server cannot get at the folder of files that the others share";
            for_now(Code::Busy, message)
        }
        FileFault::NotThere => return FilePlan::not_there(),
        FileFault::Broken => for_now(Code::Busy, "the server's disk fails"),
    };
    refusal.into()
}
