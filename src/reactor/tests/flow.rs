//! Bytes in and bytes out.

use super::bench::{Bench, Seen, echo};

#[test]
fn what_comes_goes_back() {
    let mut bench = Bench::new(echo, |_| {});
    let (mut client, conn) = bench.connect();
    for text in ["one", "two", "three"] {
        client.say(text.as_bytes());
        bench.until_seen(&Seen::Received(conn, text.into()));
        client.expect(text.as_bytes());
    }
    client.finish();
    bench.until_seen(&Seen::Closed(conn, crate::net::CloseReason::Bye));
    client.expect_end(b"");
    bench.assert_nothing_left();
}
