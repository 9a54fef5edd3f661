//! The files that a configuration names, looked at as a start would: so that `chinwag check` does
//! not call good what the server then refuses.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::bounds::has_stored_rooms;
use super::{admin_token, engine, token_keys};
use crate::config::{Config, Place};

/// Whatever a start would refuse of the files that the settings name, one line each. Nothing is
/// made and nothing is written: whether the server's own account may write there is not tried.
#[must_use]
pub fn refused_files(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(token_keys::load(&config.token_keys).err().map(|error| error.to_string()));
    faults.extend(admin_token::load(config).err().map(|error| error.to_string()));
    faults.extend(engine::address(config).err().map(|error| error.to_string()));
    faults.extend(engine::bus_address(config).err().map(|error| error.to_string()));
    if let Some(path) = &config.log_file {
        let why = if path.is_dir() { Some("it is a directory".to_owned()) } else { outside(path) };
        let said = |why| format!("log_file = \"{}\" cannot be opened: {why}", path.display());
        faults.extend(why.map(said));
    }
    let is_stored = has_stored_rooms(config) || !config.auth_policy().is_only_names();
    if config.cluster.engine.is_none() && is_stored {
        let path = &config.data;
        let said = |why| format!("data = \"{}\" cannot be used: {why}", path.display());
        faults.extend(no_directory(path).map(said));
    }
    let sockets = [&config.listen, &config.tcp, &config.admin].into_iter().flatten();
    for address in sockets {
        let Place::Unix(path) = &address.place else { continue };
        let why = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() || found.is_file() => {
                Some("what is there is no socket: choose another path".to_owned())
            }
            Ok(_) => None,
            Err(_) => outside(path),
        };
        faults.extend(why.map(|why| format!("cannot listen on {address}: {why}")));
    }
    faults
}

/// What is wrong with the path of a file that is to be made.
fn outside(path: &Path) -> Option<String> {
    if let Some(why) = too_long(path) {
        return Some(why);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("{} is not a directory", folder.display())),
        Err(error) => Some(format!("{}: {error}", folder.display())),
    }
}

/// What is wrong with a directory that is made if it is not there.
fn no_directory(path: &Path) -> Option<String> {
    // Together with the longest name that the server makes in it.
    if let Some(why) = too_long(&path.join("chinwag.db-journal")) {
        return Some(why);
    }
    let there = path.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let is_none = !there.is_dir();
    is_none.then(|| format!("{} is not a directory", there.display()))
}

/// What the file system finds too long: a name of a path, or all of it.
fn too_long(path: &Path) -> Option<String> {
    let is_too_long = |path: &Path| {
        let found = fs::symlink_metadata(path);
        found.is_err_and(|error| error.kind() == ErrorKind::InvalidFilename)
    };
    if is_too_long(path) {
        return Some("this is too long for the file system: choose a shorter one".to_owned());
    }
    // Of what is below a directory that is not there yet the system is not asked.
    let there = path.ancestors().find(|path| path.symlink_metadata().is_ok());
    let there = there.unwrap_or_else(|| Path::new("."));
    let is_too_long = |name: &&std::ffi::OsStr| is_too_long(&there.join(name));
    let name = path.iter().find(is_too_long)?;
    let len = name.len();
    Some(format!(
        "a name of {len} bytes in it is too long for the file system: choose a shorter one"
    ))
}
