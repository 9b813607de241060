// SPDX-License-Identifier: GPL-2.0

//! `fbctl log`: who has changed what; `fbctl undo`: takes it back.

use crate::{apply, monitor::describe, utc::rfc3339};
use anyhow::{Context, Result};
use lana_cli::{
    history::{self, append, file, fingerprint, Entry, Event, Line, Place, What, LOG},
    previous::Values,
    usage, word, How, Line as Text, Session, Told,
};
use lana_netlink::{
    errno_text,
    spec::{EventAttrs, EventKind},
    wire::Value,
    Connection, Notice,
};
use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

/// What does not fit into the line of a change goes on so far from the margin.
const INDENT: usize = 8;

/// An event is read this long after its change was acknowledged, at most, in microseconds.
const LATE: u64 = 1_000_000;

fn wanted() -> Result<PathBuf> {
    file().ok_or_else(|| usage(none(env::var_os("LANA_LOG").is_some())))
}

/// Why there is no log, and how to have one.
fn none(unwanted: bool) -> String {
    let folder = Path::new(LOG).parent().unwrap_or(Path::new("/"));
    if unwanted {
        "there is no log: LANA_LOG is empty".to_owned()
    } else {
        let folder = folder.display();
        format!("there is no log yet: `mkdir -p {folder}` starts one")
    }
}

/// The lines about the graph of this namespace. What cannot be read, as when a disk was full, is left out.
fn read(path: &Path) -> Result<Vec<What>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text
            .map_err(|error| usage(errno_text(&error)))
            .with_context(|| path.display().to_string())?,
    };
    let here = Place::here();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let lines = lines.filter(|line: &Line| line.place == here);
    Ok(lines.map(|line| line.what).collect())
}

/// `fbctl log`
pub(crate) fn run(session: &mut Session, last: Option<usize>) -> Result<()> {
    let lines = unexplained(read(&wanted()?)?);
    let skipped = last.map_or(0, |last| lines.len().saturating_sub(last));
    for line in lines.iter().skip(skipped) {
        if session.out.is_json() {
            session.out.json_line(line)?;
            continue;
        }
        match line {
            What::Event(event) => {
                let time = when(event.time);
                let text = format!("{time} somebody: {}", event.text);
                session.out.folded(&Text::of(&text), INDENT)?;
            }
            What::Change(entry) => {
                let (time, command) = (when(entry.time), command(entry));
                let text = format!("{time} {}: {command}", entry.user);
                session.out.folded(&Text::of(&text), INDENT)?;
                for told in &entry.changes {
                    let text = format!("    {told}");
                    session.out.folded(&Text::of(&text), INDENT)?;
                }
                if entry.more > 0 {
                    session.out.line(&format!("    and {} more", entry.more))?;
                }
            }
        }
    }
    Ok(())
}

fn when(micros: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_micros(micros))
}

fn command(entry: &Entry) -> String {
    let words: Vec<_> = entry.command.iter().map(|text| word(text)).collect();
    let command = words.join(" ");
    match &entry.unconfirmed {
        Some(why) => format!("{why}: {command} taken back"),
        None => command,
    }
}

/// The changes, and those events that none of them explains, in the order of time.
fn unexplained(lines: Vec<What>) -> Vec<What> {
    let mut entries = Vec::new();
    let mut events = Vec::new();
    for line in lines {
        match line {
            What::Change(entry) => {
                let left = entry.changes.clone();
                entries.push((entry, left));
            }
            What::Event(event) => events.push(event),
        }
    }
    events.retain(|event| {
        let mut within = entries.iter_mut().filter(|(entry, _)| {
            (entry.begun..=entry.time.saturating_add(LATE)).contains(&event.time)
        });
        !within.any(|(entry, left)| {
            let place = left.iter().position(|told| explains(told, event));
            if let Some(place) = place {
                // One change, one event; a device's brings those of its going along.
                left.swap_remove(place);
            }
            place.is_some() || entry.more > 0
        })
    });
    let changes = entries.into_iter().map(|(entry, _)| What::Change(entry));
    let mut all: Vec<_> = changes.chain(events.into_iter().map(What::Event)).collect();
    all.sort_by_key(|what| match what {
        What::Change(entry) => entry.time,
        What::Event(event) => event.time,
    });
    all
}

