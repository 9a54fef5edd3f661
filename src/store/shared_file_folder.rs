//! Whether a folder of files is the one that the other nodes have.
//!
//! ```text
//!  DIR/mark         which chat's folder it is: the same as in the engine
//!  DIR/probes/…     what each node has written last: the others read it
//! ```
//!
//! The mark tells the folder from any other one, and what the first of the nodes has just written
//! tells it from a copy. A node that finds either missing takes no files, and says why.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::file_folder::is_old;
use crate::chat::model::file_rows::{FolderProbe, SharedFolder};

/// The file with the mark.
const MARK: &str = "mark";
/// The folder of what nodes write.
const PROBES: &str = "probes";
/// Digits of a mark, and of what a node writes.
const DIGITS: usize = 32;

/// Why a folder is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderFault {
    /// It was not compared yet.
    Untried,
    /// It cannot be read or written.
    Unusable(String),
    /// It has no mark, and the folder of the others has this one.
    NoMark(Box<str>),
    /// It has another mark than the folder of the others.
    OtherMark(Box<str>),
    /// What this node has written is not in it.
    Unseen(Box<str>),
}

/// In a sentence, with what to change.
impl fmt::Display for FolderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = "mount the same share as [files] dir on every node";
        match self {
            Self::Untried => {
                f.write_str("the folder was not compared with those of the others yet")
            }
            Self::Unusable(why) => {
                write!(
                    f,
                    "the folder cannot be used: {why}: {advice}, where this program may write"
                )
            }
            Self::NoMark(mark) => write!(
                f,
                "the folder is not the one that the other nodes share, which has the mark {mark}: \
                 {advice}"
            ),
            Self::OtherMark(mark) => write!(
                f,
                "the folder is another one than that of the other nodes, which has the mark \
                 {mark}: {advice}"
            ),
            Self::Unseen(node) => write!(
                f,
                "the folder has the mark, and not what {node} has just written into it: {advice}"
            ),
        }
    }
}

/// A folder, while it is compared again and again.
#[derive(Debug)]
pub struct FolderCheck {
    path: PathBuf,
    /// What was written last.
    nonce: Option<String>,
    /// What was written since, which the engine may not know.
    unsaid: Option<String>,
}

/// Who is asked what the engine knows of the folder, and told what this node has found.
pub type AskFolder<'a> = dyn FnMut(FolderProbe) -> Result<SharedFolder, String> + 'a;

