//! Cycles between the children of a module, and the direction inside those that have rooms.
//!
//! The children of a module are its files and folders. If two of them name each other, directly or
//! through others, none of them can be read, tested or replaced alone. The module's own file is no
//! part of this: it names all of its children, and they may use what it declares.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::rules::{Finding, Rule, finding_at};
use crate::source::{NamedPath, Source, paths};

/// The path of a module from the crate's root.
type Module = Vec<String>;

/// That one child of a module names another, and where.
#[derive(Debug)]
struct Arrow {
    from: String,
    to: String,
    path: String,
    line: usize,
}

/// Every cycle between the children of one module. One of as many children as `allowed` says for
/// the module's folder is no finding.
pub(crate) fn check_cycles(sources: &[Source], allowed: impl Fn(&str) -> usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, arrows) in arrows_by_folder(sources) {
        for members in knots(&arrows) {
            if members.len() > allowed(&folder) {
                findings.push(cycle_finding(&folder, &members, &arrows));
            }
        }
    }
    findings
}

/// Every path from one room of `module` to another that its row in `rooms` does not allow, and
/// every file that is in no room. The module's own file stands above all of them.
pub(crate) fn check_rooms(
    sources: &[Source],
    module: &str,
    rooms: &[(&str, &[&str])],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let modules = product_modules(sources, "src/");
    for source in sources {
        let me = source.module();
        let [first, room, ..] = me[..] else { continue };
        if first != module || source.is_test_only() || !source.is_product() {
            continue;
        }
        let Some((_, allowed)) = rooms.iter().find(|(name, _)| *name == room) else {
            let what = format!("`{room}` is in no room of `{module}`");
            findings.push(finding_at(Rule::Room, &source.path, 1, what));
            continue;
        };
        for path in paths(&source.product) {
            let Some(target) = resolve(&me, &path, &modules) else { continue };
            let [top, used, ..] = &target[..] else { continue };
            if top == module && used != room && !allowed.contains(&used.as_str()) {
                let line = Source::line(&source.product, path.at);
                let what = format!("the room `{room}` must not know `{used}`");
                findings.push(finding_at(Rule::Room, &source.path, line, what));
            }
        }
    }
    findings
}

fn cycle_finding(parent: &str, members: &BTreeSet<&str>, arrows: &[Arrow]) -> Finding {
    let inside: Vec<_> = arrows
        .iter()
        .filter(|arrow| members.contains(&*arrow.from) && members.contains(&*arrow.to))
        .collect();
    let mut what = format!("a cycle between {} children of `{parent}`:", members.len());
    for arrow in &inside {
        let Arrow { from, to, path, line } = arrow;
        _ = write!(what, "\n    {from} names {to} ({path}:{line})");
    }
    let (path, line) = inside.first().map_or(("src", 1), |arrow| (&*arrow.path, arrow.line));
    finding_at(Rule::Cycle, path, line, what)
}

/// The modules of the crate at `root`.
fn product_modules(sources: &[Source], root: &str) -> BTreeSet<Module> {
    let product = sources.iter().filter(|source| source.root() == root && !source.is_test_only());
    product.map(|source| source.module().iter().map(|name| (*name).to_owned()).collect()).collect()
}

/// What the children of each module name of each other, by the folder of the module.
fn arrows_by_folder(sources: &[Source]) -> BTreeMap<String, Vec<Arrow>> {
    let roots: BTreeSet<_> = sources.iter().map(Source::root).filter(|it| !it.is_empty()).collect();
    let mut by_folder: BTreeMap<String, Vec<Arrow>> = BTreeMap::new();
    for root in roots {
        let modules = product_modules(sources, root);
        for source in sources.iter().filter(|source| source.root() == root) {
            let me = source.module();
            for path in paths(&source.product) {
                let Some(target) = resolve(&me, &path, &modules) else { continue };
                let shared = me.iter().zip(&target).take_while(|(mine, its)| mine == its).count();
                // Without both of them, one module is the parent of the other.
                let (Some(from), Some(to)) = (me.get(shared), target.get(shared)) else { continue };
                let folder = root.to_owned() + &me[..shared].join("/");
                by_folder.entry(folder).or_default().push(Arrow {
                    from: (*from).to_owned(),
                    to: to.clone(),
                    path: source.path.clone(),
                    line: Source::line(&source.product, path.at),
                });
            }
        }
    }
    by_folder
}

/// The module that `path` leads to as it stands in `me`, `None` if it begins at no module of the
/// crate.
fn resolve(me: &[&str], path: &NamedPath, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut rest = &path.names[..];
    let mut target: Module = match rest.first()?.as_str() {
        "crate" => Vec::new(),
        "super" | "self" => me.iter().map(|name| (*name).to_owned()).collect(),
        _ => return None,
    };
    while let Some((name, others)) = rest.split_first() {
        match name.as_str() {
            "super" => drop(target.pop()),
            "crate" | "self" => {}
            name => {
                target.push(name.to_owned());
                // A folder is a module though its own file may not be among the sources.
                if !modules.iter().any(|module| module.starts_with(&target)) {
                    target.pop();
                    break;
                }
            }
        }
        rest = others;
    }
    Some(target)
}

/// The sets of children that name each other in a circle.
fn knots(arrows: &[Arrow]) -> Vec<BTreeSet<&str>> {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        named.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        named.keys().map(|from| (*from, reachable(from, &named))).collect();
    let mut found = BTreeSet::new();
    for (from, targets) in &reached {
        let circle: BTreeSet<_> = targets
            .iter()
            .copied()
            .filter(|to| reached.get(to).is_some_and(|back| back.contains(from)))
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// Everything that can be reached from `from` by at least one arrow.
fn reachable<'a>(from: &str, named: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&str> = named.get(from).into_iter().flatten().copied().collect();
    while let Some(next) = left.pop() {
        if reached.insert(next) {
            left.extend(named.get(next).into_iter().flatten());
        }
    }
    reached
}
