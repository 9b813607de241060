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
pub(crate) use json::json;
use lana_cli::{Block, BlockRates, Column, Count, Scale, Session, Stop, Table};
use lana_netlink::PpeCpu;
use std::{
    collections::{BTreeMap, HashSet},
    thread,
    time::{Duration, Instant, SystemTime},
};

const SECOND: Duration = Duration::from_secs(1);
/// The columns of `stats --watch` that a narrow terminal leaves out, the first ones first.
const LEAST: [&str; 7] = [
    "TYPE", "REASONS", "NS/PKT", "CPU%", "TX/S", "RX/S", "BITS/S",
];

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
            let mut table = table(&report, selection.is_all());
            let columns = session.out.columns().unwrap_or(usize::MAX);
            let hidden = table.leave_out(&LEAST, columns);
            session.out.table(&table)?;
            if !hidden.is_empty() {
                session.out.line(&format!("hidden: {}", hidden.join(" ")))?;
            }
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

/// With what there is in all as the last row: of all blocks that is the engine's, which counts a packet once however many
/// blocks it passes.
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
    if is_all && !report.blocks.is_empty() || report.blocks.len() > 1 {
        table.row(total(report, is_all, with_devices));
    }
    table
}

fn total(report: &Report, is_all: bool, with_devices: bool) -> Vec<String> {
    let sum = |of: fn(&BlockRates) -> f64| report.blocks.iter().map(of).sum::<f64>();
    let (of, [packets, bytes, drops]) = if is_all {
        let engine = &report.engine;
        let rates = [engine.packets, engine.bytes, engine.drops].map(|count| count.rate);
        ("engine".to_owned(), rates)
    } else {
        let rates = [
            sum(|block| block.packets.rate),
            sum(|block| block.bytes.rate),
            sum(|block| block.drops.rate),
        ];
        (format!("{} blocks", report.blocks.len()), rates)
    };
    let mut cells = vec!["total".to_owned(), of, number(packets)];
    if with_devices {
        cells.extend([String::new(), String::new()]);
    }
    cells.extend([scaled(bytes * 8.0), number(drops)]);
    if report.times.is_some() {
        cells.extend([String::new(), report.load().map_or(String::new(), percent)]);
    }
    cells.push(String::new());
    cells
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{json::BlockLine, *};

    /// After so many steps.
    pub(crate) fn sample(step: u64, at: Instant) -> Sample {
        let block = |idp, name: &str, kind: &str, packets: u64| Block {
            idp,
            name: name.into(),
            kind: kind.into(),
            packets: packets * step,
            bytes: packets * 100 * step,
            received: (kind == "eth").then_some(packets / 4 * step),
            drops: BTreeMap::new(),
        };
        let mut filter = block(2, "web-filter", "bpf", 1000);
        filter.drops.insert("filtered".into(), 400 * step);
        Sample {
            at,
            time: SystemTime::UNIX_EPOCH,
            blocks: vec![
                block(1, "eth0", "eth", 1000),
                filter,
                block(3, "web-count", "counter", 600),
                block(4, "idle", "dummy", 0),
            ],
            engine: Engine {
                packets: 1000 * step,
                bytes: 100_000 * step,
                calls: 2600 * step,
                drops: 400 * step,
                unclaimed: 0,
            },
            peers: ["eth0".to_owned()].into(),
        }
    }

    /// What came between two samples that are a second apart.
    pub(crate) fn report() -> Report {
        let begin = Instant::now();
        Report::new(&sample(1, begin), &sample(3, begin + SECOND))
    }

    /// The same, with times of packets that were traced.
    pub(crate) fn timed() -> Report {
        use lana_netlink::spec::{HopAttrs, ProbeAttrs};
        let hop = |(idp, took): (u32, u64)| HopAttrs {
            idp: Some(idp),
            took: Some(took),
            ..Default::default()
        };
        let mut times = Times {
            sample: 8,
            ..Times::default()
        };
        times.add(&ProbeAttrs {
            hop: [(1, 40), (2, 1500), (3, 9)].map(hop).to_vec(),
            ..Default::default()
        });
        Report {
            times: Some(times),
            ..report()
        }
    }

    fn names(words: &[&str], parts: bool) -> Vec<String> {
        let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        let mut report = report();
        report.keep(&Selection::new(&words), parts);
        report.blocks.into_iter().map(|block| block.name).collect()
    }

    #[test]
    fn table_of_rates() {
        let expected = "\
NAME        TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  REASONS
eth0        eth           2000   500  1500   1.60M        0  -
web-filter  bpf           2000     -     -   1.60M      800  filtered 800
web-count   counter       1200     -     -    960k        0  -
idle        dummy            0     -     -       0        0  -
total       engine        2000     -     -   1.60M      800  -
";
        assert_eq!(table(&report(), true).render(false), expected);
    }

    /// Of those that were asked for it is their sum; of one it would be the same again.
    #[test]
    fn total_of_a_selection() {
        let last = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
            let mut report = timed();
            report.keep(&Selection::new(&words), true);
            let text = table(&report, false).render(false);
            text.lines().last().map(str::to_owned)
        };
        let expected = "total       2 blocks       3200   2.56M      800       -   0.3  -";
        assert_eq!(last(&["web"]).as_deref(), Some(expected));
        assert!(last(&["idle"]).is_some_and(|last| last.starts_with("idle ")));
        assert_eq!(last(&["nothing"]), None);
        assert_eq!(
            [0.0, 0.01, 0.0999, 0.1, 250.0].map(percent),
            ["0.0", "<0.1", "<0.1", "0.1", "250.0"]
        );
    }

    #[test]
    fn table_with_times() {
        let expected = "\
NAME        TYPE     PACKETS/S  RX/S  TX/S  BITS/S  DROPS/S  NS/PKT  CPU%  REASONS
eth0        eth           2000   500  1500   1.60M        0      40  <0.1  -
web-filter  bpf           2000     -     -   1.60M      800    1500   0.3  filtered 800
web-count   counter       1200     -     -    960k        0     9.0  <0.1  -
idle        dummy            0     -     -       0        0       -     -  -
total       engine        2000     -     -   1.60M      800       -   0.3  -
";
        assert_eq!(table(&timed(), true).render(false), expected);
        let line = |report: &Report| {
            let block = BlockLine::new(report, &report.blocks[1]);
            serde_json::to_value(block).unwrap()
        };
        let block = line(&timed());
        assert_eq!(block["nanoseconds-per-packet"], 1500.0);
        assert_eq!(block["cpu-percent"], 0.3);
        assert_eq!(line(&report()).get("cpu-percent"), None);
    }

    #[test]
    fn a_narrow_terminal_has_fewer_columns() {
        let left_out = |columns| {
            let mut table = table(&timed(), true);
            let hidden = table.leave_out(&LEAST, columns).join(" ");
            let text = table.fitted(Some(columns), false);
            assert!(text.lines().all(|line| line.len() <= columns), "{text}");
            hidden
        };
        assert_eq!(left_out(100), "");
        assert_eq!(left_out(80), "TYPE");
        assert_eq!(left_out(60), "TYPE REASONS NS/PKT");
        assert_eq!(left_out(40), "TYPE REASONS NS/PKT CPU% TX/S RX/S");
    }

    #[test]
    fn numbers_are_short() {
        for (rate, text) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (9.96, "10"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.00M"),
            (9.999e9, "10.0G"),
            (4e15, "4P"),
        ] {
            assert_eq!(scaled(rate), text, "{rate}");
        }
        assert_eq!(number(12_345_678.4), "12345678");
    }

    #[test]
    fn blocks_are_kept_by_name_and_filter() {
        assert_eq!(names(&[], false).len(), 4);
        assert_eq!(names(&["eth0", "web"], false), ["eth0"]);
        assert_eq!(names(&["web"], true), ["web-filter", "web-count"]);
        assert_eq!(names(&["web", "type=bpf"], true), ["web-filter"]);
        assert_eq!(names(&["bound-to=web-filter"], true), ["eth0"]);
    }
}
