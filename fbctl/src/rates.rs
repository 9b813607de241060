// SPDX-License-Identifier: GPL-2.0

//! What comes each second: samples of the counters of blocks and of the engine, and `fbctl stats --watch`.

mod json;

use crate::{
    cli::StatsHow,
    select::{about, Selection},
    timing::{Times, Timing, GLANCE},
    utc::clock,
};
use anyhow::Result;
pub(crate) use json::{json, rounded};
use lana_cli::{
    Block, BlockRates, Column, Count, Scale, Session,
    Spare::{self, Below, Hidden},
    Stop, Table,
};
use lana_netlink::PpeCpu;
use std::{
    collections::{BTreeMap, HashSet},
    thread,
    time::{Duration, Instant, SystemTime},
};

const SECOND: Duration = Duration::from_secs(1);
/// The columns of `stats --watch` that a narrow terminal does without, the first ones first.
const SPARE: [Spare; 6] = [
    Below(&["REASONS"]),
    Below(&["RX/S", "TX/S"]),
    Hidden("TYPE"),
    Below(&["BITS/S"]),
    Below(&["CPU%"]),
    Below(&["NS/PKT"]),
];
/// What stands before the engine's figures.
const ENGINE: &str = "engine:  ";

/// What the engine has counted, on all CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) calls: u64,
    pub(crate) drops: u64,
    pub(crate) unclaimed: u64,
}

impl Engine {
    fn new(cpus: &[PpeCpu]) -> Self {
        let sum = |of: fn(&PpeCpu) -> Option<u64>| {
            cpus.iter().filter_map(of).fold(0, u64::saturating_add)
        };
        Engine {
            packets: sum(|cpu| cpu.packets),
            bytes: sum(|cpu| cpu.bytes),
            calls: sum(|cpu| cpu.calls),
            drops: sum(|cpu| cpu.drops),
            unclaimed: sum(|cpu| cpu.unclaimed),
        }
    }
}

/// All counters at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) time: SystemTime,
    pub(crate) blocks: Vec<Block>,
    pub(crate) engine: Engine,
    /// What the blocks of `bound-to=` are bound to.
    peers: HashSet<String>,
}

impl Sample {
    /// Takes one. A block of `bound-to=` that is not there (any more) is bound to nothing.
    pub(crate) fn take(session: &mut Session, selection: &Selection) -> Result<Self> {
        let at = Instant::now();
        // That the graph has changed meanwhile is no matter, and nobody is to write on a screen.
        let lana = session.lana()?;
        let fbs = lana.fbs_in_brief()?.items;
        let engine = Engine::new(&lana.ppe()?.items);
        Ok(Sample {
            at,
            time: SystemTime::now(),
            blocks: fbs.into_iter().map(Block::from).collect(),
            engine,
            peers: selection.peers(lana).unwrap_or_default(),
        })
    }
}

/// The engine's rates.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct EngineRates {
    pub(crate) packets: Count,
    pub(crate) bytes: Count,
    pub(crate) calls: Count,
    pub(crate) drops: Count,
    pub(crate) unclaimed: Count,
}

/// What has come between two samples.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) time: SystemTime,
    pub(crate) seconds: f64,
    pub(crate) blocks: Vec<BlockRates>,
    pub(crate) engine: EngineRates,
    /// What was measured of the time that blocks take, if that was wanted.
    pub(crate) times: Option<Times>,
    peers: HashSet<String>,
}

impl Report {
    /// From two samples.
    pub(crate) fn new(old: &Sample, new: &Sample) -> Self {
        let passed = new.at.saturating_duration_since(old.at);
        let scale = Scale::new(SECOND, passed);
        let count = |of: fn(&Engine) -> u64| scale.count(Some(of(&old.engine)), of(&new.engine));
        Report {
            time: new.time,
            seconds: passed.as_secs_f64(),
            blocks: BlockRates::between(&old.blocks, &new.blocks, scale),
            engine: EngineRates {
                packets: count(|engine| engine.packets),
                bytes: count(|engine| engine.bytes),
                calls: count(|engine| engine.calls),
                drops: count(|engine| engine.drops),
                unclaimed: count(|engine| engine.unclaimed),
            },
            times: None,
            peers: new.peers.clone(),
        }
    }