impl FolderCheck {
    /// Of the folder that is here.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, nonce: None, unsaid: None }
    }

    /// Compares it with those of the other nodes. `was` is what was found before.
    ///
    /// # Errors
    ///
    /// What `ask` says: then nothing is known.
    pub fn look(
        &mut self,
        was: Option<&FolderFault>,
        ask: &mut AskFolder<'_>,
    ) -> Result<Option<FolderFault>, String> {
        let written = self.unsaid.take().map_or_else(|| self.write(), Ok);
        let nonce = match written {
            Ok(nonce) => nonce,
            Err(error) => {
                let fault = FolderFault::Unusable(error.to_string());
                if was != Some(&fault) {
                    ask(probe("", None, Some(&fault)))?;
                }
                return Ok(Some(fault));
            }
        };
        let looked = match self.compare(&nonce, was, ask) {
            Ok(looked) => looked,
            Err(why) => {
                self.unsaid = Some(nonce);
                return Err(why);
            }
        };
        // Only now: by the one before, others may just be looking for this node.
        if let Some(last) = self.nonce.replace(nonce) {
            self.remove(&last);
        }
        Ok(looked)
    }

    fn compare(
        &self,
        nonce: &str,
        was: Option<&FolderFault>,
        ask: &mut AskFolder<'_>,
    ) -> Result<Option<FolderFault>, String> {
        let unusable = |error: io::Error| FolderFault::Unusable(error.to_string());
        let mut mark = read(&self.path.join(MARK));
        let mut told = ask(probe(nonce, found(&mark), was))?;
        // No node has put a mark there yet: this one does, and asks whether it is seen.
        if let (Ok(None), None) = (&mark, &told.mark) {
            mark = self.make_mark(nonce);
            told = ask(probe(nonce, found(&mark), was))?;
        }
        let fault = match (mark, &told.mark) {
            (Err(error), _) => Some(unusable(error)),
            (Ok(Some(here)), Some(mark)) if here == **mark => {
                self.unseen(&told, nonce, was, ask)?
            }
            (Ok(Some(_)), Some(mark)) => Some(FolderFault::OtherMark(mark.clone())),
            (Ok(_), mark) => Some(FolderFault::NoMark(mark.clone().unwrap_or_default())),
        };
        if fault.as_ref() != was {
            ask(probe(nonce, told.mark.as_deref(), fault.as_ref()))?;
        }
        Ok(fault)
    }

    /// Whether what the first of the nodes has written is not here.
    fn unseen(
        &self,
        told: &SharedFolder,
        nonce: &str,
        was: Option<&FolderFault>,
        ask: &mut AskFolder<'_>,
    ) -> Result<Option<FolderFault>, String> {
        if self.first_unseen(told).is_none() {
            return Ok(None);
        }
        // It may have written something else meanwhile.
        let told = ask(probe(nonce, told.mark.as_deref(), was))?;
        Ok(self.first_unseen(&told).map(|node| FolderFault::Unseen(node.into())))
    }

    fn first_unseen<'a>(&self, told: &'a SharedFolder) -> Option<&'a str> {
        let first = told.nodes.iter().find(|node| node.fault.is_none())?;
        let path = self.path.join(PROBES).join(&*first.nonce);
        (!first.is_own && !matches!(read(&path), Ok(Some(_)))).then_some(&first.name)
    }

    /// Writes something that nobody could have here otherwise: its name.
    fn write(&self) -> io::Result<String> {
        let nonce = random()?;
        let probes = self.path.join(PROBES);
        // Not the folder itself: what is not mounted is not made up.
        match DirBuilder::new().mode(0o700).create(&probes) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if self.nonce.is_none() {
            remove_old(&probes)?;
        }
        put(&probes.join(&nonce), &nonce)?;
        Ok(nonce)
    }

    fn remove(&self, nonce: &str) {
        // Of what stays, one small file, nobody is told any more.
        _ = fs::remove_file(self.path.join(PROBES).join(nonce));
    }

    /// The first node marks the folder; the mark that is in it then.
    fn make_mark(&self, nonce: &str) -> io::Result<Option<String>> {
        let (new, place) = (self.path.join(format!("{MARK}-{nonce}")), self.path.join(MARK));
        put(&new, &random()?)?;
        // It appears as a whole, and never in place of another.
        if let Err(error) = fs::hard_link(&new, &place)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            fs::rename(&new, &place)?;
        }
        _ = fs::remove_file(&new);
        File::open(&self.path)?.sync_all()?;
        read(&place)
    }
}

impl Drop for FolderCheck {
    fn drop(&mut self) {
        for nonce in self.nonce.iter().chain(&self.unsaid) {
            self.remove(nonce);
        }
    }
}

/// Removes what nodes have left that did not end in good order.
fn remove_old(probes: &Path) -> io::Result<()> {
    for entry in fs::read_dir(probes)? {
        let path = entry?.path();
        if is_old(&path) {
            // Another node may be doing the same.
            _ = fs::remove_file(path);
        }
    }
    Ok(())
}

/// The mark, if there is one that can be read.
fn found(mark: &io::Result<Option<String>>) -> Option<&str> {
    mark.as_ref().ok()?.as_deref()
}

fn probe(nonce: &str, mark: Option<&str>, fault: Option<&FolderFault>) -> FolderProbe {
    let fault = fault.map(|fault| fault.to_string().into());
    FolderProbe { nonce: nonce.into(), mark: mark.map(Into::into), fault }
}

