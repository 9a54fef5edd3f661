//! `chinwag nodes`: which nodes there are, as the engine knows them.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{EngineFailure, Found, look};
use crate::config::Config;
use crate::pg::{Address, Host, Row, Statement, WrongType};
use crate::server;

/// After so many milliseconds of silence a node counts as gone.
const SILENT_MS_MAX: i64 = 10_000;

/// The nodes, and for how many milliseconds each was not heard of.
const LIST: Statement = Statement {
    name: "nodes",
    sql: "SELECT id, name, address, version, \
          (extract(epoch FROM clock_timestamp()) * 1000)::bigint - beat \
          FROM chinwag.node ORDER BY id",
};

/// Prints the nodes that share the engine of this address, or of the configuration.
pub(in crate::cli) fn run(given: Option<&Address>, config: &Config) -> ExitCode {
    let address =
        match given.cloned().map_or_else(|| server::engine_address(config), |it| Ok(Some(it))) {
            Ok(Some(address)) => address,
            Ok(None) => {
                let text = "this server is alone: name the database of a cluster, \
                        postgres://USER:PASSWORD@HOST,HOST/DATABASE, or set [cluster] engine";
                _ = super::super::complain(text);
                return ExitCode::FAILURE;
            }
            Err(error) => {
                _ = super::super::complain(&error.to_string());
                return ExitCode::FAILURE;
            }
        };
    let mut reasons = String::new();
    for host in &address.hosts {
        match list(&address, host) {
            Ok(table) => return super::super::print(&table),
            Err(reason) => _ = writeln!(reasons, "error: {host}: {reason}"),
        }
    }
    _ = write!(io::stderr(), "{reasons}");
    ExitCode::FAILURE
}

fn list(address: &Address, host: &Host) -> Result<String, Box<dyn std::error::Error>> {
    let Found { mut session, faults, .. } = look(address, host)?;
    if let Some(fault) = faults.iter().find(|fault| !fault.is_warning()) {
        return Err(fault.to_string().into());
    }
    let rows = session.ask(LIST)?;
    let nodes = rows.iter().map(Node::read).collect::<Result<Vec<_>, _>>();
    Ok(table(&nodes.map_err(EngineFailure::from)?))
}

/// A node.
struct Node {
    id: i64,
    name: String,
    address: String,
    version: String,
    silent_ms: i64,
}

impl Node {
    fn read(row: &Row) -> Result<Self, WrongType> {
        Ok(Self {
            id: row.int(0)?,
            name: row.text(1)?.to_owned(),
            address: row.text(2)?.to_owned(),
            version: row.text(3)?.to_owned(),
            silent_ms: row.int(4)?.max(0),
        })
    }
}

fn table(nodes: &[Node]) -> String {
    if nodes.is_empty() {
        return "no node has been here\n".to_owned();
    }
    let width = |text: fn(&Node) -> &str, least: usize| {
        nodes.iter().map(|node| text(node).chars().count()).max().unwrap_or(0).max(least)
    };
    let (name, place) = (width(|node| &node.name, 4), width(|node| &node.address, 7));
    let mut out =
        format!("{:>6}  {:name$}  {:place$}  {:8}  heard of\n", "id", "name", "address", "version");
    for node in nodes {
        let ago = node.silent_ms / 1_000;
        let gone = if node.silent_ms >= SILENT_MS_MAX { ": it counts as gone" } else { "" };
        _ = writeln!(
            out,
            "{:>6}  {:name$}  {:place$}  {:8}  {ago} s ago{gone}",
            node.id, node.name, node.address, node.version
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: i64, name: &str, silent_ms: i64) -> Node {
        let (address, version) = ("10.0.0.1:80".to_owned(), "0.1.0".to_owned());
        Node { id, name: name.to_owned(), address, version, silent_ms }
    }

    #[test]
    fn each_node_is_a_line_and_one_that_is_silent_is_said_to_be_gone() {
        assert_eq!(
            table(&[node(7, "a", 900), node(12, "the second", 12_000)]),
            "    id  name        address      version   heard of\n     \
                  7  a           10.0.0.1:80  0.1.0     0 s ago\n    \
                 12  the second  10.0.0.1:80  0.1.0     12 s ago: it counts as gone\n"
        );
        assert_eq!(table(&[]), "no node has been here\n");
    }
}
