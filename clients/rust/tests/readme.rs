//! The bot of the README is that of the documentation, which is compiled.

const LIBRARY: &str = include_str!("../src/lib.rs");

#[test]
fn the_bot_of_the_readme_is_that_of_the_documentation() {
    let lines = LIBRARY.lines().skip_while(|line| *line != "//! ```no_run").skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    let bot: Vec<_> = lines.map(|line| line.trim_start_matches("//!")).collect();
    let bot = bot.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>();
    let bot = format!("```rust\n{}\n```\n", bot.join("\n"));
    assert!(bot.lines().count() > 10, "{bot}");
    assert!(include_str!("../README.md").contains(&bot), "{bot}");
}