    /// Nanoseconds that a block had each packet.
    pub(crate) fn nanos(&self, block: &BlockRates) -> Option<f64> {
        self.times.as_ref().and_then(|times| times.mean(block.idp))
    }

    /// How much of one CPU a block took, in percent.
    pub(crate) fn share(&self, block: &BlockRates) -> Option<f64> {
        let nanos = self.nanos(block)?;
        Some(nanos * block.packets.rate / 1e9 * 100.0)
    }

    /// How much of one CPU all blocks took, in percent, as far as that was measured.
    pub(crate) fn load(&self) -> Option<f64> {
        let shares = self.blocks.iter().filter_map(|block| self.share(block));
        shares.reduce(|a, b| a + b)
    }

    /// Takes out the blocks that the selection does not have. Its names are whole names, or parts of them.
    pub(crate) fn keep(&mut self, selection: &Selection, parts: bool) {
        let is_named = |name: &str| {
            let has = |wanted: &String| {
                if parts {
                    name.contains(wanted.as_str())
                } else {
                    name == wanted
                }
            };
            selection.names.is_empty() || selection.names.iter().any(has)
        };
        let peers = &self.peers;
        self.blocks.retain(|block| {
            is_named(&block.name) && selection.passes(&block.name, &block.kind, peers)
        });
    }
}

/// Makes a report each interval.
pub(crate) struct Meter {
    pub(crate) last: Sample,
    interval: Duration,
    timing: Option<Timing>,
}

impl Meter {
    /// Begins an interval; `timed`, with a probe that measures how long blocks have packets.
    pub(crate) fn begin(
        session: &mut Session,
        selection: &Selection,
        interval: Duration,
        timed: bool,
    ) -> Result<Self> {
        let mut last = Sample::take(session, selection)?;
        let mut timing = None;
        if timed {
            thread::sleep(GLANCE);
            let begun = Sample::take(session, selection)?;
            let rate = Report::new(&last, &begun).engine.packets.rate;
            timing = Some(Timing::begin(rate));
            last = begun;
        }
        Ok(Meter {
            last,
            interval,
            timing,
        })
    }

    /// What there is to show before the first interval has passed.
    pub(crate) fn first(&self) -> Report {
        let mut report = Report::new(&self.last, &self.last);
        report.times = self.timing.as_ref().map(Timing::none);
        report
    }

    /// When the next sample is due.
    pub(crate) fn due(&self) -> Instant {
        self.last.at + self.interval
    }

    /// Sleeps until then, or until a signal.
    pub(crate) fn sleep(&mut self, stop: &Stop) {
        let due = self.due();
        match &mut self.timing {
            Some(timing) => timing.sleep(stop, due),
            None => stop.sleep(due),
        }
    }

    /// Reads what the probe has told. What waits too long is lost.
    pub(crate) fn listen(&mut self) {
        if let Some(timing) = &mut self.timing {
            timing.read();
        }
    }

    pub(crate) fn next(&mut self, session: &mut Session, selection: &Selection) -> Result<Report> {
        let sample = Sample::take(session, selection)?;
        let mut report = Report::new(&self.last, &sample);
        let rate = report.engine.packets.rate;
        report.times = self.timing.as_mut().map(|timing| timing.next(rate));
        self.last = sample;
        Ok(report)
    }
}

