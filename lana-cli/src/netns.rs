// SPDX-License-Identifier: GPL-2.0

//! Network namespaces by name.

use crate::failure::{denied, Failure};
use lana_netlink::errno_text;
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// Where `ip netns` keeps them.
const NAMED: &str = "/run/netns";

/// A name stands for a file of `ip netns`; with a slash it is a file itself.
fn path_of(name: &str) -> PathBuf {
    if name.contains('/') {
        PathBuf::from(name)
    } else {
        Path::new(NAMED).join(name)
    }
}

/// The network namespace of the calling thread.
pub(crate) fn own() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// Moves the calling thread into one that is open.
pub(crate) fn enter_open(namespace: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(
        namespace.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// Moves the calling thread into a network namespace: its sockets will be there.
pub(crate) fn enter(name: &str) -> Result<(), Failure> {
    let failure = |code, error: &io::Error| {
        let rights = match error.kind() {
            io::ErrorKind::PermissionDenied => " (needs CAP_SYS_ADMIN)",
            _ => "",
        };
        Failure {
            code,
            text: Some(format!(
                "network namespace {name}: {}{rights}",
                errno_text(error)
            )),
            excerpt: None,
        }
    };
    let file = File::open(path_of(name)).map_err(|error| failure(1, &error))?;
    enter_open(&file).map_err(|error| failure(2, &error))
}

/// The same, for commands.
pub fn enter_namespace(name: &str) -> anyhow::Result<()> {
    enter(name).map_err(|failure| denied(failure.text.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!(path_of("red"), Path::new("/run/netns/red"));
        assert_eq!(path_of("/proc/1/ns/net"), Path::new("/proc/1/ns/net"));
    }

    #[test]
    fn missing_namespace_is_named() {
        let failure = enter("no such namespace").unwrap_err();
        let text = "network namespace no such namespace: No such file or directory";
        assert_eq!((failure.code, failure.text.as_deref()), (1, Some(text)));
        assert_eq!(enter("/dev/null").unwrap_err().code, 2);
    }
}
