// SPDX-License-Identifier: GPL-2.0

//! `fbctl apply`: makes the graph what a file says.

use crate::{
    advice, cli,
    diff::{changes, Change, Values},
    document::{self, Mistake},
    files::{self, Files, Source},
    model::{Names, Place, Target},
    running,
};
use anyhow::{Context, Result};
use lana_cli::{previous, refused, usage, without_bom, Describe, Output, Session};
use lana_netlink::{errno_text, Connection, Error};
use serde::{Serialize, Serializer};
use std::{
    fs,
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
    let read = |path: &Path, session: &Session| -> Result<Source> {
        let name = path.display().to_string();
        let bytes = slurp(path, session).with_context(|| name.clone())?;
        let text = text(&bytes).map_err(|m| mistake(&name, &m))?;
        let text = without_bom(text).to_owned();
        Ok(Source { name, text })
    };
    let sources = if path.is_dir() {
        let paths = files::of(path).map_err(|error| usage(errno_text(&error)));
        let paths = paths.with_context(|| name.clone())?;
        let sources = paths.iter().map(|path| read(path, session));
        sources.collect::<Result<Vec<_>>>()?
    } else {
        vec![read(path, session)?]
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
    for Source { name, text } in sources {
        if document::is_cut_off(text) {
            let what = format!("it is cut off: the line '{}' is missing", document::END);
            let line = text.lines().count();
            return Err(mistake(name, &Mistake { line, text: what }));
        }
    }
    let mut names = Names::default();
    let target = file
        .read(&mut names)
        .map_err(|(name, m)| mistake(&name, &m))?;
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

fn slurp(path: &Path, session: &Session) -> Result<Vec<u8>> {
    let read = if path != Path::new("-") {
        fs::read(path)
    } else if session.stdin_is_taken() {
        return Err(usage("the batch comes from there"));
    } else {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    };
    read.map_err(|error| usage(errno_text(&error)))
}

fn text(bytes: &[u8]) -> Result<&str, Mistake> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.iter().take(error.valid_up_to());
        Mistake {
            line: 1 + good.filter(|&&byte| byte == b'\n').count(),
            text: "it is not UTF-8".to_owned(),
        }
    })
}

fn mistake(name: &str, mistake: &Mistake) -> anyhow::Error {
    match name {
        "" => usage(mistake.text.clone()),
        name => usage(format!("{name}:{}: {}", mistake.line, mistake.text)),
    }
}

impl Files<'_> {
    /// What is to change.
    fn compare<'t>(
        &self,
        lana: &mut Connection,
        target: &'t Target<'_>,
        names: &mut Names,
    ) -> Result<Vec<Change<'t>>> {
        let running = running::read(lana, names)?;
        let wrong = |(place, text): (Place, String)| {
            let (name, line) = self.at(place);
            mistake(name, &Mistake { line, text })
        };
        changes(&running, target, names).map_err(wrong)
    }

    /// Where a change comes from: a line of a file, if one asks for it.
    fn origin(&self, name: &str, change: &Change<'_>, names: &Names) -> String {
        let what = change.describe(names);
        match change.place {
            _ if name.is_empty() => what,
            Some(place) => {
                let (name, line) = self.at(place);
                format!("{name}:{line}: {what}")
            }
            None => format!("{name}: {what}"),
        }
    }
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
