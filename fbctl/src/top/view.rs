// SPDX-License-Identifier: GPL-2.0

//! What the keys of `fbctl top` change: order, filter, reference point.

use crate::{
    rates::{EngineRates, Report, Sample},
    screen::{Input, Pressed},
    select::Selection,
};
use clap::ValueEnum;
use crossterm::event::{KeyCode, KeyEvent};
use lana_cli::{natural, Block, BlockRates, Count};
use std::collections::HashMap;

/// By what blocks are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Name
    Name,
    /// Type
    Type,
    /// Packets per second
    #[default]
    Packets,
    /// Bits per second
    Bits,
    /// Drops per second
    Drops,
    /// Total drops
    Total,
    /// Nanoseconds per packet
    Ns,
    /// Share of a CPU
    Cpu,
}

impl Sort {
    fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Type => "type",
            Sort::Packets => "packets",
            Sort::Bits => "bits",
            Sort::Drops => "drops",
            Sort::Total => "total drops",
            Sort::Ns => "ns/pkt",
            Sort::Cpu => "CPU",
        }
    }

    fn next(self) -> Self {
        let all = Sort::value_variants();
        let at = all.iter().position(|sort| *sort == self);
        let next = at.and_then(|at| all.get(at + 1)).or(all.first());
        next.copied().unwrap_or_default()
    }
}

/// The user's view.
pub(crate) struct View {
    pub(crate) input: Input,
    pub(crate) selection: Selection,
    pub(super) sort: Sort,
    reverse: bool,
    /// Blocks without packets in the last interval are not shown.
    pub(super) busy: bool,
    /// From where totals count.
    pub(crate) reference: Option<Sample>,
}

impl View {
    pub(crate) fn new(selection: Selection, sort: Sort, reverse: bool) -> Self {
        View {
            input: Input::default(),
            selection,
            sort,
            reverse,
            busy: false,
            reference: None,
        }
    }

    /// A key was pressed, when `now` was the last sample.
    pub(crate) fn key(&mut self, key: KeyEvent, now: &Sample) {
        let key = match self.input.key(key) {
            Pressed::Done => return,
            Pressed::Filter(text) => {
                self.selection = Selection::parse(&text);
                return;
            }
            Pressed::Key(key) => key,
        };
        match key.code {
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('N') => self.sort = Sort::Name,
            KeyCode::Char('T') => self.sort = Sort::Type,
            KeyCode::Char('P') => self.sort = Sort::Packets,
            KeyCode::Char('B') => self.sort = Sort::Bits,
            KeyCode::Char('D') => self.sort = Sort::Drops,
            KeyCode::Char('L') => self.sort = Sort::Ns,
            KeyCode::Char('C') => self.sort = Sort::Cpu,
            KeyCode::Char('r') => self.reverse = !self.reverse,
            KeyCode::Char('i') => self.busy = !self.busy,
            KeyCode::Char('z') => self.reference = Some(now.clone()),
            KeyCode::Char('Z') => self.reference = None,
            KeyCode::Char('/') => self.input.ask(self.selection.text(), None),
            _ => self.input.scroll.key(key),
        }
    }

    /// The line at the bottom, with what is to be said of columns.
    pub(crate) fn status(&self, columns: Option<&str>) -> String {
        if let Some(status) = self.input.status() {
            return status;
        }
        let turned = if self.reverse { ", reversed" } else { "" };
        let sort = self.sort.name();
        let columns = columns.map_or(String::new(), |text| format!("  {text}"));
        format!(
            "q end  ? keys{columns}  s sort: {sort}{turned}  / filter  i idle  p pause  r reverse  z zero"
        )
    }

    /// The blocks that are selected, in order, with totals since the reference.
    pub(crate) fn arranged(&self, report: &Report) -> Report {
        let mut report = report.clone();
        report.keep(&self.selection, true);
        if self.busy {
            let works = |block: &BlockRates| block.packets.rate > 0.0 || block.drops.rate > 0.0;
            report.blocks.retain(works);
        }
        let less = |from: Option<u64>, count: &mut Count| {
            // What has begun anew since then has counted all it has since.
            let less = from.and_then(|from| count.total.checked_sub(from));
            count.total = less.unwrap_or(count.total);
        };
        if let Some(reference) = &self.reference {
            let key = |block: &Block| (block.idp, block.name.clone());
            let known: HashMap<_, _> = reference.blocks.iter().map(|b| (key(b), b)).collect();
            for block in &mut report.blocks {
                let from = known.get(&(block.idp, block.name.clone()));
                less(from.map(|from| from.packets), &mut block.packets);
                less(from.map(|from| from.bytes), &mut block.bytes);
                less(from.map(|from| from.drop_total()), &mut block.drops);
            }
        }
        self.sort(&mut report);
        report
    }

    fn sort(&self, report: &mut Report) {
        let mut blocks = std::mem::take(&mut report.blocks);
        // What was not measured stands behind what was.
        let time = |of: fn(&Report, &BlockRates) -> Option<f64>, block: &BlockRates| {
            of(report, block).unwrap_or(-1.0)
        };
        let by_time = |of, a: &BlockRates, b: &BlockRates| time(of, b).total_cmp(&time(of, a));
        blocks.sort_by(|a, b| {
            let order = match self.sort {
                Sort::Name => natural(&a.name, &b.name),
                Sort::Type => a.kind.cmp(&b.kind),
                Sort::Packets => b.packets.rate.total_cmp(&a.packets.rate),
                Sort::Bits => b.bytes.rate.total_cmp(&a.bytes.rate),
                Sort::Drops => b.drops.rate.total_cmp(&a.drops.rate),
                Sort::Total => b.drops.total.cmp(&a.drops.total),
                Sort::Ns => by_time(Report::nanos, a, b),
                Sort::Cpu => by_time(Report::share, a, b),
            };
            let order = if self.reverse { order.reverse() } else { order };
            order.then_with(|| natural(&a.name, &b.name))
        });
        report.blocks = blocks;
    }

    /// The engine's rates, with totals since the reference.
    pub(crate) fn engine(&self, engine: &EngineRates) -> EngineRates {
        let Some(reference) = &self.reference else {
            return *engine;
        };
        let from = &reference.engine;
        let less = |count: Count, from: u64| Count {
            total: count.total.checked_sub(from).unwrap_or(count.total),
            ..count
        };
        EngineRates {
            packets: less(engine.packets, from.packets),
            bytes: less(engine.bytes, from.bytes),
            calls: less(engine.calls, from.calls),
            drops: less(engine.drops, from.drops),
            unclaimed: less(engine.unclaimed, from.unclaimed),
        }
    }
}
