//! The `chinwag` command: everything is in the library.

fn main() {}
