//! For operators and what they run: metrics and health for monitors and load balancers, and the
//! table of the admin API.
//!
//! ```text
//!  routes ──▶ dispatch (session)
//!    │  └───▶ openapi     the document that describes the API
//!  help   ──▶ asyncapi    the one that describes the chat's protocol
//!  docs   ──▶ book        the documentation as pages
//!  requests, responses    what is read and what is answered, each with its shape
//! ```

mod asyncapi;
pub mod book;
mod openapi;
pub mod requests;
pub mod responses;
pub mod routes;
pub mod shape;

use std::sync::Arc;

pub use self::asyncapi::asyncapi;
pub use self::openapi::openapi;

use crate::metrics::Metrics;
use crate::net::CloseReason;
use crate::time::Tick;

/// Whether the server goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Serving,
    /// The log that it shares with others cannot be written, for this reason.
    Cut(Arc<str>),
    /// It is stopping, and a load balancer should send clients elsewhere.
    Draining,
}

/// The path at which both listeners say whether the process lives.
pub const HEALTHZ: &str = "/healthz";
/// The path at which both listeners say whether new clients should connect.
pub const READYZ: &str = "/readyz";

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
pub fn respond(path: &str, metrics: &Metrics, (health, now): (&Health, Tick)) -> Answer {
    match path {
        "/" => plain(
            200,
            "/healthz  whether the process lives\n\
             /readyz   whether new clients should connect, and why not\n\
             /metrics  metrics in the format of Prometheus\n\
             /admin    the dashboard\n\
             /api/v1   the admin API: /api/v1/openapi.json describes it\n\
             /docs     the documentation\n",
        ),
        HEALTHZ | READYZ => healthy(path, metrics, (health, now)),
        "/metrics" => Answer {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: metrics
                .render(CloseReason::ALL.iter().map(|reason| reason.label()), now.as_millis()),
        },
        _ => match book::page(path, book::Reader::Operator) {
            Some((content_type, body)) => Answer { status: 200, content_type, body },
            None => plain(404, "not found: see /\n"),
        },
    }
}

/// The answer of the main and the admin listener to [`HEALTHZ`], which is 200 for as long as
/// anything answers, and to [`READYZ`]: 200, or 503 with the reason while the server stops or
/// nothing can be stored.
#[must_use]
pub fn healthy(path: &str, metrics: &Metrics, (health, now): (&Health, Tick)) -> Answer {
    let reason = self::health(path, metrics, (health, now));
    let status = if reason.is_some() && path == READYZ { 503 } else { 200 };
    let reason = serde_json::Value::from(reason.as_deref().unwrap_or("ok"));
    let body = format!("{{\"status\":{reason}}}\n");
    Answer { status, content_type: "application/json", body }
}

/// Why not all is well by [`HEALTHZ`] or [`READYZ`]; `None` if it is.
#[must_use]
pub fn health(path: &str, metrics: &Metrics, (health, now): (&Health, Tick)) -> Option<String> {
    let store = &metrics.store;
    if *health == Health::Draining {
        Some("draining".to_owned())
    } else if path == HEALTHZ {
        None
    } else if let Health::Cut(why) = health {
        Some(why.to_string())
    } else if store.trouble.value() > 0 {
        Some("nothing can be stored; the log says why".to_owned())
    } else if store.hangs(now.as_millis()) {
        let seconds = store.batch_age_ms(now.as_millis()) / 1_000;
        Some(format!("the disk has not answered for {seconds} s"))
    } else {
        None
    }
}

fn plain(status: u16, body: &str) -> Answer {
    Answer { status, content_type: TEXT, body: body.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::CLOSE_REASONS_MAX;

    #[track_caller]
    fn check(path: &str, health: &Health, status: u16, content_type: &str, part: &str) {
        let answer = respond(path, &Metrics::default(), (health, Tick::ZERO));
        assert_eq!((answer.status, answer.content_type), (status, content_type));
        assert!(answer.body.contains(part), "{}", answer.body);
    }

    #[test]
    fn a_server_that_cannot_store_lives_and_is_not_ready() {
        let (failing, hanging) = (Metrics::default(), Metrics::default());
        failing.store.trouble.set(1);
        hanging.store.begin_batch(0);
        let now = Tick::from_millis(34_000);
        for (metrics, part) in [(&failing, "nothing can be stored"), (&hanging, "for 34 s")] {
            let ready = healthy(READYZ, metrics, (&Health::Serving, now));
            assert_eq!(ready.status, 503);
            assert!(ready.body.contains(part), "{}", ready.body);
            let lives = healthy(HEALTHZ, metrics, (&Health::Serving, now));
            assert_eq!((lives.status, &*lives.body), (200, "{\"status\":\"ok\"}\n"));
        }
    }

    #[test]
    fn a_node_whose_engine_is_away_lives_and_says_what_is_wrong() {
        let health = Health::Cut("db1:5432: \"no\"".into());
        let ready = healthy(READYZ, &Metrics::default(), (&health, Tick::ZERO));
        assert_eq!((ready.status, &*ready.body), (503, "{\"status\":\"db1:5432: \\\"no\\\"\"}\n"));
        assert_eq!(healthy(HEALTHZ, &Metrics::default(), (&health, Tick::ZERO)).status, 200);
    }

    #[test]
    fn each_path_has_its_answer() {
        let json = "application/json";
        check("/", &Health::Serving, 200, TEXT, "/metrics");
        check("/healthz", &Health::Serving, 200, json, r#"{"status":"ok"}"#);
        check("/healthz", &Health::Draining, 200, json, r#"{"status":"draining"}"#);
        check("/readyz", &Health::Serving, 200, json, r#"{"status":"ok"}"#);
        check("/readyz", &Health::Draining, 503, json, r#"{"status":"draining"}"#);
        let prometheus = "text/plain; version=0.0.4; charset=utf-8";
        check("/metrics", &Health::Serving, 200, prometheus, "\nchinwag_connections 0\n");
        for path in ["", "/metrics/", "/metricsx", "/%6detrics", "/../metrics", "*"] {
            check(path, &Health::Serving, 404, TEXT, "not found");
        }
    }

    #[test]
    fn every_close_reason_has_a_series() {
        assert!(CloseReason::ALL.len() <= CLOSE_REASONS_MAX);
        let health = (&Health::Serving, Tick::ZERO);
        let page = respond("/metrics", &Metrics::default(), health).body;
        for reason in CloseReason::ALL {
            let series =
                format!("chinwag_connections_closed_total{{reason=\"{}\"}} 0", reason.label());
            assert!(page.contains(&series), "{series}");
        }
    }
}
