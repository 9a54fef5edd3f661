//! Metrics and health for operators and load balancers: the answer to each path.

use crate::metrics::Metrics;
use crate::net::CloseReason;

/// Whether new clients should connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Serving,
    /// No: the server is stopping, and a load balancer should send clients elsewhere.
    Draining,
}

/// An answer, to be sent over HTTP.
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

/// The admin listener's answer to a GET of `path`, from which the query was removed.
#[must_use]
pub fn respond(path: &str, metrics: &Metrics, health: Health) -> Answer {
    match path {
        "/" => plain(
            200,
            "/healthz  whether new clients should connect\n/metrics  metrics in the format of Prometheus\n",
        ),
        "/healthz" => healthz(health),
        "/metrics" => Answer {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: metrics.render(CloseReason::ALL.iter().map(|reason| reason.label())),
        },
        _ => plain(404, "not found: the paths are /healthz and /metrics\n"),
    }
}

/// The answer of the main and the admin listener to `/healthz`: 200, or 503 while draining.
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
