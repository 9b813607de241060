// SPDX-License-Identifier: GPL-2.0

//! What the keys change: order, place, pause.

use crate::rates::{Cpu, Report};
use crossterm::event::{KeyCode, KeyEvent};
use lana_cli::{natural, screen::Scroll, BlockRates};

/// By what CPUs and blocks are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Number, name.
    #[default]
    Name,
    /// Load, packets.
    Load,
    /// Interrupts, drops.
    Events,
}

impl Sort {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Name => "number, name",
            Sort::Load => "load, packets",
            Sort::Events => "interrupts, drops",
        }
    }

    fn next(self) -> Self {
        match self {
            Sort::Name => Sort::Load,
            Sort::Load => Sort::Events,
            Sort::Events => Sort::Name,
        }
    }
}

/// The user's view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) sort: Sort,
    pub(crate) scroll: Scroll,
    /// How many CPUs are shown, those with the most to do.
    pub(crate) cpus: Option<usize>,
    pub(crate) percentage: bool,
}

impl View {
    /// A key was pressed.
    pub(crate) fn key(&mut self, key: KeyEvent) {
        if key.code == KeyCode::Char('s') {
            self.sort = self.sort.next();
        } else {
            self.scroll.key(key);
        }
    }

    /// The CPUs in order.
    pub(crate) fn cpus<'a>(&self, report: &'a Report) -> Vec<&'a Cpu> {
        let mut cpus: Vec<_> = report.cpus.iter().collect();
        let busy = |a: &&Cpu, b: &&Cpu| a.idle.total_cmp(&b.idle).then(a.number.cmp(&b.number));
        if let Some(most) = self.cpus {
            cpus.sort_by(busy);
            cpus.truncate(most);
        }
        match self.sort {
            Sort::Name => cpus.sort_by_key(|cpu| cpu.number),
            Sort::Load => cpus.sort_by(busy),
            Sort::Events => cpus.sort_by(|a, b| {
                let events = |cpu: &Cpu| cpu.irq.rate + cpu.soirq_rx.rate + cpu.soirq_tx.rate;
                events(b)
                    .total_cmp(&events(a))
                    .then(a.number.cmp(&b.number))
            }),
        }
        cpus
    }

    /// The blocks in order.
    pub(crate) fn blocks<'a>(&self, report: &'a Report) -> Vec<&'a BlockRates> {
        let mut blocks: Vec<_> = report.blocks.iter().collect();
        match self.sort {
            Sort::Name => blocks.sort_by(|a, b| natural(&a.name, &b.name)),
            Sort::Load => blocks.sort_by(|a, b| b.packets.rate.total_cmp(&a.packets.rate)),
            Sort::Events => blocks.sort_by(|a, b| b.drops.rate.total_cmp(&a.drops.rate)),
        }
        blocks
    }
}
