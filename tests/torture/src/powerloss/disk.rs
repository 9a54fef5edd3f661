//! A disk as a loss of power sees it: what is safe, what is still on its way, and in which states
//! that can end.

use std::collections::{BTreeMap, VecDeque};

use chinwag::rng::Rng;

use crate::Outcome;

/// Disks write so many bytes whole, or not at all.
const SECTOR: u64 = 512;
/// Bytes of an entry's header.
const HEADER: usize = 64;

/// One thing that was done to the files, as `scripts/powerloss.d/shim.c` records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Create { file: u64, name: String },
    Write { file: u64, offset: u64, data: Vec<u8> },
    Truncate { file: u64, len: u64 },
    SyncBegin(Synced),
    SyncEnd(Synced),
    Unlink { name: String },
    Rename { from: String, to: String },
}

/// The thing that a sync makes safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Synced {
    File(u64),
    Directory,
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survival {
    Nothing,
    Everything,
    /// What was done first, up to some moment.
    Prefix,
    /// Any sectors, any changes of lengths and names.
    Sectors,
}

impl Survival {
    pub(crate) const ALL: [Self; 4] =
        [Self::Nothing, Self::Sectors, Self::Prefix, Self::Everything];
}

/// Reads the record: each entry with where it ends.
pub(crate) fn parse(record: &[u8]) -> Outcome<Vec<(u64, Entry)>> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some(header) = record.get(at..at + HEADER) {
        let (words, _) = header.as_chunks::<8>();
        let word = |index: usize| words.get(index).map_or(0, |word| u64::from_ne_bytes(*word));
        let len = usize::try_from(word(3))?;
        // The process was killed in the middle of the last one.
        let Some(data) = record.get(at + HEADER..at + HEADER + len) else { break };
        at += HEADER + len;
        entries.push((u64::try_from(at)?, entry(word(0), word(1), word(2), data)?));
    }
    Ok(entries)
}

fn entry(kind: u64, file: u64, offset: u64, data: &[u8]) -> Outcome<Entry> {
    let name = |path: &[u8]| -> Outcome<String> {
        let path = str::from_utf8(path)?;
        Ok(path.rsplit('/').next().unwrap_or(path).to_owned())
    };
    let synced = if offset == 1 { Synced::Directory } else { Synced::File(file) };
    Ok(match kind {
        1 => Entry::Create { file, name: name(data)? },
        2 => Entry::Write { file, offset, data: data.to_vec() },
        3 => Entry::Truncate { file, len: offset },
        4 => Entry::SyncBegin(synced),
        5 => Entry::SyncEnd(synced),
        6 => Entry::Unlink { name: name(data)? },
        7 => {
            let end =
                data.iter().position(|byte| *byte == 0).ok_or("a rename without two names")?;
            let (from, to) = data.split_at(end);
            Entry::Rename { from: name(from)?, to: name(to.get(1..).unwrap_or_default())? }
        }
        kind => return Err(format!("a strange entry: {kind}").into()),
    })
}

/// The files of one directory.
#[derive(Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// Which file has an inode's number: the last one that was made with it.
    numbers: BTreeMap<u64, usize>,
    names: BTreeMap<String, usize>,
    /// Changes of names that were not synced, with when they were made.
    naming: Vec<(usize, Naming)>,
    /// How many of these the syncs of the directory that go on will make safe.
    syncing: VecDeque<usize>,
    /// Entries so far.
    count: usize,
}

#[derive(Default)]
struct File {
    safe: Vec<u8>,
    /// Changes that were not synced, with when they were made.
    changes: Vec<(usize, Change)>,
    syncing: VecDeque<usize>,
}

#[derive(Clone)]
enum Naming {
    Add(String, usize),
    Remove(String),
    Move(String, String),
}

#[derive(Clone)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Truncate(u64),
}

