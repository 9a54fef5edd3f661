//! `powerloss`: every state in which a loss of power could leave the store is opened, and what was
//! acknowledged before is looked for.

mod disk;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::rng::Rng;
use rusqlite::{Connection, OpenFlags};

use crate::Outcome;
use crate::client::{Behaviour, Client, room_name};
use crate::clients::{Clients, Size};
use crate::final_checks::BACK_WITHIN;
use crate::observed::{Ack, Mark, user_name};
use crate::prober::Prober;
use crate::server::Setup;
use disk::{Disk, Entry, Survival, parse};

const SIZE: Size = Size { clients: 12, users: 12, rooms: 3, rooms_each: 1 };
const BEHAVIOUR: Behaviour = Behaviour { window: 4, text_bytes: 400, change_once_in: 0 };
/// One in so many images is also given to `chinwag verify`, and to the server.
const VERIFIED_ONCE_IN: usize = 20;
const SERVED_ONCE_IN: usize = 60;
/// Violations that are shown.
const SHOWN_MAX: usize = 5;

/// What the run is about.
pub(crate) struct Plan<'a> {
    pub(crate) binary: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) config: &'a str,
    pub(crate) shim: &'a str,
    pub(crate) images: usize,
    pub(crate) seed: u64,
    /// The level does not promise it: something must be lost, or the test proves nothing.
    pub(crate) must_fail: bool,
}

/// Records a run, builds the images, opens each.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome<()> {
    let record = plan.folder.join("record");
    let acks = load(plan, &record)?;
    let entries = parse(&fs::read(&record)?)?;
    let syncs = entries.iter().filter(|(_, entry)| matches!(entry, Entry::SyncEnd(_))).count();
    println!(
        "  {} sends acknowledged; {} writes and changes of names, {syncs} syncs",
        acks.len(),
        entries.len() - 2 * syncs
    );
    if acks.is_empty() || entries.is_empty() {
        return Err("nothing was recorded: is the shim loaded?".into());
    }
    let broken = check_images(plan, &entries, &acks)?;
    for what in broken.iter().take(SHOWN_MAX) {
        println!("  {what}");
    }
    println!(
        "  {} images, {} of them without something that was acknowledged, or broken",
        plan.images,
        broken.len()
    );
    match (plan.must_fail, broken.is_empty()) {
        (false, true) => Ok(()),
        (false, false) => Err("a loss of power can lose what was acknowledged".into()),
        (true, false) => {
            println!("  as it must be at this level: the test can fail");
            Ok(())
        }
        (true, true) => Err("nothing was lost without syncs: this test proves nothing".into()),
    }
}

/// Clients talk to a server whose writes are recorded; it is killed once, and started again.
fn load(plan: &Plan<'_>, record: &Path) -> Outcome<Vec<Ack>> {
    let mut setup = Setup::new(plan.folder, plan.binary, plan.config)?;
    fs::create_dir_all(&setup.data)?;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let shim = path(&fs::canonicalize(plan.shim)?);
    setup.environment = vec![
        ("LD_PRELOAD".to_owned(), shim),
        ("POWERLOSS_DIR".to_owned(), path(&fs::canonicalize(&setup.data)?)),
        ("POWERLOSS_LOG".to_owned(), path(record)),
    ];
    let mut clients = Clients::new(SIZE, BEHAVIOUR, plan.seed)?;
    clients.context.record = Some(record.to_owned());
    // The more images, the longer the record that they are taken from, up to a bound.
    let load = Duration::from_millis(300 + u64::try_from(plan.images)?.min(2700));
    for is_last in [false, true] {
        let mut server = setup.start_well()?;
        clients.set_addresses(server.http, server.tcp);
        clients.until(Instant::now() + BACK_WITHIN, "back", Client::is_here)?;
        clients.run_until(Instant::now() + load)?;
        if is_last {
            clients.may_send_new = false;
            let deadline = Instant::now() + BACK_WITHIN;
            clients.until(deadline, "answered", |client| client.unanswered() == 0)?;
            clients.disconnect_all()?;
            server.stop()?;
        } else {
            server.kill()?;
            clients.disconnect_all()?;
        }
    }
    setup.assert_no_panic()?;
    Ok(std::mem::take(&mut clients.context.observed.acks))
}

