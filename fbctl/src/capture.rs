// SPDX-License-Identifier: GPL-2.0

//! `fbctl capture`: the packets that come to blocks, that leave them, or that they drop.

mod lines;
pub(crate) mod pcapng;

use crate::{
    cli,
    probe::{
        filter,
        names::Names,
        part::Part,
        watch::{End, Show, Totals, Watch, CAPTURED},
    },
};
use anyhow::{Context, Result};
use lana_cli::{denied, usage, Session};
use lana_graph::expression;
use lana_netlink::{
    errno_text,
    spec::{ProbeAttrs, ProbePoint},
    Connection, Error,
};
use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// The kernel's own limit is that of what people read.
const NO_RATE: u32 = u32::MAX;

pub(crate) fn run(session: &mut Session, options: &cli::Capture) -> Result<()> {
    if session.globals.stats {
        return Err(usage("-s is --stats; how much of a packet: --snaplen"));
    }
    let standard = options.write.as_deref() == Some(Path::new("-"));
    if standard && io::stdout().is_terminal() {
        return Err(usage("-w -: the standard output is a terminal"));
    }
    let points = options.points();
    let mut lana = Connection::open()?;
    let mut names = Names::default();
    names.refresh(&mut lana)?;
    let (of, expression) = parted(&options.blocks, &names);
    let filter = match (&options.filter, expression.as_str()) {
        (Some(filter), "") => Some(filter::compile(filter)?),
        (Some(_), _) => {
            let why = format!("a filter stands behind --filter, or '{expression}' at the end");
            return Err(usage(why));
        }
        (None, "") => None,
        (None, expression) => Some(filter::compile(expression)?),
    };
    let mut at = Vec::new();
    let mut blocks = Vec::new();
    for text in of {
        // A block that is not there is the kernel's to refuse.
        let found = names.find(text);
        let name = found.map_or(text.as_str(), |(_, name)| name);
        if at.iter().any(|other| other == name) {
            continue;
        }
        at.push(name.to_owned());
        let found = found.map(|(idp, name)| (idp, name.to_owned()));
        blocks.extend(found);
    }
    let request = ProbeAttrs {
        at,
        points: Some(points.iter().map(|point| u32::from(*point)).sum()),
        filter,
        limit: options.count,
        rate: Some(options.rate.unwrap_or(NO_RATE)),
        snaplen: options.snaplen,
        ..Default::default()
    };
    let begins = format!("capturing packets at {}", request.at.join(", "));
    let begun = request.at.clone();
    let watch = Watch {
        request,
        begins: Some(begins),
        blocks: blocks.clone(),
        limit: options.count,
        verb: CAPTURED,
    };
    let mut show: Box<dyn Show + '_> = match &options.write {
        None => {
            let out = &mut session.out;
            let leave = points.contains(&ProbePoint::Out);
            let peers = leave.then(|| names.longest_peer(&blocks));
            let drops = points.contains(&ProbePoint::Drops);
            Box::new(lines::Lines::to(out, &begun, options.link, peers, drops))
        }
        Some(_) => Box::new(ToFile {
            file: options.write.clone().filter(|_| !standard),
            blocks: blocks.into_iter().map(|(idp, _)| idp).collect(),
            points,
            snaplen: options.snaplen,
            writer: None,
        }),
    };
    let done = watch.run(&mut lana, names, show.as_mut());
    done.map_err(|error| with_tip(error, &begun))
}

/// What is neither a block nor a word of a filter may have been meant to be one: the refusal says so.
fn with_tip(error: anyhow::Error, words: &[String]) -> anyhow::Error {
    let Some(Error::Refused(refusal)) = error.downcast_ref() else {
        return error;
    };
    let text = refusal.to_string();
    let is_wrong = |word: &&String| text.starts_with(&format!("no block '{word}'"));
    let tip = words
        .iter()
        .find(is_wrong)
        .map(|word| expression::near(word));
    match tip.filter(|tip| !tip.is_empty()) {
        Some(tip) => denied(format!("{text}{tip}")),
        None => error,
    }
}

/// The blocks, and the filter that stands behind them: it begins with the first word that is no block, and that tcpdump
/// knows.
fn parted<'a>(words: &'a [String], names: &Names) -> (&'a [String], String) {
    let is_filter = |(at, word): (usize, &String)| {
        at > 0 && names.find(word).is_none() && expression::begins(word)
    };
    let at = words.iter().enumerate().position(is_filter);
    let (blocks, filter) = words.split_at(at.unwrap_or(words.len()));
    (blocks, filter.join(" "))
}

/// Writes a file once the kernel has said yes.
struct ToFile {
    /// Which, if it is not the standard output.
    file: Option<PathBuf>,
    blocks: Vec<u32>,
    points: Vec<ProbePoint>,
    snaplen: Option<u32>,
    writer: Option<pcapng::Writer<Box<dyn Write>>>,
}

impl ToFile {
    fn writer(&mut self) -> Result<&mut pcapng::Writer<Box<dyn Write>>> {
        self.writer.as_mut().context("nothing is open")
    }

    fn name(&self) -> String {
        let file = self.file.as_ref();
        file.map_or_else(
            || "standard output".to_owned(),
            |file| file.display().to_string(),
        )
    }

    /// What could not be written is the user's to mend, but for a reader that is gone.
    fn told<T>(&self, result: io::Result<T>) -> Result<T> {
        match result {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(usage(errno_text(&error))).with_context(|| self.name())
            }
            result => Ok(result?),
        }
    }
}

impl Show for ToFile {
    fn begin(&mut self, names: &Names) -> Result<()> {
        let to = match &self.file {
            Some(file) => File::create(file),
            // Without the buffer of `Stdout`, which writes at each end of line.
            None => io::stdout().as_fd().try_clone_to_owned().map(File::from),
        };
        let to: Box<dyn Write> = Box::new(self.told(to)?);
        let begun = pcapng::Writer::begin(to, &self.blocks, &self.points, self.snaplen, names);
        self.writer = Some(self.told(begun)?);
        Ok(())
    }

    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()> {
        let written = self.writer()?.record(part.record, part.lost, names);
        self.told(written)
    }

    fn flush(&mut self) -> Result<()> {
        let flushed = self.writer()?.flush();
        self.told(flushed)
    }

    fn end(&mut self, totals: &Totals, _end: End) -> Result<()> {
        let ended = self.writer()?.end(totals.lost_last);
        self.told(ended)
    }

    fn is_standard(&self) -> bool {
        self.file.is_none()
    }
}

#[cfg(test)]
mod tests;
