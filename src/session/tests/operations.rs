//! Each operation of the protocol gets to where something is done for it.

use super::{Harness, ids, text};
use crate::chat::model::op::Op;
use crate::wire::parse::tests::table::least;

#[test]
fn no_operation_is_read_and_then_forgotten() {
    for &op in Op::ALL {
        let mut harness = Harness::new();
        let conn = harness.enter("ann");
        harness.receive(conn, &text(&least(op)));
        harness.end_turn();
        let frames = harness.frames(conn);
        assert_eq!(ids(&frames), [9], "{} is answered once: {frames:?}", op.name());
        let is_forgotten = frames.iter().any(|frame| frame.contains("not have this operation yet"));
        assert!(!is_forgotten, "{}: nothing is done for it", op.name());
    }
}
