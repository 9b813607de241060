// SPDX-License-Identifier: GPL-2.0

//! From packets of a capture to messages.

use crate::{
    capture::{self, Captured},
    cli::{Cli, Settings},
    export::Export,
    flows::{Flows, Pool},
    live,
    netflow::{key::Place, template::Clock},
    report::Report,
};
use anyhow::Result;
use lana_cli::usage;
use std::{
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering::Relaxed},
        Arc,
    },
    time::Duration,
};

/// How often flows are looked for that are over.
const TICK: Duration = Duration::from_millis(100);

/// What ends the program early.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// Flows, and where they are told of, by the time of packets.
struct Teller {
    flows: Flows,
    export: Export,
    /// The time of the first packet.
    start: Option<Duration>,
    now: Duration,
    swept: Duration,
}

impl Teller {
    /// Milliseconds from the first packet on, which begin anew after 49 days.
    #[expect(clippy::cast_possible_truncation, reason = "it goes round")]
    fn uptime(&self) -> u32 {
        let start = self.start.unwrap_or(self.now);
        self.now.saturating_sub(start).as_millis() as u32
    }

    fn take(&mut self, packet: &Captured<'_>) {
        self.start.get_or_insert(packet.time);
        // Some packets stand in a capture a little too late.
        self.now = self.now.max(packet.time);
        let now = self.uptime();
        let place = Place {
            fills: true,
            ..Place::default()
        };
        self.flows.count(packet.bytes, packet.len, &place, 0, now);
        if self.now.saturating_sub(self.swept) >= TICK {
            self.swept = self.now;
            self.flows.sweep(now, false);
            self.flows.give_back();
            self.tell();
        } else if self.flows.is_due() {
            self.tell();
        }
    }

    /// Tells of all flows that have ended.
    fn tell(&mut self) {
        let clock = Clock {
            uptime: self.uptime(),
            real: u64::try_from(self.now.as_nanos()).unwrap_or(u64::MAX),
        };
        loop {
            let taken = self.flows.take();
            if taken.is_empty() {
                return;
            }
            let counts = self.flows.counts();
            let spec = self.flows.masks.spec;
            let (ignored, lost) = (counts.ignored(), counts.lost());
            self.export.tell(&taken, spec, &clock, ignored, &lost);
        }
    }
}

/// Tells of flows.
#[expect(clippy::needless_pass_by_value, reason = "that is how tools are run")]
pub(crate) fn run(cli: Cli) -> Result<()> {
    let settings = Settings::read(&cli.options, &cli.collectors)?;
    match &cli.read {
        Some(file) => replay(file, &cli, &settings),
        None if cli.devices.is_empty() && cli.lana.is_empty() => {
            Err(usage("-r FILE, -i DEVICE or --lana NAME is missing"))
        }
        None => live::run(&cli, &settings),
    }
}

/// Tells of the flows of a capture.
fn replay(file: &Path, cli: &Cli, settings: &Settings) -> Result<()> {
    let pool = Pool::new(&settings.config, 1)?;
    let mut teller = Teller {
        flows: Flows::new(settings.config, pool)?,
        export: Export::new(settings)?,
        start: None,
        now: Duration::ZERO,
        swept: Duration::ZERO,
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let wanted = cli.count.unwrap_or(u64::MAX);
    let read = capture::read(file, &mut |packet| {
        teller.take(packet);
        if stop.load(Relaxed) || teller.flows.counts().seen() >= wanted {
            return Err(Stopped.into());
        }
        Ok(())
    });
    // What came before something that is wrong is told of.
    teller.flows.sweep(teller.uptime(), true);
    teller.tell();
    let report = Report::new(teller.flows.counts(), teller.export.told(), Vec::new());
    report.print(cli.json)?;
    match read {
        Err(error) if !error.is::<Stopped>() => Err(error),
        _ => Ok(()),
    }
}
