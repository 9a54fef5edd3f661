//! What somebody may have meant by a word that the command line does not know.

use clap::error::{ContextKind, ContextValue};

/// Words that other programs have for what is done in another way here.
const WORDS: &[(&[&str], &str)] = &[
    (&["stop", "quit", "kill", "shutdown", "restart"], "a server ends on Ctrl-C or SIGTERM"),
    (
        &["status", "health", "ping", "info", "stats", "metrics"],
        "a running server answers at its admin address: curl http://127.0.0.1:9091/healthz, or /metrics",
    ),
    (
        &["init", "setup", "config", "install"],
        "nothing has to be set up: chinwag serves; chinwag check --defaults prints all settings",
    ),
    (&["version"], "write --version"),
    (
        &["reload"],
        "a running server reads its settings again at SIGHUP: kill -HUP PID, or systemctl reload chinwag",
    ),
    (&["kick", "mute"], "this is done in the chat; chinwag ban keeps a user out of the server"),
    (&["import", "load"], "chinwag restore FILE puts a backup in the place of the database"),
    (
        &["dump", "save"],
        "chinwag backup FILE copies the database, chinwag export ROOM prints a room, and chinwag export --user NAME what is kept of somebody",
    ),
    (&["--port", "-p", "--host", "--bind", "--addr", "--address"], "write --listen 127.0.0.1:8080"),
    (&["--db", "--database", "--dir", "-d"], "write --data DIR"),
    (&["-c", "--conf", "--configuration"], "write --config FILE"),
    (
        &["-v", "--verbose", "--debug", "--log-level", "--quiet", "-q"],
        "how much is logged is the setting log_level, such as CHINWAG_LOG_LEVEL=debug; the version is --version",
    ),
];

/// What is printed instead of `error` where it is known what was meant: a guess by the spelling
/// alone, such as "restore" for "stop", would only harm there.
pub(super) fn explain(error: &clap::Error) -> Option<String> {
    let kinds = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg];
    let found = kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(word) => Some(word.as_str()),
        _ => None,
    })?;
    let word = found.split(['=', ' ']).next().unwrap_or(found);
    let hint = hint(word)?;
    let what = error.to_string();
    let what = what.lines().next().unwrap_or_default();
    Some(format!("{what}\n\n  hint: {hint}\n\nFor more information, try '--help'.\n"))
}

fn hint(word: &str) -> Option<String> {
    if word.strip_suffix(".toml").is_some() {
        return Some(format!("a file of settings is given with --config {word}"));
    }
    if matches!(word, "bench" | "benchmark") {
        return bench();
    }
    let (_, hint) = WORDS.iter().find(|(words, _)| words.contains(&word))?;
    Some((*hint).to_owned())
}

/// The load generator is named only where it is: not everybody who has a server has built it.
fn bench() -> Option<String> {
    let program = std::env::current_exe().ok()?.with_file_name("chinwag-bench");
    let what = "the load generator is a program of its own";
    program.is_file().then(|| format!("{what}: {} --help", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_listed_twice() {
        let mut words: Vec<_> = WORDS.iter().flat_map(|(words, _)| *words).collect();
        words.sort_unstable();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count, "{words:?}");
    }

    #[test]
    fn a_file_of_settings_is_recognised() {
        assert_eq!(hint("a.toml").unwrap(), "a file of settings is given with --config a.toml");
        assert_eq!(hint("xyzzy"), None);
    }
}