/// Whether a change leads to an event.
fn explains(told: &Told, event: &Event) -> bool {
    let (item, how) = match event.kind.as_str() {
        "added" => ("block", How::Add),
        "removed" => ("block", How::Remove),
        "bound" => ("binding", How::Add),
        "unbound" => ("binding", How::Remove),
        "subscribed" => ("subscription", How::Add),
        "unsubscribed" => ("subscription", How::Remove),
        "option-set" => ("option", How::Change),
        "replaced" => ("place", How::Change),
        _ => return false,
    };
    // The block of a device may have another name.
    if item == "block" && told.item == "device" {
        return told.change == how;
    }
    let fb = event.fb.as_ref();
    let named = match item {
        "block" | "option" => told.names.first() == fb,
        // The names of OLD and NEW have changed places.
        "place" => fb.is_some_and(|fb| told.names.contains(fb)),
        _ => told.names.first() == fb && told.names.get(1) == event.other.as_ref(),
    };
    told.item == item && told.change == how && named
}

/// Writes events into the log.
pub(crate) struct Log {
    lana: Connection,
    values: Values,
}

impl Log {
    /// Looks at the graph as it is.
    pub(crate) fn new() -> Result<Self> {
        let mut lana = Connection::open()?;
        let values = Values::of(lana.fbs()?.items);
        Ok(Log { lana, values })
    }

    /// An event, in words. What an option has been is known from before, and what it is can be read.
    fn text(&mut self, event: &EventAttrs) -> String {
        let text = describe(event);
        let Some(name) = &event.fb else { return text };
        let changed = match (event.kind, &event.key) {
            (Some(Value::Known(EventKind::OptionSet)), Some(key)) => {
                self.values.now(&mut self.lana, name, key)
            }
            (
                Some(Value::Known(EventKind::Added | EventKind::Removed | EventKind::Replaced)),
                _,
            ) => {
                for name in [Some(name), event.peer.as_ref()].into_iter().flatten() {
                    self.values.forget(name);
                }
                None
            }
            _ => None,
        };
        changed.map_or(text.clone(), |(old, new)| format!("{text}: {old} -> {new}"))
    }

    /// Writes what was told.
    pub(crate) fn record(&mut self, notice: &Notice) -> Result<()> {
        let text = match notice {
            Notice::Event(event) => self.text(event),
            _ => String::new(),
        };
        record(notice, text)
    }
}

fn record(notice: &Notice, text: String) -> Result<()> {
    let event = match notice {
        Notice::Event(event) => Event {
            time: history::now(),
            kind: event.kind.map_or_else(String::new, |kind| kind.to_string()),
            fb: event.fb.clone(),
            other: event.peer.clone().or_else(|| event.key.clone()),
            text,
        },
        Notice::Lost(lost) => unknown(format!("lost {lost} events")),
        Notice::Overrun => unknown("events came faster than they were read".to_owned()),
        _ => return Ok(()),
    };
    // Modules that are loaded change no graph.
    if event.kind.starts_with("type-") {
        return Ok(());
    }
    let line = Line {
        place: Place::here(),
        what: What::Event(event),
    };
    append(&wanted()?, &line)
}

fn unknown(text: String) -> Event {
    Event {
        time: history::now(),
        kind: String::new(),
        fb: None,
        other: None,
        text,
    }
}

/// The changes that stand: those that were taken back do not.
fn standing(lines: Vec<What>) -> Vec<Entry> {
    let mut standing = Vec::new();
    for line in lines {
        if let What::Change(entry) = line {
            if entry.undoes > 0 {
                let left = standing.len() - entry.undoes.min(standing.len());
                standing.truncate(left);
            } else {
                standing.push(*entry);
            }
        }
    }
    standing
}

/// How many changes stand since a moment.
pub(crate) fn since(time: u64) -> usize {
    let lines = file().and_then(|path| read(&path).ok()).unwrap_or_default();
    let standing = standing(lines);
    standing.iter().filter(|entry| entry.begun >= time).count()
}

