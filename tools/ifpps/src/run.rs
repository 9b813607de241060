// SPDX-License-Identifier: GPL-2.0

//! Takes a sample each interval, and shows what has come between two.

use crate::{
    blocks::Blocks,
    cli::Cli,
    csv,
    promisc::Promiscuous,
    rates::{report, Median, Report},
    sample::{Sample, Source},
    screen,
    view::View,
};
use anyhow::{Context, Result};
use crossterm::event::KeyEvent;
use lana_cli::{
    screen::{show, Live},
    usage, Globals, Output, Stop,
};
use ratatui::Frame;
use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

/// What goes from report to report.
struct Meter {
    source: Source,
    last: Sample,
    interval: Duration,
    named: Vec<String>,
    median: Option<Median>,
}

impl Meter {
    fn new(cli: &Cli) -> Result<Self> {
        let mut named = cli.devices.clone();
        for name in &cli.dev {
            if !named.contains(name) {
                named.push(name.clone());
            }
        }
        let mut source = Source::new(Path::new("/"), named.clone(), Blocks::new());
        let last = source.take()?;
        if let Some(name) = named.iter().find(|name| !last.devices.contains_key(*name)) {
            return Err(usage("there is no such device")).with_context(|| name.clone());
        }
        Ok(Meter {
            source,
            last,
            interval: Duration::from_millis(cli.interval.into()),
            named,
            median: cli.median.then(Median::default),
        })
    }

    /// When the next sample is due.
    fn due(&self) -> Instant {
        self.last.at + self.interval
    }

    /// The counters, without rates.
    fn first(&self) -> Report {
        let names = if self.named.is_empty() {
            self.last.devices.keys().cloned().collect()
        } else {
            self.named.clone()
        };
        report(&self.last, &self.last, self.interval, &names)
    }

    fn next(&mut self) -> Result<Report> {
        let sample = self.source.take()?;
        let mut names = self.named.clone();
        if names.is_empty() {
            let before = self.last.devices.keys();
            let all: BTreeSet<_> = sample.devices.keys().chain(before).cloned().collect();
            names = all.into_iter().collect();
        }
        let mut report = report(&self.last, &sample, self.interval, &names);
        if let Some(median) = &mut self.median {
            median.apply(&mut report);
        }
        self.last = sample;
        Ok(report)
    }
}

/// Does what the command line says.
#[expect(clippy::needless_pass_by_value, reason = "plain() gives it away")]
pub(crate) fn run(cli: Cli) -> Result<()> {
    let mut meter = Meter::new(&cli)?;
    let stop = Stop::new()?;
    if !cli.no_warn {
        warn(&meter);
    }
    let mut promiscuous = Vec::new();
    if cli.promisc {
        for (name, link) in &meter.last.links {
            promiscuous.push(Promiscuous::new(name, link.index)?);
        }
    }
    if cli.csv || cli.json {
        return print(&cli, &mut meter, &stop);
    }
    let view = View {
        cpus: cli.num_cpus,
        percentage: cli.percentage,
        ..View::default()
    };
    let report = meter.first();
    let mut shown = Shown {
        meter,
        view,
        report,
    };
    show(&mut shown, &stop, "-c prints CSV, -j JSON")
}

/// What the screen shows.
struct Shown {
    meter: Meter,
    view: View,
    report: Report,
}

impl Live for Shown {
    fn draw(&mut self, frame: &mut Frame<'_>) {
        screen::draw(frame, &self.report, &mut self.view);
    }

    fn key(&mut self, key: KeyEvent) {
        self.view.key(key);
    }

    fn due(&self) -> Instant {
        self.meter.due()
    }

    fn next(&mut self) -> Result<()> {
        let report = self.meter.next()?;
        if !self.view.scroll.paused {
            self.report = report;
        }
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.view.scroll.quit
    }
}

/// Says which devices have nothing to tell.
fn warn(meter: &Meter) {
    for name in &meter.named {
        let state = fs::read_to_string(format!("/sys/class/net/{name}/operstate"));
        if state.is_ok_and(|state| state.trim() == "down") {
            // Nobody need be there to read it.
            let _ = writeln!(io::stderr(), "ifpps: warning: {name} is down");
        }
    }
}

fn print(cli: &Cli, meter: &mut Meter, stop: &Stop) -> Result<()> {
    let globals = Globals {
        json: cli.json,
        ..Globals::default()
    };
    let mut out = Output::standard(&globals);
    let mut header = cli.csv && !cli.omit_header;
    loop {
        stop.sleep(meter.due());
        if stop.has_come() {
            return Ok(());
        }
        let report = meter.next()?;
        if cli.json {
            out.json_line(&report)?;
        } else {
            if header {
                out.line(&csv::header(&report))?;
                header = false;
            }
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            for line in csv::lines(&report, now.unwrap_or_default().as_secs_f64()) {
                out.line(&line)?;
            }
        }
        out.flush()?;
        if !cli.endless {
            return Ok(());
        }
    }
}