/// Goes through the record once; says which images are not as they must be.
fn check_images(plan: &Plan<'_>, entries: &[(u64, Entry)], acks: &[Ack]) -> Outcome<Vec<String>> {
    let mut rng = Rng::new(plan.seed);
    let mut points = points(entries, plan.images, &mut rng);
    points.sort_unstable();
    let mut points = points.into_iter().peekable();
    let (mut disk, mut broken, mut number) = (Disk::default(), Vec::new(), 0);
    let folder = plan.folder.join("image");
    for (index, (end, entry)) in entries.iter().enumerate() {
        disk.apply(entry)?;
        while points.next_if_eq(&index).is_some() {
            let survival = Survival::ALL[number % Survival::ALL.len()];
            let recent = acks.iter().take_while(|ack| ack.stamp <= *end).collect::<Vec<_>>();
            write(&folder, &disk.image(survival, &mut rng))?;
            let found = check(&folder, &recent)
                .and_then(|()| check_by_server(plan, number, &folder, &recent));
            if let Err(error) = found {
                broken.push(format!("behind entry {index}, {survival:?}: {error}"));
            }
            number += 1;
        }
    }
    Ok(broken)
}

/// Where power is lost: half of the times around syncs, otherwise anywhere.
fn points(entries: &[(u64, Entry)], count: usize, rng: &mut Rng) -> Vec<usize> {
    let around_syncs: Vec<_> = (0..entries.len())
        .filter(|&index| {
            let is_sync = |at: usize| {
                let entry = entries.get(at).map(|(_, entry)| entry);
                matches!(entry, Some(Entry::SyncBegin(_) | Entry::SyncEnd(_)))
            };
            is_sync(index) || is_sync(index + 1)
        })
        .collect();
    let mut any = |number: usize| {
        if number.is_multiple_of(2) && !around_syncs.is_empty() {
            around_syncs[rng.index(around_syncs.len())]
        } else {
            rng.index(entries.len())
        }
    };
    (0..count).map(&mut any).collect()
}

fn write(folder: &Path, image: &BTreeMap<String, Vec<u8>>) -> Outcome<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for (name, bytes) in image {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// The database opens, is whole, and has what was acknowledged.
fn check(folder: &Path, recent: &[&Ack]) -> Outcome<()> {
    let path = folder.join("chinwag.db");
    if !path.exists() {
        return if recent.is_empty() { Ok(()) } else { Err("the database is gone".into()) };
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(&path, flags)?;
    let state: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if state != "ok" {
        return Err(format!("integrity_check: {state}").into());
    }
    if recent.is_empty() {
        return Ok(());
    }
    let mut kept = BTreeMap::new();
    let sql = "SELECT room.name, record.seq, record.text FROM record JOIN room ON room.id = record.room WHERE kind = 0";
    let mut statement = database.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (room, seq, text): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        kept.insert((room, u64::try_from(seq)?), Mark::of(&text));
    }
    look(recent, |room, seq| kept.get(&(room_name(room), seq)).copied().flatten())
}

/// Every acknowledged message is there.
fn look(recent: &[&Ack], kept: impl Fn(usize, u64) -> Option<Mark>) -> Outcome<()> {
    let gone = |ack: &&&Ack| kept(ack.room, ack.seq) != Some(ack.mark);
    let count = recent.iter().filter(gone).count();
    let Some(first) = recent.iter().find(gone) else { return Ok(()) };
    let (cid, seq, all) = (first.mark.cid(), first.seq, recent.len());
    Err(format!("{count} of {all} acknowledged are gone, such as {cid}, seq {seq}").into())
}

/// Now and then the product itself looks at the image.
fn check_by_server(plan: &Plan<'_>, number: usize, folder: &Path, recent: &[&Ack]) -> Outcome<()> {
    if plan.must_fail || recent.is_empty() {
        return Ok(());
    }
    let mut setup = Setup::new(plan.folder, plan.binary, plan.config)?;
    folder.clone_into(&mut setup.data);
    if number.is_multiple_of(VERIFIED_ONCE_IN) {
        setup.verify()?;
    }
    if number % SERVED_ONCE_IN == 1 {
        let mut server = setup.start_well()?;
        for room in 0..SIZE.rooms {
            let mine: Vec<_> = recent.iter().filter(|ack| ack.room == room).copied().collect();
            let Some(first) = mine.first() else { continue };
            let items =
                Prober::connect(server.tcp, &user_name(first.from))?.log(&room_name(room))?;
            let mark = |seq: u64| {
                let item = items.iter().find(|item| item["seq"].as_u64() == Some(seq));
                item.and_then(|item| Mark::of(item["text"].as_str()?))
            };
            look(&mine, |_, seq| mark(seq))?;
        }
        server.stop()?;
    }
    Ok(())
}
