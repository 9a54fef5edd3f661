//! Scripts, and the document of the page, as they are sent to who takes them compressed: without
//! their comments, which are a fifth of the page, and their indentation. Both are for whoever reads
//! the source.

/// The text without indentation, and without the lines that are comments and nothing else. They
/// stay as empty lines, so that an error names the line that it has in the source.
///
/// No script has a literal over several lines, in which a line could look like a comment; a test
/// holds that.
pub(super) fn without(script: &str) -> String {
    let mut short = String::with_capacity(script.len());
    let mut is_inside = false;
    for line in script.split_inclusive('\n') {
        let text = line.trim();
        let begins = !is_inside && text.starts_with("/**");
        if is_inside || begins {
            is_inside = !text.ends_with("*/");
            short.push('\n');
        } else if text.starts_with("//") {
            short.push('\n');
        } else {
            short.push_str(line.trim_start_matches('\t'));
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_on_lines_of_their_own_and_indentation_go_and_everything_else_stays_on_its_line() {
        for (script, expect) in [
            ("/** What. */\nconst a = 1;\n", "\nconst a = 1;\n"),
            ("/**\n * What.\n */\nf();\n", "\n\n\nf();\n"),
            ("\t// why\n\tf(); // not alone\n", "\nf(); // not alone\n"),
            ("const url = \"https://a\";\n", "const url = \"https://a\";\n"),
            ("a /** b */\nc\n", "a /** b */\nc\n"),
            ("/** a\n// b */\nc", "\n\nc"),
        ] {
            assert_eq!(without(script), expect, "{script}");
        }
    }
}
