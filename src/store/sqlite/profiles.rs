//! What users say of themselves: the table `profile`.

use rusqlite::{Connection, params};

use super::integers::{signed, unsigned};
use super::log_fault::damaged;
use crate::chat::model::color::Color;
use crate::chat::model::columns::Code as _;
use crate::chat::model::name::UserName;
use crate::chat::model::profile::{ProfileChange, PublicProfile};

/// Reads all of it.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection) -> rusqlite::Result<Vec<(UserName, PublicProfile)>> {
    let sql = "SELECT user, display, text, until, color FROM profile ORDER BY user";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let user = UserName::stored(row.get_ref(0)?.as_str()?).zip(Color::from_code(row.get(4)?));
        let invalid = || damaged("a row of table profile makes no sense".to_owned());
        let (user, color) = user.ok_or_else(invalid)?;
        let (display, text) = (row.get(1)?, row.get(2)?);
        let until = row.get::<_, Option<i64>>(3)?.map(unsigned);
        all.push((user, PublicProfile { display, text, until, color }));
    }
    Ok(all)
}

/// A user says something else of itself.
pub(super) fn change(
    db: &Connection,
    user: &UserName,
    change: &ProfileChange,
) -> rusqlite::Result<bool> {
    let ProfileChange { display, status, color, at, keeps_empty } = change;
    let (text, until) = match status {
        Some((text, until)) => (Some(&**text), until.map(signed)),
        None => (None, None),
    };
    let sql = "INSERT INTO profile AS p (user, display, text, until, color) \
               VALUES (?1, ifnull(?2, ''), ifnull(?3, ''), ?4, ifnull(?6, 0)) \
               ON CONFLICT (user) DO UPDATE SET display = ifnull(?2, p.display), \
               color = ifnull(?6, p.color), \
               text = CASE WHEN ?3 IS NOT NULL THEN ?3 WHEN p.until <= ?5 THEN '' ELSE p.text END, \
               until = CASE WHEN ?3 IS NOT NULL THEN ?4 WHEN p.until > ?5 THEN p.until END";
    let color = color.map(Color::code);
    let row = params![user.as_str(), display.as_deref(), text, until, signed(*at), color];
    db.prepare_cached(sql)?.execute(row)?;
    if !keeps_empty {
        let sql =
            "DELETE FROM profile WHERE user = ?1 AND display = '' AND text = '' AND color = 0";
        db.prepare_cached(sql)?.execute([user.as_str()])?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::database;

    #[test]
    fn what_is_given_of_a_profile_changes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        let ann = UserName::parse("ann").unwrap();
        let nothing = ProfileChange { at: 5, ..ProfileChange::default() };
        let color = |color| ProfileChange { color: Some(color), ..nothing.clone() };
        let display = |text: &str| ProfileChange { display: Some(text.into()), ..nothing.clone() };
        let status = |text: &str, until| ProfileChange {
            status: Some((text.into(), until)),
            ..nothing.clone()
        };
        let all = |display: &str, text: &str, until| {
            let (display, text) = (display.into(), text.into());
            Some(PublicProfile { display, text, until, ..PublicProfile::default() })
        };
        let colored = |color| Some(PublicProfile { color, ..PublicProfile::default() });
        for (given, expect) in [
            (display("Ann"), all("Ann", "", None)),
            (status("tea", Some(6)), all("Ann", "tea", Some(6))),
            (display("Anna"), all("Anna", "tea", Some(6))),
            (ProfileChange { at: 6, ..display("Ann") }, all("Ann", "", None)),
            (status("away", None), all("Ann", "away", None)),
            (display(""), all("", "away", None)),
            (status("", None), None),
            (color(Color::Pink), colored(Color::Pink)),
            (display(""), colored(Color::Pink)),
            (color(Color::Teal), colored(Color::Teal)),
            (color(Color::Unchosen), None),
            (ProfileChange { keeps_empty: true, ..display("") }, all("", "", None)),
        ] {
            change(&db, &ann, &given).unwrap();
            let kept = load(&db).unwrap().pop().map(|(_, profile)| profile);
            assert_eq!(kept, expect, "{given:?}");
        }
    }
}
