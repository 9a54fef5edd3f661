//! The files of a message, as its `data` tells of them: objects with the `id` of a file, wherever
//! they stand.

use serde_json::Value;

use crate::chat::model::file::FileId;
use crate::wire::parse::DATA_DEPTH_MAX;

/// What a message says of a file. Nobody has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which one.
    pub id: FileId,
    /// What its sender calls it.
    pub name: String,
    /// Its size, if that is said.
    pub bytes: Option<u64>,
}

/// What a message with this `data` calls the file, if it says so.
#[must_use]
pub fn file_name(data: &str, id: &str) -> Option<String> {
    let found = files(data).into_iter().find(|file| file.id.as_str() == id)?;
    Some(found.name).filter(|name| !name.is_empty())
}

/// The files of which a message with this `data` tells.
#[must_use]
pub fn files(data: &str) -> Vec<File> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(data) {
        look(&value, DATA_DEPTH_MAX, &mut found);
    }
    found
}

fn look(value: &Value, levels: u8, found: &mut Vec<File>) {
    let Some(levels) = levels.checked_sub(1) else { return };
    match value {
        Value::Array(items) => items.iter().for_each(|item| look(item, levels, found)),
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str);
            if let Some(id) = text("id").and_then(FileId::parse) {
                let name = text("name").unwrap_or_default().to_owned();
                let bytes = fields.get("size").and_then(Value::as_u64);
                found.push(File { id, name, bytes });
            }
            fields.values().for_each(|item| look(item, levels, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cwf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn a_file_is_called_what_its_message_calls_it() {
        let data = format!(
            r#"{{"files":[{{"id":"{A}","name":"a\n\"b.png","size":7}},{{"id":"x","name":"y"}}]}}"#
        );
        assert_eq!(file_name(&data, A).as_deref(), Some("a\n\"b.png"));
        let found = files(&data);
        assert_eq!((found.len(), found[0].bytes), (1, Some(7)));
        for data in ["", "7", "[]", &format!(r#""{A}""#), &format!(r#"{{"id":"{A}","name":7}}"#)] {
            assert_eq!(file_name(data, A), None, "{data}");
        }
        let deep = format!("{}{data}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(file_name(&deep, A), None);
    }
}
