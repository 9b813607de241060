// SPDX-License-Identifier: GPL-2.0

//! Which flows are shown, and in which order; and the keys that change that.

use super::{
    filter::Filter,
    reading::{Flows, Row},
};
use crate::screen::{Input, Pressed};
use clap::ValueEnum;
use crossterm::event::{KeyCode, KeyEvent};
use std::cmp::Ordering;

/// By what flows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Packets per second
    Rate,
    /// Bits per second
    Bits,
    /// Packets
    Packets,
    /// Bytes
    Bytes,
    /// Time since the first packet
    Age,
    /// Time since the last packet
    Idle,
    /// Source address and port
    Source,
    /// Destination address and port
    Destination,
    /// Number of the protocol
    Proto,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Sort::Rate => "packets/s",
            Sort::Bits => "bits/s",
            Sort::Packets => "packets",
            Sort::Bytes => "bytes",
            Sort::Age => "age",
            Sort::Idle => "idle",
            Sort::Source => "source",
            Sort::Destination => "destination",
            Sort::Proto => "protocol",
        }
    }

    fn next(self) -> Self {
        let all = Sort::value_variants();
        let at = all.iter().position(|sort| *sort == self);
        let next = at.and_then(|at| all.get(at + 1)).or(all.first());
        next.copied().unwrap_or(self)
    }

    /// The largest numbers come first, and the lowest addresses.
    fn compare(self, a: &Row<'_>, b: &Row<'_>) -> Ordering {
        let sums = |row: &Row<'_>| row.counts.sums();
        match self {
            Sort::Rate => b.packet_rate.total_cmp(&a.packet_rate),
            Sort::Bits => b.bit_rate.total_cmp(&a.bit_rate),
            Sort::Packets => sums(b).packets.cmp(&sums(a).packets),
            Sort::Bytes => sums(b).bytes.cmp(&sums(a).bytes),
            Sort::Age => b.counts.age.cmp(&a.counts.age),
            Sort::Idle => b.counts.idle.cmp(&a.counts.idle),
            Sort::Source => {
                let source = |row: &Row<'_>| (row.key.source, row.key.ports.0);
                source(a).cmp(&source(b))
            }
            Sort::Destination => {
                let destination = |row: &Row<'_>| (row.key.destination, row.key.ports.1);
                destination(a).cmp(&destination(b))
            }
            Sort::Proto => a.key.protocol.cmp(&b.key.protocol),
        }
    }
}

/// The user's view.
pub(crate) struct View {
    pub(super) input: Input,
    pub(super) filter: Filter,
    pub(super) sort: Sort,
    reverse: bool,
    /// How many flows are shown at most.
    most: usize,
}

impl View {
    pub(super) fn new(filter: Filter, sort: Sort, reverse: bool, most: usize) -> Self {
        View {
            input: Input::default(),
            filter,
            sort,
            reverse,
            most,
        }
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, key: KeyEvent, flows: &Flows) {
        let key = match self.input.key(key) {
            Pressed::Done => return,
            Pressed::Filter(text) => return self.take(text, flows),
            Pressed::Key(key) => key,
        };
        match key.code {
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('P') => self.sort = Sort::Rate,
            KeyCode::Char('B') => self.sort = Sort::Bits,
            KeyCode::Char('T') => self.sort = Sort::Packets,
            KeyCode::Char('Y') => self.sort = Sort::Bytes,
            KeyCode::Char('A') => self.sort = Sort::Age,
            KeyCode::Char('I') => self.sort = Sort::Idle,
            KeyCode::Char('S') => self.sort = Sort::Source,
            KeyCode::Char('D') => self.sort = Sort::Destination,
            KeyCode::Char('r') => self.reverse = !self.reverse,
            KeyCode::Char('/') => self.input.ask(self.filter.text(), None),
            _ => self.input.scroll.key(key),
        }
    }

    /// Takes a filter that was typed, or lets it be typed again.
    fn take(&mut self, text: String, flows: &Flows) {
        let checked = text.parse::<Filter>().and_then(|filter| {
            let known = filter.check(&flows.devices);
            known.map_err(|error| error.to_string()).map(|()| filter)
        });
        match checked {
            Ok(filter) => self.filter = filter,
            Err(wrong) => self.input.ask(text, Some(wrong)),
        }
    }

    /// The line at the bottom, with what is to be said of columns.
    pub(super) fn status(&self, columns: Option<&str>) -> String {
        if let Some(status) = self.input.status() {
            return status;
        }
        let turned = if self.reverse { ", reversed" } else { "" };
        let sort = self.sort.name();
        let columns = columns.map_or(String::new(), |text| format!("  {text}"));
        format!("q end  ? keys{columns}  s sort: {sort}{turned}  / filter  p pause  r reverse")
    }

    /// The flows that are shown, in order, and how many the filter lets pass.
    pub(super) fn arranged<'a>(&'a self, flows: &'a Flows) -> (Vec<Row<'a>>, usize) {
        let mut rows = Vec::with_capacity(flows.count());
        rows.extend(flows.rows(&self.filter));
        let count = rows.len();
        let compare = |a: &Row<'_>, b: &Row<'_>| {
            let order = self.sort.compare(a, b);
            let order = if self.reverse { order.reverse() } else { order };
            order.then_with(|| a.key.cmp(b.key))
        };
        if self.most < count {
            // What is not shown needs no order.
            rows.select_nth_unstable_by(self.most, compare);
            rows.truncate(self.most);
        }
        rows.sort_unstable_by(compare);
        (rows, count)
    }
}
