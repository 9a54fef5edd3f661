//! Against `httparse`.
