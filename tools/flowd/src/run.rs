// SPDX-License-Identifier: GPL-2.0

//! From packets to messages.

use crate::{
    capture::{self, Captured},
    cli::{Cli, Settings},
    export::{Export, Sent, Sum, Told},
    flows::{Counts, Flows},
    netflow::{key::Place, template::Clock},
};
use anyhow::Result;
use lana_cli::{Globals, Output};
use serde::Serialize;
use std::{
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
        self.flows
            .count(packet.bytes, packet.len, &Place::default(), now);
        if self.now.saturating_sub(self.swept) >= TICK {
            self.swept = self.now;
            self.flows.sweep(now, false);
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
            let (ignored, lost) = (self.flows.ignored(), self.flows.lost());
            let spec = self.flows.masks.spec;
            self.export.tell(&taken, spec, &clock, ignored, &lost);
        }
    }
}

/// Tells of the flows of a capture.
#[expect(clippy::needless_pass_by_value, reason = "that is how tools are run")]
pub(crate) fn run(cli: Cli) -> Result<()> {
    let settings = Settings::read(&cli.options)?;
    let mut teller = Teller {
        flows: Flows::new(settings.config)?,
        export: Export::new(&settings)?,
        start: None,
        now: Duration::ZERO,
        swept: Duration::ZERO,
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let read = capture::read(&cli.read, &mut |packet| {
        teller.take(packet);
        if stop.load(Relaxed) {
            return Err(Stopped.into());
        }
        Ok(())
    });
    // What came before something that is wrong is told of.
    teller.flows.sweep(teller.uptime(), true);
    teller.tell();
    print(&teller, cli.json)?;
    match read {
        Err(error) if !error.is::<Stopped>() => Err(error),
        _ => Ok(()),
    }
}

/// What is printed at the end.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    told: Told,
}

/// Prints the counters.
fn print(teller: &Teller, as_json: bool) -> Result<()> {
    let mut out = Output::standard(&Globals::default());
    let report = Report {
        counts: teller.flows.counts(),
        told: teller.export.told(),
    };
    if as_json {
        out.json_line(&report)?;
        return out.flush();
    }
    let Report { counts, told } = report;
    let numbers = [
        ("packets", counts.packets),
        ("bytes", counts.bytes),
        ("flows", counts.flows),
        ("unsampled", counts.unsampled),
        ("other", counts.other),
        ("malformed", counts.malformed),
        ("lost-packets", counts.lost_packets),
        ("lost-bytes", counts.lost_bytes),
    ];
    for (name, number) in numbers {
        out.line(&format!("{name:13}{number}"))?;
    }
    let Told {
        exported,
        unsent,
        unfit,
        collectors,
    } = told;
    for (name, sum) in [("exported", exported), ("unsent", unsent), ("unfit", unfit)] {
        let Sum {
            flows,
            packets,
            bytes,
        } = sum;
        let text = format!("{name:13}{flows} flows, {packets} packets, {bytes} bytes");
        out.line(&text)?;
    }
    for sent in collectors {
        let error = sent
            .error
            .map_or_else(String::new, |error| format!(" ({error})"));
        let Sent {
            collector,
            messages,
            flows,
            bytes,
            errors,
            ..
        } = sent;
        out.line(&format!(
            "collector    {collector}: {messages} messages, {flows} flows, {bytes} bytes, {errors} errors{error}"
        ))?;
    }
    out.flush()
}