/// Where to go back to from a graph: the file of what there was before the last so many changes.
fn back(standing: &[Entry], now: u64, changes: usize) -> Result<&str> {
    let there = standing.len();
    let (_, last) = match standing.split_at_checked(there.wrapping_sub(changes)) {
        Some(split) if changes <= there => split,
        _ => {
            let text = format!("the log of this graph has {there} changes that can be taken back");
            return Err(usage(text));
        }
    };
    let otherwise = |entry: &Entry| {
        let (time, command) = (when(entry.time), command(entry));
        let by = "the graph has been changed otherwise since";
        usage(format!(
            "{by} '{command}', at {time}: `fbctl log` shows by what, if events were recorded"
        ))
    };
    let mut now = now;
    for entry in last.iter().rev() {
        if entry.to != now {
            return Err(otherwise(entry));
        }
        now = entry.from;
    }
    let first = last.first().and_then(|entry| entry.before.as_deref());
    first.ok_or_else(|| usage("the graph before was too long for the log, or could not be read"))
}

/// `fbctl undo`
pub(crate) fn undo(session: &mut Session, changes: usize) -> Result<()> {
    let standing = standing(read(&wanted()?)?);
    let now = fingerprint(&session.graph()?);
    let before = back(&standing, now, changes)?;
    session.undoes = changes;
    apply::restore(session, before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, from: u64, to: u64, undoes: usize) -> Entry {
        Entry {
            begun: 10 * from,
            time: 10 * to,
            command: vec!["fbctl".into(), "add".into(), name.into()],
            changes: vec![Told {
                change: How::Add,
                item: "block".into(),
                names: vec![name.into()],
                more: "tee".into(),
                old: None,
                value: None,
            }],
            before: Some(format!("graph {from}")),
            from,
            to,
            undoes,
            ..Entry::default()
        }
    }

    fn event(kind: &str, fb: &str, time: u64) -> Event {
        Event {
            time,
            kind: kind.into(),
            fb: Some(fb.into()),
            other: None,
            text: format!("{kind} {fb}"),
        }
    }

    fn changes(entries: Vec<Entry>) -> Vec<What> {
        let boxed = entries.into_iter().map(Box::new);
        boxed.map(What::Change).collect()
    }

    #[test]
    fn what_was_taken_back_does_not_stand() {
        let lines = changes(vec![
            entry("a", 1, 2, 0),
            entry("b", 2, 3, 0),
            entry("undo", 3, 2, 1),
            entry("c", 2, 4, 0),
        ]);
        let standing = standing(lines);
        let names: Vec<_> = standing
            .iter()
            .map(|entry| entry.command[2].as_str())
            .collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(back(&standing, 4, 1).unwrap(), "graph 2");
        assert_eq!(back(&standing, 4, 2).unwrap(), "graph 1");
        let error = back(&standing, 4, 3).unwrap_err().to_string();
        assert!(error.contains("has 2 changes"), "{error}");
        let error = back(&standing, 5, 1).unwrap_err().to_string();
        assert!(error.contains("since 'fbctl add c'"), "{error}");
    }

    #[test]
    fn what_was_not_confirmed_is_told() {
        let mut entry = entry("a b", 1, 2, 1);
        assert_eq!(command(&entry), "fbctl add 'a b'");
        entry.unconfirmed = Some("not confirmed within 1 s".into());
        let told = "not confirmed within 1 s: fbctl add 'a b' taken back";
        assert_eq!(command(&entry), told);
    }

    #[test]
    fn who_finds_no_log_is_told_how_to_have_one() {
        assert!(none(false).contains("`mkdir -p /var/lib/lana`"));
        assert_eq!(none(true), "there is no log: LANA_LOG is empty");
    }

    #[test]
    fn gaps_are_seen() {
        let standing = [entry("a", 1, 2, 0), entry("b", 3, 4, 0)];
        assert!(back(&standing, 4, 1).is_ok());
        let error = back(&standing, 4, 2).unwrap_err().to_string();
        assert!(error.contains("since 'fbctl add a'"), "{error}");
    }

    #[test]
    fn events_of_others_are_told() {
        let mut lines = changes(vec![entry("a", 1, 2, 0)]);
        lines.push(What::Event(event("added", "a", 15)));
        lines.push(What::Event(event("added", "a", 16)));
        lines.push(What::Event(event("added", "x", 12)));
        lines.push(What::Event(event("added", "a", 2_000_000)));
        let left = unexplained(lines);
        let texts: Vec<_> = left
            .iter()
            .map(|what| match what {
                What::Change(_) => "change",
                What::Event(event) => event.text.as_str(),
            })
            .collect();
        assert_eq!(texts, ["added x", "added a", "change", "added a"]);
    }
}