impl Disk {
    /// Does what was done.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Outcome<()> {
        self.count += 1;
        match entry {
            Entry::Create { file, name } => {
                self.numbers.insert(*file, self.files.len());
                self.naming.push((self.count, Naming::Add(name.clone(), self.files.len())));
                self.files.push(File::default());
            }
            Entry::Write { file, offset, data } => {
                let change = Change::Write { offset: *offset, data: data.clone() };
                self.change(*file, change)?;
            }
            Entry::Truncate { file, len } => self.change(*file, Change::Truncate(*len))?,
            Entry::SyncBegin(Synced::File(file)) => {
                let file = self.file(*file)?;
                file.syncing.push_back(file.changes.len());
            }
            Entry::SyncEnd(Synced::File(file)) => self.file(*file)?.synced()?,
            Entry::SyncBegin(Synced::Directory) => self.syncing.push_back(self.naming.len()),
            Entry::SyncEnd(Synced::Directory) => {
                let count = self.syncing.pop_front().ok_or("a sync that did not begin")?;
                for (_, naming) in self.naming.drain(..count.min(self.naming.len())) {
                    rename(&mut self.names, &naming);
                }
                self.syncing.iter_mut().for_each(|later| *later = later.saturating_sub(count));
            }
            Entry::Unlink { name } => {
                self.naming.push((self.count, Naming::Remove(name.clone())));
            }
            Entry::Rename { from, to } => {
                self.naming.push((self.count, Naming::Move(from.clone(), to.clone())));
            }
        }
        Ok(())
    }

    /// The files, by name, as they can be when the power comes back.
    pub(crate) fn image(&self, survival: Survival, rng: &mut Rng) -> BTreeMap<String, Vec<u8>> {
        let times = self.files.iter().filter_map(|file| file.changes.first());
        let first = times.map(|(time, _)| *time).chain(self.naming.first().map(|(time, _)| *time));
        let first = first.min().unwrap_or(self.count);
        let cut = first + rng.index(self.count + 1 - first);
        let mut stays = |time: usize| match survival {
            Survival::Nothing => false,
            Survival::Everything => true,
            Survival::Prefix => time <= cut,
            Survival::Sectors => rng.once_in(2),
        };
        let mut names = self.names.clone();
        for (time, naming) in &self.naming {
            if stays(*time) {
                rename(&mut names, naming);
            }
        }
        let mut image = BTreeMap::new();
        for (name, file) in names {
            let Some(file) = self.files.get(file) else { continue };
            let mut bytes = file.safe.clone();
            let changes = file.changes.iter();
            let pieces = changes.flat_map(|(time, change)| {
                pieces(change, survival).into_iter().map(|piece| (*time, piece))
            });
            for (_, piece) in pieces.filter(|(time, _)| stays(*time)) {
                apply(&mut bytes, &piece);
            }
            image.insert(name, bytes);
        }
        image
    }

    fn change(&mut self, file: u64, change: Change) -> Outcome<()> {
        let count = self.count;
        self.file(file)?.changes.push((count, change));
        Ok(())
    }

    fn file(&mut self, number: u64) -> Outcome<&mut File> {
        let file = self.numbers.get(&number).and_then(|&file| self.files.get_mut(file));
        file.ok_or_else(|| "a file that was never made".into())
    }
}

impl File {
    fn synced(&mut self) -> Outcome<()> {
        let count = self.syncing.pop_front().ok_or("a sync that did not begin")?;
        for (_, change) in self.changes.drain(..count.min(self.changes.len())) {
            apply(&mut self.safe, &change);
        }
        self.syncing.iter_mut().for_each(|later| *later = later.saturating_sub(count));
        Ok(())
    }
}

fn rename(names: &mut BTreeMap<String, usize>, naming: &Naming) {
    match naming {
        Naming::Add(name, file) => drop(names.insert(name.clone(), *file)),
        Naming::Remove(name) => drop(names.remove(name)),
        Naming::Move(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, data } => write(bytes, *offset, data),
        Change::Truncate(len) => bytes.resize(usize::try_from(*len).unwrap_or(usize::MAX), 0),
    }
}

fn write(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(data.len());
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(start..end) {
        place.copy_from_slice(data);
    }
}

