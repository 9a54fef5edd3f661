//! What one member of a room is told, as lines: each record once and in order, whether as a message
//! or in a replay.

use crate::Outcome;
use crate::observed::ServerMessage;

/// How far somebody is in the one room that they are in.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    /// A line that has not come whole.
    partial: Vec<u8>,
    /// The last seq; `None` before the reply to `join`.
    last: Option<u64>,
}

impl Follower {
    /// The last seq; 0 before the first.
    pub(crate) fn seq(&self) -> u64 {
        self.last.unwrap_or(0)
    }

    /// Whether the reply to `join` has come.
    pub(crate) fn is_inside(&self) -> bool {
        self.last.is_some()
    }

    /// Takes bytes as they come.
    pub(crate) fn take_bytes(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.partial.extend_from_slice(bytes);
        let Some(end) = self.partial.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let rest = self.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial, rest);
        str::from_utf8(&whole)?.lines().try_for_each(|line| self.take(line))
    }

    /// Takes one message. The `id` of the join is 2.
    pub(crate) fn take(&mut self, line: &str) -> Outcome<()> {
        // By its beginning alone, since there are millions of them.
        if line.starts_with("{\"ev\":\"presence\"") {
            return Ok(());
        }
        let message = ServerMessage::parse(line)?;
        let mut seqs = Vec::new();
        match (message.kind(), message.code) {
            (Some("message"), _) => seqs.extend(message.seq),
            (Some("replay"), _) => {
                seqs.extend(message.items()?.iter().filter_map(|item| item.seq));
            }
            (Some("gap" | "left" | "bye" | "reset"), _) => return Err(line.into()),
            (None, Some(0)) if message.id == Some(2) => {
                let data = message.data.map(|data| ServerMessage::parse(data.get())).transpose()?;
                self.last = Some(data.and_then(|data| data.seq).unwrap_or(0));
            }
            (None, Some(code)) if code != 0 => return Err(line.into()),
            _ => {}
        }
        for seq in seqs {
            let expected = self.last.ok_or("a message before the reply to join")? + 1;
            if seq != expected {
                return Err(format!("{seq} came instead of {expected}").into());
            }
            self.last = Some(seq);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&str], expected: Option<u64>) {
        let mut follower = Follower::default();
        let took: Outcome<Vec<()>> =
            pieces.iter().map(|piece| follower.take_bytes(piece.as_bytes())).collect();
        assert_eq!(took.ok().map(|_| follower.seq()), expected, "{pieces:?}");
    }

    #[test]
    fn each_record_is_to_come_once_and_in_order_however_the_bytes_are_cut() {
        let joined = "{\"id\":2,\"code\":0,\"data\":{\"seq\":4}}\n";
        let fifth = "{\"ev\":\"message\",\"seq\":5}\n";
        let replay = "{\"ev\":\"replay\",\"items\":[{\"seq\":6},{\"seq\":7}],\"to\":7}\n";
        check(&[joined, fifth, replay], Some(7));
        let (head, tail) = fifth.split_at(9);
        check(&[joined, head, tail, replay], Some(7));
        check(&[joined, fifth, fifth], None);
        check(&[joined, replay], None);
        check(&[fifth], None);
        check(&[joined, "{\"ev\":\"gap\",\"from\":5}\n"], None);
        check(&["{\"id\":2,\"code\":3001}\n"], None);
    }
}
