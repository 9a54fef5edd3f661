//! Devices that are told by Web Push: the table `push`; and the key by which this server is known
//! to push services, which is a value of the table `meta`.

use rusqlite::{Connection, params};

use super::accounts::read;
use super::integers::{signed, unsigned};
use super::meta_table;
use crate::chat::model::account::Hidden;
use crate::chat::model::name::UserName;
use crate::chat::model::people::People;
use crate::chat::model::push::PushSubscription;

/// The key, readable by who may read the file, as all that is in it.
const KEY: &str = "push key";

/// Reads all of it into `people`.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection, people: &mut People) -> rusqlite::Result<()> {
    people.push_key = meta_table::get::<String>(db, KEY)?.map(Hidden::new);
    let sql = "SELECT id, user, login, endpoint, p256dh, auth, agent, at FROM push ORDER BY id";
    people.pushes = read(db, "push", sql, |row| {
        let user = UserName::stored(row.get_ref(1)?.as_str()?);
        let key = row.get_ref(4)?.as_blob()?.try_into().ok();
        let secret = row.get_ref(5)?.as_blob()?.try_into().ok();
        let Some(((user, key), secret)) = user.zip(key).zip(secret) else { return Ok(None) };
        let (id, at) = (unsigned(row.get(0)?), unsigned(row.get(7)?));
        let login = row.get::<_, Option<i64>>(2)?.map(unsigned);
        let (endpoint, agent) = (row.get(3)?, row.get(6)?);
        Ok(Some(PushSubscription { id, user, login, endpoint, key, secret, agent, at }))
    })?;
    Ok(())
}

/// Adds a device; `false` if its login is over.
pub(super) fn put(db: &Connection, device: &PushSubscription) -> rusqlite::Result<bool> {
    let PushSubscription { id, user, login, endpoint, key, secret, agent, at } = device;
    // A command may have ended the login meanwhile.
    let sql = "INSERT INTO push (id, user, login, endpoint, p256dh, auth, agent, at) \
               SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
               WHERE ?3 IS NULL OR EXISTS (SELECT 1 FROM login WHERE id = ?3)";
    let login = login.map(signed);
    let row = params![
        signed(*id),
        user.as_str(),
        login,
        &**endpoint,
        &key[..],
        &secret[..],
        &**agent,
        signed(*at)
    ];
    Ok(db.prepare_cached(sql)?.execute(row)? == 1)
}

/// Ends a device.
pub(super) fn end(db: &Connection, id: u64) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM push WHERE id = ?1")?.execute([signed(id)])?;
    Ok(true)
}

/// Keeps the key, unless there is one.
pub(super) fn put_key(db: &Connection, key: &Hidden) -> rusqlite::Result<bool> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    db.prepare_cached(sql)?.execute([KEY, key.reveal()])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::account::{Account, Login, SecretHash};
    use crate::chat::model::identity::{Bound, Source};
    use crate::chat::model::log::LogFault;
    use crate::chat::model::people::PeopleChange;
    use crate::store::sqlite::people;
    use crate::store::sqlite::testing::{database, user};

    fn device(id: u64, login: Option<u64>) -> PushSubscription {
        PushSubscription {
            id,
            user: user("ann"),
            login,
            endpoint: format!("https://push.example/{id}").into(),
            key: [4; 65],
            secret: [7; 16],
            agent: "a phone".into(),
            at: 5,
        }
    }

    fn kept(db: &Connection) -> Vec<PushSubscription> {
        people::load(db).unwrap().pushes
    }

    #[test]
    fn a_device_ends_with_its_login() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        let (name, hash) = (user("ann"), SecretHash([1; 32]));
        let login = Login { id: 3, name: name.clone(), hash, agent: "".into(), at: 1, used: 1 };
        let bound = Bound {
            name: name.clone(),
            source: Source::Account,
            issuer: "".into(),
            subject: "ann".into(),
            display: None,
            at: 1,
        };
        let account = Account { name, hash: Hidden::new("x"), is_admin: false };
        let changes = [
            PeopleChange::Bind(bound),
            PeopleChange::Account(account),
            PeopleChange::Login(login),
            PeopleChange::Push(device(1, Some(3))),
            PeopleChange::Push(device(2, None)),
        ];
        assert_eq!(people::write(&db, &changes), Ok(Ok(())));
        assert_eq!(kept(&db), [device(1, Some(3)), device(2, None)]);
        assert_eq!(people::write(&db, &[PeopleChange::EndLogin(3)]), Ok(Ok(())));
        assert_eq!(kept(&db), [device(2, None)]);
        let late = [PeopleChange::EndPush(2), PeopleChange::Push(device(4, Some(3)))];
        assert_eq!(people::write(&db, &late), Ok(Err(LogFault::Taken)), "the login is over");
        assert_eq!(kept(&db), [device(2, None)], "all of it or nothing");
    }

    #[test]
    fn of_two_under_way_with_one_address_the_first_stays_and_nothing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        assert_eq!(people::write(&db, &[PeopleChange::Push(device(1, None))]), Ok(Ok(())));
        let mut same = device(2, None);
        same.endpoint = device(1, None).endpoint;
        let changes = [PeopleChange::EndPush(1), PeopleChange::Push(same.clone())];
        let late = [PeopleChange::Push(device(3, None)), PeopleChange::Push(same.clone())];
        assert_eq!(people::write(&db, &late), Ok(Err(LogFault::Taken)));
        assert_eq!(kept(&db), [device(1, None)], "all of it or nothing");
        assert_eq!(people::write(&db, &changes), Ok(Ok(())), "it knows of the first");
        assert_eq!(kept(&db), [same]);
    }

    #[test]
    fn what_breaks_another_rule_of_the_file_is_a_fault_and_nobody_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        let rule = "CREATE TEMP TRIGGER rule BEFORE INSERT ON push \
                    BEGIN SELECT RAISE(ABORT, 'a rule'); END";
        db.execute_batch(rule).unwrap();
        let fault = people::write(&db, &[PeopleChange::Push(device(1, None))]).unwrap_err();
        assert!(fault.to_string().contains("a rule"), "{fault}");
    }

    #[test]
    fn the_key_that_was_kept_first_stays() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        assert_eq!(people::load(&db).unwrap().push_key, None);
        for key in ["first", "second"] {
            let change = PeopleChange::PushKey(Hidden::new(key));
            assert_eq!(people::write(&db, &[change]), Ok(Ok(())));
            assert_eq!(people::load(&db).unwrap().push_key, Some(Hidden::new("first")));
        }
    }
}
