// SPDX-License-Identifier: GPL-2.0

//! `fbctl save`: writes what runs as a file for `fbctl apply`.

use anyhow::{Context, Result};
use lana_cli::{usage, Session};
use lana_graph::text;
use lana_netlink::errno_text;
use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{fchown, MetadataExt},
    path::{Path, PathBuf},
};

pub(crate) fn run(session: &mut Session, path: Option<&Path>) -> Result<()> {
    let text = text(session.lana()?)?;
    match path.filter(|path| *path != Path::new("-")) {
        None => session.out.text(&text),
        Some(path) => put(path, text.as_bytes())
            .map_err(|error| usage(errno_text(&error)))
            .with_context(|| path.display().to_string()),
    }
}

/// Writes a file whole or not at all: what was there stays until all of the new one is on the disk.
/// Where a symbolic link leads there, it stays.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (path, old) = match fs::canonicalize(path) {
        Ok(real) => {
            let old = fs::metadata(&real)?;
            (real, Some(old))
        }
        // A link to what is not there: there is nothing to lose.
        Err(_) if path.is_symlink() => return fs::write(path, bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => (path.to_owned(), None),
        Err(error) => return Err(error),
    };
    // A device, a pipe.
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return fs::write(path, bytes);
    }
    if old.is_some() {
        // Who may not write to the file may not replace it.
        OpenOptions::new().write(true).open(&path)?;
    }
    let (beside, mut file) = beside(&path).map_err(|error| {
        let text = format!("no file can be made beside it: {}", errno_text(&error));
        io::Error::new(error.kind(), text)
    })?;
    let done = fill(&mut file, bytes, old.as_ref()).and_then(|()| fs::rename(&beside, &path));
    if done.is_err() {
        // The first error is the one that matters.
        let _ = fs::remove_file(&beside);
        return done;
    }
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

/// A new file in the same directory.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    let mut number = std::process::id();
    loop {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{number}"));
        let beside = path.with_file_name(hidden);
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside)
        {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number = number.wrapping_add(1);
            }
            file => return Ok((beside, file?)),
        }
    }
}

/// Fills a file that takes the place of another one: it gets the owner, if we may give it away, and the
/// mode of that.
fn fill(file: &mut File, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(old) = old {
        let given = fchown(&*file, Some(old.uid()), Some(old.gid()));
        if given.is_ok() || file.metadata()?.uid() == old.uid() {
            file.set_permissions(old.permissions())?;
        }
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt};

    fn scratch(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("fbctl-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        let directory = scratch("replace");
        let file = directory.join("graph.toml");
        put(&file, b"one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = directory.join("link");
        symlink("graph.toml", &link).unwrap();
        put(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        let dangling = directory.join("dangling");
        symlink("later.toml", &dangling).unwrap();
        put(&dangling, b"three").unwrap();
        assert_eq!(fs::read(directory.join("later.toml")).unwrap(), b"three");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 4);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_is_no_file_is_written_to() {
        put(Path::new("/dev/null"), b"x").unwrap();
        let error = put(Path::new("/dev/full"), b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(28));
        assert!(put(Path::new("/"), b"x").is_err());
        assert!(put(Path::new("/no/such"), b"x").is_err());
    }
}