fn random() -> io::Result<String> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bits)))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The digits in this file; `None` if it is not there.
fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let (mut text, most) = (String::new(), u64::try_from(DIGITS).unwrap_or(0) + 1);
    file.take(most).read_to_string(&mut text)?;
    let digits = text.trim_end();
    if digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(digits.to_owned()));
    }
    let what = format!("{} has not {DIGITS} hexadecimal digits", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidData, what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::file_rows::FolderNode;

    /// What an engine does with what nodes tell it.
    #[derive(Default)]
    struct Engine {
        mark: Option<Box<str>>,
        nodes: Vec<(usize, FolderProbe)>,
    }

    impl Engine {
        fn take(&mut self, own: usize, probe: FolderProbe) -> SharedFolder {
            self.mark = self.mark.take().or_else(|| probe.mark.clone());
            self.nodes.retain(|(node, _)| *node != own);
            self.nodes.push((own, probe));
            self.nodes.sort_by_key(|(node, _)| *node);
            let nodes = self.nodes.iter().map(|(node, probe)| FolderNode {
                name: format!("node{node}").into(),
                nonce: probe.nonce.clone(),
                fault: probe.fault.clone(),
                is_own: *node == own,
            });
            SharedFolder { mark: self.mark.clone(), nodes: nodes.collect() }
        }
    }

    /// A node looks at its folder, as often as it takes until nothing changes.
    fn look(engine: &mut Engine, own: usize, check: &mut FolderCheck) -> Option<FolderFault> {
        let mut was = Some(FolderFault::Untried);
        loop {
            let found = check.look(was.as_ref(), &mut |probe| Ok(engine.take(own, probe)));
            let found = found.unwrap();
            if found == was {
                return found;
            }
            was = found;
        }
    }

    fn probes(path: &Path) -> usize {
        fs::read_dir(path.join(PROBES)).unwrap().count()
    }

    #[test]
    fn nodes_with_one_folder_find_each_other_and_leave_one_probe_each() {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = Engine::default();
        let mut checks: Vec<_> =
            (0..3).map(|_| FolderCheck::new(folder.path().to_owned())).collect();
        for _ in 0..3 {
            for (own, check) in checks.iter_mut().enumerate() {
                assert_eq!(look(&mut engine, own, check), None, "{own}");
            }
        }
        assert_eq!(probes(folder.path()), 3);
        drop(checks);
        assert_eq!(probes(folder.path()), 0);
    }

    #[test]
    fn a_node_with_another_folder_is_told_so_and_the_others_go_on() {
        let (shared, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let check = |folder: &tempfile::TempDir| FolderCheck::new(folder.path().to_owned());
        let mut engine = Engine::default();
        // The one whose folder is another has the first number.
        let (mut strange, mut one, mut two) = (check(&other), check(&shared), check(&shared));
        assert_eq!(look(&mut engine, 1, &mut one), None);
        let mark = engine.mark.clone().unwrap();
        for _ in 0..2 {
            let found = look(&mut engine, 0, &mut strange);
            assert_eq!(found, Some(FolderFault::NoMark(mark.clone())));
            assert_eq!(look(&mut engine, 1, &mut one), None);
            assert_eq!(look(&mut engine, 2, &mut two), None);
        }
        // As it would be of another chat, and then as a copy of the others' folder.
        fs::write(other.path().join(MARK), "0".repeat(DIGITS)).unwrap();
        let found = look(&mut engine, 0, &mut strange);
        assert_eq!(found, Some(FolderFault::OtherMark(mark)));
        fs::copy(shared.path().join(MARK), other.path().join(MARK)).unwrap();
        let found = look(&mut engine, 0, &mut strange);
        assert_eq!(found, Some(FolderFault::Unseen("node1".into())));
        assert_eq!(look(&mut engine, 2, &mut two), None);
    }

    #[test]
    fn a_folder_that_cannot_be_written_and_a_mark_that_is_none_are_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut engine = Engine::default();
        let found = look(&mut engine, 1, &mut FolderCheck::new(file)).unwrap();
        assert!(matches!(found, FolderFault::Unusable(_)), "{found}");
        fs::write(folder.path().join(MARK), "half").unwrap();
        let found = look(&mut engine, 1, &mut FolderCheck::new(folder.path().to_owned())).unwrap();
        assert!(found.to_string().contains("has not 32 hexadecimal digits"), "{found}");
        assert_eq!(engine.mark, None);
    }

    #[test]
    fn what_a_node_that_was_killed_has_left_goes_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(PROBES)).unwrap();
        let left = |name: &str| File::create(folder.path().join(PROBES).join(name)).unwrap();
        let (old, _young) = (left("old"), left("young"));
        let day = std::time::Duration::from_hours(25);
        old.set_modified(old.metadata().unwrap().modified().unwrap() - day).unwrap();
        let mut check = FolderCheck::new(folder.path().to_owned());
        assert_eq!(look(&mut Engine::default(), 1, &mut check), None);
        assert!(!folder.path().join(PROBES).join("old").exists());
        assert_eq!(probes(folder.path()), 2);
    }

    #[test]
    fn an_engine_that_says_nothing_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut check = FolderCheck::new(folder.path().to_owned());
        for _ in 0..3 {
            let said = check.look(None, &mut |_| Err("it is away".to_owned()));
            assert_eq!(said, Err("it is away".to_owned()));
        }
        assert_eq!(probes(folder.path()), 1);
        assert!(!folder.path().join(MARK).exists());
    }
}
