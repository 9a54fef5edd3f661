//! The bot of the READMEs is that of the documentation, which is compiled.

const LIBRARY: &str = include_str!("../src/lib.rs");

#[test]
fn the_bot_in_rust_is_everywhere_the_same() {
    let lines = LIBRARY.lines().skip_while(|line| *line != "//! ```no_run").skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    let bot: Vec<_> = lines.map(|line| line.trim_start_matches("//!")).collect();
    let bot = bot.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>();
    let bot = format!("```rust\n{}\n```\n", bot.join("\n"));
    assert!(bot.lines().count() > 10, "{bot}");
    for readme in [include_str!("../README.md"), include_str!("../../../README.md")] {
        assert!(readme.contains(&bot), "{bot}");
    }
}
