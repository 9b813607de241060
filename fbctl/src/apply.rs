// SPDX-License-Identifier: GPL-2.0

//! `fbctl apply`: makes the graph what a file says.

use crate::{advice, cli};
use anyhow::{Context, Result};
use lana_cli::{previous, refused, usage, Describe, Output, Session};
use lana_graph::{
    diff::{Change, Values},
    files::{self, Files, Source},
    model::Names,
};
use lana_netlink::{errno_text, Connection, Error};
use serde::{Serialize, Serializer};
use std::{
    io::{self, Read},
    path::Path,
};

/// What is said of an error after the change.
const CHANGED: &str = "the graph was changed";

pub(crate) fn run(session: &mut Session, path: &Path, how: &cli::ApplyHow) -> Result<()> {
    let done = apply(session, path, how);
    if session.globals.dry_run {
        return done;
    }
    done.map_err(|error| match error.downcast_ref() {
        Some(&CHANGED) => error,
        _ => error.context("nothing was changed"),
    })
}

fn apply(session: &mut Session, path: &Path, how: &cli::ApplyHow) -> Result<()> {
    let name = path.display().to_string();
    let sources = if path == Path::new("-") {
        let bytes = stdin(session).with_context(|| name.clone())?;
        vec![Source::new(name.clone(), &bytes)?]
    } else {
        files::sources(path)?
    };
    make(session, &name, &sources, how.empty)
}

/// Makes the graph again what it was: `text` is what `save` wrote. No file has a name, so no error names one.
pub(crate) fn restore(session: &mut Session, text: &str) -> Result<()> {
    let (name, text) = (String::new(), text.to_owned());
    match make(session, "", &[Source { name, text }], true) {
        Err(error) if error.downcast_ref() != Some(&CHANGED) => Err(error),
        _ => Ok(()),
    }
}

fn make(session: &mut Session, name: &str, sources: &[Source], empty: bool) -> Result<()> {
    let file = Files(sources);
    let mut names = Names::default();
    let target = file
        .read(&mut names)
        .map_err(|(name, mistake)| mistake.of(&name))?;
    let changes = file.compare(session.lana()?, &target, &mut names)?;
    if target.is_empty() && !changes.is_empty() && !empty {
        let text = "it has no block and no device, so the whole graph would go: \
                    --empty if that is meant";
        return Err(usage(text).context(name.to_owned()));
    }
    if changes.is_empty() {
        return tell(&mut session.out, &[], &names);
    }
    let values = values(session.lana()?, &changes, &names);
    let told: Vec<_> = changes.iter().zip(&values).collect();
    let mut plan = session.plan(Describe::Not);
    for change in &changes {
        let pushed = plan.push(&change.op(&names), false).map_err(Error::from);
        pushed.with_context(|| file.origin(name, change, &names))?;
    }
    let done = session.carry_out(plan);
    if done.is_ok() && session.globals.dry_run {
        return tell(&mut session.out, &told, &names);
    }
    let Err(mut error) = done else {
        let told = tell(&mut session.out, &told, &names).and_then(|()| session.out.flush());
        return told.context(CHANGED);
    };
    let error = match refused(&error).and_then(|at| changes.get(..=at)) {
        Some(upto @ [.., change]) => {
            advise(&mut error, upto, &names, session);
            error.context(file.origin(name, change, &names))
        }
        _ if name.is_empty() => error,
        _ => error.context(name.to_owned()),
    };
    let now = file.compare(session.lana()?, &target, &mut names);
    if now.is_ok_and(|now| now != changes) {
        return Err(error.context("the graph has changed meanwhile, try again"));
    }
    Err(error)
}

/// What the options that are set have been, and become.
fn values(lana: &mut Connection, changes: &[Change<'_>], names: &Names) -> Vec<Option<Values>> {
    let mut known = previous::Values::default();
    let values = |change: &Change<'_>| change.values(&mut known, lana, names);
    changes.iter().map(values).collect()
}

/// Adds what may help where the kernel refused the last of the changes.
fn advise(error: &mut anyhow::Error, changes: &[Change<'_>], names: &Names, session: &mut Session) {
    if let Some(Error::Refused(refusal)) = error.downcast_mut() {
        let ops: Vec<_> = changes.iter().map(|change| change.op(names)).collect();
        refusal.advice = advice::advice(refusal, &ops, session);
    }
}

fn stdin(session: &Session) -> Result<Vec<u8>> {
    if session.stdin_is_taken() {
        return Err(usage("the batch comes from there"));
    }
    let mut bytes = Vec::new();
    let read = io::stdin().read_to_end(&mut bytes);
    read.map_err(|error| usage(errno_text(&error)))?;
    Ok(bytes)
}

/// The changes as JSON, one by one: there may be many.
struct Told<'a>(&'a [(&'a Change<'a>, &'a Option<Values>)], &'a Names);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = self.0.iter().filter(|(change, _)| change.shows());
        serializer.collect_seq(shown.map(|(change, values)| change.told(values.as_ref(), self.1)))
    }
}

fn tell(out: &mut Output, changes: &[(&Change<'_>, &Option<Values>)], names: &Names) -> Result<()> {
    if out.is_json() {
        return out.json(&Told(changes, names));
    }
    if changes.is_empty() {
        return out.line("nothing to change");
    }
    for (change, values) in changes.iter().filter(|(change, _)| change.shows()) {
        out.line(&change.line(values.as_ref(), names))?;
    }
    Ok(())
}
