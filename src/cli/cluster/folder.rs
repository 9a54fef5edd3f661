//! The folder of files that the nodes share, as they have found it, and as it is here.

use std::fmt::Write as _;
use std::path::Path;

use super::connect::{EngineFailure, Session};
use crate::chat::model::file_rows::{FileTold, SharedFolder};
use crate::cluster::node::file_ops::{LOOK_AT_FOLDER, read_folder};
use crate::store::shared_file_folder::FolderCheck;

/// Says of each node whether it has the folder, and of the folder that is `here` whether it is that
/// one; whether all is well.
pub(super) fn describe(text: &mut String, session: &mut Session, here: Option<&Path>) -> bool {
    let folder = match look(session) {
        Ok(folder) => folder,
        Err(failure) => {
            _ = writeln!(text, "files: {failure}");
            return false;
        }
    };
    let mut is_well = true;
    let (good, bad): (Vec<_>, Vec<_>) = folder.nodes.iter().partition(|node| node.fault.is_none());
    if !good.is_empty() {
        let names: Vec<_> = good.iter().map(|node| &*node.name).collect();
        let mark = folder.mark.as_deref().unwrap_or_default();
        _ = writeln!(
            text,
            "files: taken by {}, in the folder with the mark {mark}",
            names.join(", ")
        );
    }
    for node in bad {
        is_well = false;
        let fault = node.fault.as_deref().unwrap_or_default();
        _ = writeln!(text, "  bad: files at {}: {fault}", node.name);
    }
    let Some(here) = here else { return is_well };
    if folder.mark.is_none() {
        text.push_str("files: no node has marked its folder yet: start one, and look again\n");
        return is_well;
    }
    let here_is = here.display();
    let found = FolderCheck::new(here.to_owned()).look(None, &mut |_probe| {
        // Nothing is told: whoever looks is no node.
        look(session).map_err(|failure| failure.to_string())
    });
    match found {
        Ok(None) => _ = writeln!(text, "files: {here_is} is that folder"),
        Ok(Some(fault)) => {
            is_well = false;
            _ = writeln!(text, "  bad: {here_is}: {fault}");
        }
        Err(failure) => {
            is_well = false;
            _ = writeln!(text, "  bad: {here_is}: {failure}");
        }
    }
    is_well
}

fn look(session: &mut Session) -> Result<SharedFolder, EngineFailure> {
    match read_folder(&session.ask(LOOK_AT_FOLDER)?, 0)? {
        FileTold::Folder(folder) => Ok(folder),
        _ => Err(EngineFailure::Answer),
    }
}
