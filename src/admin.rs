//! What operators and load balancers ask: metrics and health, as plain answers to paths.

use crate::metrics::Metrics;
use crate::net::CloseReason;

/// Whether new clients are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The server serves.
    Serving,
    /// It is stopping: whoever balances load should send clients elsewhere.
    Draining,
}

/// An answer, for whoever speaks HTTP to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The content.
    pub body: String,
}

const TEXT: &str = "text/plain; charset=utf-8";

/// What the admin listener answers to a GET of `path`, without its query.
#[must_use]
pub fn respond(path: &str, metrics: &Metrics, health: Health) -> Answer {
    match path {
        "/" => plain(200, "/healthz  whether the server takes clients\n/metrics  for Prometheus\n"),
        "/healthz" => healthz(health),
        "/metrics" => Answer {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: metrics.render(CloseReason::ALL.iter().map(|reason| reason.label())),
        },
        _ => plain(404, "not found: there is /healthz and /metrics\n"),
    }
}

/// What both the main and the admin listener answer to `/healthz`: 200, or 503 while draining.
#[must_use]
pub fn healthz(health: Health) -> Answer {
    let (status, word) = match health {
        Health::Serving => (200, "ok"),
        Health::Draining => (503, "draining"),
    };
    let body = format!("{{\"status\":\"{word}\"}}\n");
    Answer { status, content_type: "application/json", body }
}

fn plain(status: u16, body: &str) -> Answer {
    Answer { status, content_type: TEXT, body: body.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::CLOSE_REASONS_MAX;

    #[track_caller]
    fn check(path: &str, health: Health, status: u16, content_type: &str, part: &str) {
        let answer = respond(path, &Metrics::default(), health);
        assert_eq!((answer.status, answer.content_type), (status, content_type));
        assert!(answer.body.contains(part), "{}", answer.body);
    }

    #[test]
    fn each_path_has_its_answer() {
        let json = "application/json";
        check("/", Health::Serving, 200, TEXT, "/metrics");
        check("/healthz", Health::Serving, 200, json, r#"{"status":"ok"}"#);
        check("/healthz", Health::Draining, 503, json, r#"{"status":"draining"}"#);
        let prometheus = "text/plain; version=0.0.4; charset=utf-8";
        check("/metrics", Health::Serving, 200, prometheus, "\nchinwag_connections 0\n");
        for path in ["", "/metrics/", "/metricsx", "/%6detrics", "/../metrics", "*"] {
            check(path, Health::Serving, 404, TEXT, "not found");
        }
    }

    #[test]
    fn every_close_reason_has_a_series() {
        assert!(CloseReason::ALL.len() <= CLOSE_REASONS_MAX);
        let page = respond("/metrics", &Metrics::default(), Health::Serving).body;
        for reason in CloseReason::ALL {
            let series =
                format!("chinwag_connections_closed_total{{reason=\"{}\"}} 0", reason.label());
            assert!(page.contains(&series), "{series}");
        }
    }
}
