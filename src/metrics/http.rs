//! What the HTTP side counts.

use super::Counter;

/// The cells of requests and handshakes.
#[derive(Debug, Default)]
pub struct HttpMetrics {
    /// WebSocket handshakes that were answered with 101.
    pub handshakes: Counter,
    /// Upgrades that were refused: 400, 403, 405, 426, 503.
    pub handshakes_refused: Counter,
    /// Pings to connections that were silent.
    pub pings: Counter,
    /// Pongs, asked for or not.
    pub pongs: Counter,
    /// WebSocket messages that were compressed before they were sent.
    pub messages_deflated: Counter,
    /// Responses by the hundreds of their status, 1xx first.
    responses: [Counter; 5],
}

impl HttpMetrics {
    /// Counts a response with `status`; one outside 100 to 599 counts as 5xx, since it is our
    /// fault.
    pub fn count_response(&self, status: u16) {
        let hundreds = if (100..600).contains(&status) { status / 100 } else { 5 };
        if let Some(cell) = self.responses.get(usize::from(hundreds) - 1) {
            cell.add(1);
        }
    }

    /// Every label with its count.
    pub(super) fn labelled(&self) -> impl Iterator<Item = (&'static str, u64)> {
        const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        CLASSES.into_iter().zip(self.responses.iter().map(Counter::value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_counted_by_its_hundreds() {
        let http = HttpMetrics::default();
        for status in [101, 200, 204, 404, 503, 0, 999] {
            http.count_response(status);
        }
        let counted: Vec<_> = http.labelled().map(|(_, count)| count).collect();
        assert_eq!(counted, [1, 2, 0, 1, 3]);
    }
}
