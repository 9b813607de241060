// SPDX-License-Identifier: GPL-2.0

//! What the keys change: order, place, pause.

use crate::rates::{BlockRates, Cpu, Report};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

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
    pub(crate) paused: bool,
    pub(crate) quit: bool,
    /// How many lines are above the first that is shown.
    pub(crate) top: usize,
    /// How many lines there are, and how many of them fit: set when it is drawn.
    pub(crate) lines: usize,
    pub(crate) height: usize,
    /// How many CPUs are shown, those with the most to do.
    pub(crate) cpus: Option<usize>,
    pub(crate) percentage: bool,
}

impl View {
    /// A key was pressed.
    pub(crate) fn key(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.quit = true,
            KeyCode::Char('q') | KeyCode::Esc => self.quit = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Up | KeyCode::Char('k') => self.top = self.top.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.top = self.top.saturating_add(1),
            KeyCode::PageUp => self.top = self.top.saturating_sub(self.height),
            KeyCode::PageDown => self.top = self.top.saturating_add(self.height),
            KeyCode::Home => self.top = 0,
            KeyCode::End => self.top = self.lines,
            _ => {}
        }
        self.fit(self.lines, self.height);
    }

    /// So many lines are there, and so many fit.
    pub(crate) fn fit(&mut self, lines: usize, height: usize) {
        self.lines = lines;
        self.height = height;
        self.top = self.top.min(lines.saturating_sub(height));
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
            Sort::Name => blocks.sort_by(|a, b| a.name.cmp(&b.name)),
            Sort::Load => blocks.sort_by(|a, b| b.packets.rate.total_cmp(&a.packets.rate)),
            Sort::Events => blocks.sort_by(|a, b| b.drops.rate.total_cmp(&a.drops.rate)),
        }
        blocks
    }
}
