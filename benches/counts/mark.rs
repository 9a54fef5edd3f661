//! What callgrind is told by the names of functions: where a count begins and ends, and what is
//! left out.

use std::hint::black_box;

/// What [`boundary`] is called in callgrind's arguments.
pub(crate) const BOUNDARY: &str = "*count_boundary*";
/// What [`aside`] is called there.
pub(crate) const ASIDE: &str = "*count_aside*";

/// Ends one count and begins the next: callgrind writes down and resets its counters when it is
/// entered.
pub(crate) fn boundary() {
    count_boundary();
}

/// Does something that is not counted. Not to be nested.
pub(crate) fn aside(mut work: impl FnMut()) {
    count_aside(&mut work);
}

#[inline(never)]
fn count_boundary() {
    black_box(());
}

#[inline(never)]
fn count_aside(work: &mut dyn FnMut()) {
    work();
    // Not the last thing that it does, so that it is a call from here and not a jump.
    black_box(());
}

/// Announces each count to the process that runs callgrind, in the order in which they are dumped.
#[derive(Debug)]
pub(crate) struct Counter {
    only: Option<String>,
}

impl Counter {
    /// Counts only what has `only` in its name.
    pub(crate) const fn new(only: Option<String>) -> Self {
        Self { only }
    }

    /// Whether anything of this name is to be counted, so that its preparation pays.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// Runs `work` once to warm up and once counted; each run does so many `operations`.
    pub(crate) fn count(&self, name: &str, operations: usize, mut work: impl FnMut()) {
        if !self.wants(name) {
            return;
        }
        work();
        boundary();
        work();
        boundary();
        Self::announce(name, operations);
    }

    /// Says what was counted between the last two boundaries.
    #[expect(clippy::print_stdout, reason = "this is how the two processes talk")]
    pub(crate) fn announce(name: &str, operations: usize) {
        println!("{operations}\t{name}");
    }
}