/// `fbctl stats --watch`: a table, or a line of JSON, each interval.
pub(crate) fn watch(
    session: &mut Session,
    selection: &Selection,
    interval: Duration,
    how: &StatsHow,
) -> Result<()> {
    let stop = Stop::new()?;
    // What is not there is told at once.
    selection.check_types(session)?;
    for name in &selection.names {
        session
            .lana()?
            .fb(name)
            .map_err(|error| about(name, error))?;
    }
    selection.peers(session.lana()?)?;
    let mut meter = Meter::begin(session, selection, interval, how.time)?;
    let mut left = how.count.unwrap_or(u64::MAX);
    let mut is_first = true;
    while left > 0 {
        meter.sleep(&stop);
        if stop.has_come() {
            return Ok(());
        }
        let mut report = meter.next(session, selection)?;
        report.keep(selection, false);
        if session.out.is_json() {
            json(&mut session.out, &report)?;
        } else {
            if !is_first {
                session.out.line("")?;
            }
            session.out.line(&clock(report.time))?;
            if selection.is_all() {
                for line in engine(&report, session.out.columns()) {
                    session.out.line(&line)?;
                }
            }
            let table = table(&report, selection.is_all());
            session.out.table_narrow(table, &SPARE)?;
            if let Some(why) = report.times.as_ref().and_then(Times::why) {
                session.out.line(&why)?;
            }
        }
        session.out.flush()?;
        is_first = false;
        left -= 1;
    }
    Ok(())
}

/// A rate as text: those below 10 with a digit behind the point.
pub(crate) fn number(rate: f64) -> String {
    if rate > 0.0 && rate < 9.95 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    }
}

/// A number with a blank before the letter of its unit.
pub(crate) fn unit(value: f64) -> String {
    let text = scaled(value);
    match text.find(char::is_alphabetic) {
        Some(at) => format!(
            "{} {}",
            &text.get(..at).unwrap_or(&text),
            text.get(at..).unwrap_or_default()
        ),
        None => format!("{text} "),
    }
}

/// A large number with three digits or more, and the letter of a thousand, a million, …
pub(crate) fn scaled(value: f64) -> String {
    let mut value = value;
    for letter in ["", "k", "M", "G", "T"] {
        if value < 999.5 {
            let digits = match value {
                value if letter.is_empty() => return number(value),
                value if value < 9.995 => 2,
                value if value < 99.95 => 1,
                _ => 0,
            };
            return format!("{value:.digits$}{letter}");
        }
        value /= 1000.0;
    }
    format!("{value:.0}P")
}

/// The reasons for drops in an interval, with their rates.
pub(crate) fn reasons(rates: &BTreeMap<String, f64>) -> String {
    let some = rates.iter().filter(|(_, rate)| **rate > 0.0);
    let parts: Vec<_> = some
        .map(|(reason, rate)| format!("{reason} {}", number(*rate)))
        .collect();
    parts.join(", ")
}

/// How long a block has a packet, and its share of a CPU; `-` where that was not measured.
pub(crate) fn times(report: &Report, block: &BlockRates) -> [String; 2] {
    let text = |value: Option<f64>, form: fn(f64) -> String| value.map_or("-".to_owned(), form);
    [
        text(report.nanos(block), number),
        text(report.share(block), percent),
    ]
}

/// What a device receives and sends in a second; nothing of another block.
pub(crate) fn ways(block: &BlockRates) -> [String; 2] {
    let text = |count: Count| number(count.rate);
    block
        .device
        .map_or_else(Default::default, |ways| ways.map(text))
}

/// A share of a CPU. What is there is never shown as nothing.
pub(crate) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.1 {
        "<0.1".to_owned()
    } else {
        format!("{share:.1}")
    }
}

