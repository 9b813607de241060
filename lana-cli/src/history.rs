// SPDX-License-Identifier: GPL-2.0

//! The log of changes: who has made which, and what the graph was before. A line of JSON each, in
//! `/var/lib/lana/log`. There is a log where that folder is; `LANA_LOG` names another file, or none.
//!
//! The tools write what they change. `fbctl monitor --log` writes the events, which tell of what
//! everybody changes.

use crate::{secret, session::Session, told::Told};
use anyhow::{Context, Result};
use lana_netlink::errno_text;
use rustix::process;
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Where it is where nobody says otherwise.
pub const LOG: &str = "/var/lib/lana/log";
/// How many changes of one command are written down.
pub(crate) const TOLD: usize = 1000;
/// A graph that is longer than this is not kept: the change cannot be undone.
const LONG: usize = 1 << 20;
/// A log that is longer than this is put aside, in the place of the one before.
const FULL: u64 = 64 << 20;

/// A graph: of which namespace, since which boot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the network namespace.
    pub netns: u64,
    /// The boot; numbers are given again.
    pub boot: String,
}

/// Changes that a tool has made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When they were begun, in microseconds since 1970.
    pub begun: u64,
    /// When they were made.
    pub time: u64,
    /// The user who is responsible: who has called sudo, or whom the process belongs to.
    pub user: String,
    /// The command line; of changes that nobody has confirmed, that which had made them.
    pub command: Vec<String>,
    /// Why that command's changes were taken back, if they were because nobody has confirmed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<String>,
    /// What was changed.
    pub changes: Vec<Told>,
    /// How many changes more there were than stand there.
    #[serde(default)]
    pub more: usize,
    /// The graph before, as a file, unless it was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its fingerprint, and that of the graph after.
    pub from: u64,
    /// As above.
    pub to: u64,
    /// How many changes before this it has taken back.
    #[serde(default)]
    pub undoes: usize,
}

/// Changes that are taken back because nobody has confirmed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconfirmed {
    /// The command line that made them.
    pub command: Vec<String>,
    /// In words: not confirmed in which time, or what else has happened.
    pub why: String,
}

/// An event, as `fbctl monitor` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it was read, in microseconds since 1970.
    pub time: u64,
    /// What kind it is of.
    pub kind: String,
    /// The block that it is about.
    #[serde(default)]
    pub fb: Option<String>,
    /// The other one, or the option.
    #[serde(default)]
    pub other: Option<String>,
    /// The whole, in words.
    pub text: String,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whose graph.
    #[serde(flatten)]
    pub place: Place,
    /// What happened to it.
    #[serde(flatten)]
    pub what: What,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A tool has changed something.
    Change(Box<Entry>),
    /// The kernel has told of something.
    Event(Event),
}

impl Place {
    /// That of this thread.
    pub fn here() -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Place {
            netns: fs::metadata("/proc/thread-self/ns/net").map_or(0, |file| file.ino()),
            boot: boot.trim().to_owned(),
        }
    }
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// What tells one graph from another: FNV-1a over its file.
pub fn fingerprint(graph: &str) -> u64 {
    graph.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The file of the log, if there is to be one.
pub fn file() -> Option<PathBuf> {
    match env::var_os("LANA_LOG") {
        Some(path) if path.is_empty() => None,
        Some(path) => Some(path.into()),
        None => {
            let path = Path::new(LOG);
            path.parent().is_some_and(Path::is_dir).then(|| path.into())
        }
    }
}

/// Writes a line.
pub fn append(path: &Path, line: &Line) -> Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    if fs::metadata(path).is_ok_and(|file| file.len() > FULL) {
        fs::rename(path, path.with_extension("old"))?;
    }
    // Each line is one write, at the end.
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| anyhow::anyhow!(errno_text(&error)))
        .with_context(|| path.display().to_string())
}

/// What was there before a change that the log is to have.
pub(crate) struct Before {
    file: PathBuf,
    begun: u64,
    graph: Option<String>,
}

impl Before {
    /// Reads the graph, if there is a log.
    pub(crate) fn read(session: &mut Session) -> Option<Self> {
        let file = file()?;
        let begun = now();
        // Who cannot see all of it cannot undo it.
        let graph = session.graph().ok();
        Some(Before { file, begun, graph })
    }

    /// Writes down what was changed.
    pub(crate) fn note(self, session: &mut Session, changes: Vec<Told>, count: usize) {
        let after = session.graph().unwrap_or_default();
        let before = self.graph.unwrap_or_default();
        let entry = Entry {
            begun: self.begun,
            time: now(),
            user: user(),
            command: session
                .held
                .as_ref()
                .map_or_else(command, |held| held.command.clone()),
            unconfirmed: session.held.as_ref().map(|held| held.why.clone()),
            more: count - changes.len(),
            changes,
            from: fingerprint(&before),
            to: fingerprint(&after),
            before: (!before.is_empty() && before.len() <= LONG).then_some(before),
            undoes: session.undoes,
        };
        let line = Line {
            place: Place::here(),
            what: What::Change(Box::new(entry)),
        };
        if let Err(error) = append(&self.file, &line) {
            session.warn(&format!("the change is not in the log: {error:#}"));
        }
    }
}

/// The command line, with the tool's name only, and without secrets.
pub(crate) fn command() -> Vec<String> {
    let mut words: Vec<_> = env::args_os()
        .map(|word| secret::without(word.to_string_lossy().into_owned()))
        .collect();
    if let Some(first) = words.first_mut() {
        if let Some((_, name)) = first.rsplit_once('/') {
            *first = name.to_owned();
        }
    }
    words
}

/// Who is responsible: who called sudo, else who logged in, else whom the process belongs to.
fn user() -> String {
    if let Ok(name) = env::var("SUDO_USER") {
        return name;
    }
    let login = fs::read_to_string("/proc/self/loginuid").ok();
    let login = login.and_then(|text| text.trim().parse().ok());
    let uid = login.filter(|&uid| uid != u32::MAX);
    let uid = uid.unwrap_or_else(|| process::getuid().as_raw());
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(uid, &users).unwrap_or_else(|| uid.to_string())
}

fn name_of(uid: u32, users: &str) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::How;

    #[test]
    fn lines_come_back() {
        let place = Place {
            netns: 7,
            boot: "b".into(),
        };
        let entry = Entry {
            user: "root".into(),
            changes: vec![Told {
                change: How::Add,
                item: "block".into(),
                names: vec!["x".into()],
                more: "tee".into(),
                old: None,
                value: None,
            }],
            ..Entry::default()
        };
        let event = Event {
            time: 1,
            kind: "added".into(),
            fb: Some("x".into()),
            other: None,
            text: "added x".into(),
        };
        for what in [What::Change(Box::new(entry)), What::Event(event)] {
            let place = place.clone();
            let line = Line { place, what };
            let text = serde_json::to_string(&line).unwrap();
            assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        }
    }

    #[test]
    fn graphs_are_told_apart() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(fingerprint("ab"), fingerprint("ba"));
    }

    #[test]
    fn users_have_names() {
        let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("ann"));
        assert_eq!(name_of(1, users), None);
    }
}
