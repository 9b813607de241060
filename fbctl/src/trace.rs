// SPDX-License-Identifier: GPL-2.0

//! `fbctl trace`: packets on their way through the graph, hop by hop.

mod fields;
mod json;
pub(crate) mod text;
mod tree;

use crate::{
    cli,
    probe::{
        filter,
        names::Names,
        part::Part,
        summary::Detail,
        watch::{lost_text, End, Show, Totals, Watch, TRACED},
    },
};
use anyhow::Result;
use lana_cli::{Output, Session};
use lana_netlink::{
    spec::{ProbeAttrs, ProbeEnd},
    Connection,
};

pub(crate) fn run(session: &mut Session, options: &cli::Trace) -> Result<()> {
    let expression = options.expression.join(" ");
    let expression = Some(expression).filter(|text| !text.is_empty());
    let filter = options.filter.as_ref().or(expression.as_ref());
    let filter = filter.map(|filter| filter::compile(filter)).transpose()?;
    let mut lana = Connection::open()?;
    let mut names = Names::default();
    names.refresh(&mut lana)?;
    let from = options.from.as_deref();
    // A block that is not there is the kernel's to refuse.
    let found = from.and_then(|text| names.find(text));
    let name = found.map(|(_, name)| name.to_owned());
    let blocks = found.map(|(idp, name)| (idp, name.to_owned()));
    let ends = match (options.ok, options.drops) {
        (true, _) => Some(ProbeEnd::Ok.into()),
        (_, true) => Some(ProbeEnd::Drops.into()),
        _ => None,
    };
    let request = ProbeAttrs {
        from: name.or_else(|| from.map(str::to_owned)),
        ends,
        filter,
        limit: options.count,
        rate: options.rate,
        sample: options.sample,
        ..Default::default()
    };
    let begins = request.from.as_ref();
    let begins = begins.map_or_else(
        || "tracing packets".to_owned(),
        |from| format!("tracing packets from {from} on"),
    );
    let watch = Watch {
        request,
        begins: Some(begins),
        blocks: blocks.into_iter().collect(),
        limit: options.count,
        verb: TRACED,
    };
    let mut show = Packets {
        out: &mut session.out,
        link: options.link,
    };
    watch.run(&mut lana, names, &mut show)
}

/// Prints the packets.
struct Packets<'a> {
    out: &'a mut Output,
    /// With the link layer.
    link: bool,
}

impl Show for Packets<'_> {
    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()> {
        if self.out.is_json() {
            return self.out.json_line(&json::Packet::of(part, names));
        }
        let columns = self.out.columns();
        let detail = Detail::of(self.link, columns);
        for (line, indent) in text::Packet::of(part, names, detail).lines(columns) {
            self.out.folded(&line, indent)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }

    fn end(&mut self, totals: &Totals, _end: End) -> Result<()> {
        match totals.lost_last {
            1.. if !self.out.is_json() => self.out.line(&lost_text(totals.lost_last, TRACED)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