/// What of a change is kept or lost by itself: each sector of a write, or all of it.
fn pieces(change: &Change, survival: Survival) -> Vec<Change> {
    let Change::Write { offset, data } = change else { return vec![change.clone()] };
    if survival != Survival::Sectors {
        return vec![change.clone()];
    }
    let (mut pieces, mut rest, mut offset) = (Vec::new(), data.as_slice(), *offset);
    while !rest.is_empty() {
        let room = usize::try_from(SECTOR - offset % SECTOR).unwrap_or(1);
        let (piece, behind) = rest.split_at(room.min(rest.len()));
        pieces.push(Change::Write { offset, data: piece.to_vec() });
        offset += u64::try_from(piece.len()).unwrap_or(0);
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: u64 = 7;

    fn written(offset: u64, byte: u8, len: usize) -> Entry {
        Entry::Write { file: FILE, offset, data: vec![byte; len] }
    }

    /// A file whose name and first 600 bytes are safe, and on whose way are 600 more.
    fn disk(more: &[Entry]) -> Disk {
        let mut disk = Disk::default();
        let create = Entry::Create { file: FILE, name: "a".to_owned() };
        let file = [
            create,
            written(0, 1, 600),
            Entry::SyncBegin(Synced::File(FILE)),
            Entry::SyncBegin(Synced::Directory),
            written(600, 2, 600),
            Entry::SyncEnd(Synced::Directory),
            Entry::SyncEnd(Synced::File(FILE)),
        ];
        for entry in file.iter().chain(more) {
            disk.apply(entry).unwrap();
        }
        disk
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_not() {
        let (disk, mut rng) = (disk(&[]), Rng::new(1));
        assert_eq!(disk.image(Survival::Nothing, &mut rng)["a"], vec![1; 600]);
        let all = [vec![1; 600], vec![2; 600]].concat();
        assert_eq!(disk.image(Survival::Everything, &mut rng)["a"], all);
        let mut lengths = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let image = disk.image(Survival::Sectors, &mut rng);
            assert_eq!(image["a"][..600], vec![1; 600]);
            lengths.insert(image["a"].len());
        }
        // The rest of the second sector, the third, both or none.
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [600, 1024, 1200]);
    }

    #[test]
    fn a_name_that_was_not_synced_may_be_there_or_not() {
        let later = [
            Entry::Create { file: 8, name: "b".to_owned() },
            Entry::Unlink { name: "a".to_owned() },
        ];
        let (disk, mut rng) = (disk(&later), Rng::new(1));
        let names = |image: BTreeMap<String, Vec<u8>>| image.into_keys().collect::<Vec<_>>();
        assert_eq!(names(disk.image(Survival::Nothing, &mut rng)), ["a"]);
        assert_eq!(names(disk.image(Survival::Everything, &mut rng)), ["b"]);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            seen.insert(names(disk.image(Survival::Sectors, &mut rng)));
        }
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn a_prefix_never_has_the_later_without_the_earlier() {
        let later: Vec<_> = (0..50).map(|n| written(2000 + n, 9, 1)).collect();
        let (disk, mut rng) = (disk(&later), Rng::new(1));
        for _ in 0..100 {
            let image = disk.image(Survival::Prefix, &mut rng);
            let tail = image["a"].get(2000..).unwrap_or_default();
            assert!(tail.iter().all(|byte| *byte == 9));
        }
    }

    #[test]
    fn the_record_is_read_up_to_where_it_is_torn() {
        let words = |words: [u64; 8]| words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let create: Vec<u8> = words([1, FILE, 0, 4, 0, 0, 0, 0]);
        let sync: Vec<u8> = words([4, FILE, 1, 0, 0, 0, 0, 0]);
        let record = [&create[..], b"/x/a", &sync, &create[..30]].concat();
        let expect = [
            (68, Entry::Create { file: FILE, name: "a".to_owned() }),
            (132, Entry::SyncBegin(Synced::Directory)),
        ];
        assert_eq!(parse(&record).unwrap(), expect);
    }
}
