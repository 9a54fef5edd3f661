//! The files that a configuration names, looked at as a start would: so that `chinwag check` does
//! not call good what the server then refuses.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::bounds::has_stored_rooms;
use super::{ServeError, admin_token, certificates, engine, token_keys};
use crate::config::{Config, ConfigFault, Loaded, Place};
use crate::webhooks::check_authorities;

/// Whatever a start would refuse of the files that the settings name, each with the place of the
/// setting. Nothing is made and nothing is written: whether the server's own account may write
/// there is not tried.
#[must_use]
pub fn refused_files(loaded: &Loaded) -> Vec<ConfigFault> {
    let config = &loaded.config;
    let files = [
        token_keys::load(&config.token_keys).map(drop).map_err(ServeError::from),
        admin_token::load(config).map(drop).map_err(ServeError::from),
        engine::address(config).map(drop).map_err(ServeError::from),
        engine::bus_address(config).map(drop).map_err(ServeError::from),
        engine::check_authorities(config).map_err(ServeError::from),
        certificates::check(&config.tls).map_err(ServeError::from),
        check_authorities(&config.webhooks.authorities).map_err(ServeError::from),
    ];
    let named =
        |error: ServeError| loaded.fault(error.setting().unwrap_or_default(), error.to_string());
    let places = places(config).into_iter().map(|(setting, what)| loaded.fault(setting, what));
    files.into_iter().filter_map(Result::err).map(named).chain(places).collect()
}

/// What is wrong with the files and folders that the server makes, each with its setting.
fn places(config: &Config) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    if let Some(path) = &config.log_file {
        let why = if path.is_dir() { Some("it is a directory".to_owned()) } else { outside(path) };
        let said = |why| format!("log_file = \"{}\" cannot be opened: {why}", path.display());
        faults.extend(why.map(|why| ("log_file", said(why))));
    }
    let is_stored = has_stored_rooms(config) || !config.auth_policy().is_only_names();
    if config.cluster.engine.is_none() && is_stored {
        let path = &config.data;
        let said = |why| format!("data = \"{}\" cannot be used: {why}", path.display());
        faults.extend(no_directory(path).map(|why| ("data", said(why))));
    }
    let all = [("listen", &config.listen), ("tcp", &config.tcp), ("admin", &config.admin)];
    let sockets =
        all.into_iter().flat_map(|(name, listed)| listed.iter().map(move |at| (name, at)));
    for (name, address) in sockets {
        let Place::Unix(path) = &address.place else { continue };
        let why = match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() || found.is_file() => {
                Some("what is there is no socket: choose another path".to_owned())
            }
            Ok(_) => None,
            Err(_) => outside(path),
        };
        faults.extend(why.map(|why| (name, format!("cannot listen on {address}: {why}"))));
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