/// What the engine has counted: a packet once, however many blocks it passes. As many lines as that takes.
fn engine(report: &Report, columns: Option<usize>) -> Vec<String> {
    let engine = &report.engine;
    let rate = |count: Count, of: &str| format!("{} {of}/s", number(count.rate));
    let mut parts = vec![
        rate(engine.packets, "packets"),
        format!("{}bit/s", unit(engine.bytes.rate * 8.0)),
        rate(engine.drops, "drops"),
        rate(engine.unclaimed, "unclaimed"),
    ];
    let load = report.load().map(percent);
    parts.extend(load.map(|load| format!("{load} % of a CPU")));
    let widths: Vec<_> = parts.iter().map(|part| part.chars().count()).collect();
    let columns = columns.unwrap_or(usize::MAX);
    let room = columns.saturating_sub(ENGINE.len());
    let mut parts = parts.into_iter();
    let lines = abreast(&widths, room).into_iter().enumerate();
    let line = |(at, count): (usize, usize)| {
        let parts: Vec<_> = parts.by_ref().take(count).collect();
        let head = if at == 0 { ENGINE } else { "" };
        format!("{head:width$}{}", parts.join("  "), width = ENGINE.len())
    };
    lines.map(line).collect()
}

/// How many parts of these widths stand on each line: as many as there is room for, with two blanks between them.
pub(crate) fn abreast(widths: &[usize], room: usize) -> Vec<usize> {
    let (mut lines, mut left) = (Vec::new(), 0);
    for width in widths {
        match lines.last_mut() {
            Some(count) if width + 2 <= left => {
                *count += 1;
                left -= width + 2;
            }
            _ => {
                lines.push(1);
                left = room.saturating_sub(*width);
            }
        }
    }
    lines
}

/// With the sum of each column as the last row, where some of the blocks were asked for. Of all it would count a packet
/// once for each block on its way.
fn table(report: &Report, is_all: bool) -> Table {
    let timed = report.times.is_some();
    let mut columns = vec![
        Column::Left("NAME"),
        Column::Left("TYPE"),
        Column::Right("PACKETS/S"),
    ];
    let with_devices = report.blocks.iter().any(|block| block.device.is_some());
    if with_devices {
        columns.extend([Column::Right("RX/S"), Column::Right("TX/S")]);
    }
    columns.extend([Column::Right("BITS/S"), Column::Right("DROPS/S")]);
    if timed {
        columns.extend([Column::Right("NS/PKT"), Column::Right("CPU%")]);
    }
    columns.push(Column::Left("REASONS"));
    let mut table = Table::new(columns);
    for block in &report.blocks {
        let mut cells = vec![
            block.name.clone(),
            block.kind.clone(),
            number(block.packets.rate),
        ];
        if with_devices {
            cells.extend(ways(block));
        }
        cells.extend([scaled(block.bytes.rate * 8.0), number(block.drops.rate)]);
        if timed {
            cells.extend(times(report, block));
        }
        cells.push(reasons(&block.reason_rates));
        table.row(cells);
    }
    if !is_all && report.blocks.len() > 1 {
        table.row(total(report, with_devices));
    }
    table
}

fn total(report: &Report, with_devices: bool) -> Vec<String> {
    let sum = |of: &dyn Fn(&BlockRates) -> f64| report.blocks.iter().map(of).sum::<f64>();
    let of = format!("{} blocks", report.blocks.len());
    let packets = sum(&|block| block.packets.rate);
    let mut cells = vec!["total".to_owned(), of, number(packets)];
    if with_devices {
        let way = |at: usize| {
            let rate = |block: &BlockRates| block.device.and_then(|ways| ways.get(at).copied());
            number(sum(&|block| rate(block).map_or(0.0, |count| count.rate)))
        };
        cells.extend([way(0), way(1)]);
    }
    let (bytes, drops) = (
        sum(&|block| block.bytes.rate),
        sum(&|block| block.drops.rate),
    );
    cells.extend([scaled(bytes * 8.0), number(drops)]);
    if report.times.is_some() {
        cells.extend([String::new(), report.load().map_or(String::new(), percent)]);
    }
    cells.push(String::new());
    cells
}

#[cfg(test)]
pub(crate) mod tests;
