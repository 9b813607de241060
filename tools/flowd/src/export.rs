// SPDX-License-Identifier: GPL-2.0

//! Messages to collectors.

use crate::{
    cli::Settings,
    collector::{Collector, Look},
    netflow::{
        config::{Config, LONGEST},
        exporter::{Exporter, Statistics, Tally},
        key::Spec,
        record::Flow,
        template::Clock,
    },
};
use anyhow::{Context, Result};
use serde::Serialize;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Messages that are sent at once.
const BURST: u32 = 8;
/// How long it is from one look at a connection that is waited for to the next.
const LOOK: Duration = Duration::from_millis(20);

/// Flows, and what they have seen.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sum {
    pub(crate) flows: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl From<&Tally> for Sum {
    fn from(tally: &Tally) -> Self {
        Self {
            flows: tally.flows,
            packets: tally.packets,
            bytes: tally.bytes,
        }
    }
}

/// What a collector was sent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sent {
    pub(crate) collector: String,
    pub(crate) messages: u64,
    pub(crate) flows: u64,
    pub(crate) bytes: u64,
    pub(crate) errors: u64,
    /// The last one.
    pub(crate) error: Option<String>,
}

/// What has become of flows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Told {
    pub(crate) exported: Sum,
    /// What no collector was sent.
    pub(crate) unsent: Sum,
    /// What the version has no record for: flows of IPv6, in version 5.
    pub(crate) unfit: Sum,
    pub(crate) collectors: Vec<Sent>,
}

/// What has been told so far.
#[derive(Default)]
struct Progress {
    exported: Tally,
    /// What no collector was sent.
    unsent: Tally,
    /// What the version has no record for.
    unfit: Tally,
}

/// What tells of flows.
pub(crate) struct Export {
    exporter: Exporter,
    config: Config,
    collectors: Vec<Collector>,
    progress: Progress,
    /// When the next message may be sent.
    next: Instant,
    /// How long it is from one to the next.
    pause: Duration,
}

impl Export {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let config = settings.config;
        let most = usize::try_from(LONGEST)?;
        let collectors = settings.collectors.iter().flatten();
        let rate = u32::try_from(config.rate.0)?;
        Ok(Self {
            exporter: Exporter::new(most).context("no memory")?,
            config,
            collectors: collectors
                .map(|target| Collector::new(*target, config.source))
                .collect::<Result<_>>()?,
            progress: Progress::default(),
            next: Instant::now(),
            pause: Duration::from_secs(1) / rate.max(1),
        })
    }

    /// Tells of flows, as fast as it may: it waits where they are more. `ignored` packets belong to none, and `lost` is
    /// what had no room.
    pub(crate) fn tell<'a>(
        &mut self,
        flows: impl IntoIterator<Item = &'a Flow>,
        spec: Spec,
        clock: &Clock,
        ignored: u64,
        lost: &Tally,
    ) {
        let Self {
            exporter,
            config,
            collectors,
            progress,
            next,
            pause,
        } = self;
        let mut all_lost = *lost;
        all_lost.add(&progress.unsent);
        all_lost.add(&progress.unfit);
        exporter.statistics = Statistics {
            ignored,
            lost: all_lost,
            ..exporter.statistics
        };
        while look(collectors, exporter, clock) {
            thread::sleep(LOOK);
        }
        let format = config.format(collectors.iter().any(|to| to.target.is_v6()));
        let mut send = |message: &[u8], tally: &Tally| {
            // What was not sent in the past is not sent all at once.
            let now = Instant::now();
            *next = (*next).max(now.checked_sub(*pause * BURST).unwrap_or(now)) + *pause;
            thread::sleep(next.saturating_duration_since(now));
            let mut went = false;
            for collector in collectors.iter_mut() {
                went |= collector.send(message, tally);
            }
            let told = if went {
                &mut progress.exported
            } else {
                &mut progress.unsent
            };
            told.add(tally);
        };
        exporter.set_format(&format, clock, &mut send);
        let mut unfit = Tally::default();
        for flow in flows {
            if !exporter.add(flow, spec, clock, &mut send) {
                unfit.add(&Tally::of(flow));
            }
        }
        exporter.finish(clock, &mut send);
        progress.unfit.add(&unfit);
    }

    /// What has become of the flows.
    pub(crate) fn told(&self) -> Told {
        let collectors = self.collectors.iter().map(|collector| Sent {
            collector: collector.target.to_string(),
            messages: collector.messages,
            flows: collector.flows,
            bytes: collector.bytes,
            errors: collector.errors,
            error: collector.error.clone(),
        });
        Told {
            exported: (&self.progress.exported).into(),
            unsent: (&self.progress.unsent).into(),
            unfit: (&self.progress.unfit).into(),
            collectors: collectors.collect(),
        }
    }
}

/// Looks after connections. Says whether flows are to wait for one.
fn look(collectors: &mut [Collector], exporter: &mut Exporter, clock: &Clock) -> bool {
    let (mut begins, mut waits) = (false, false);
    for collector in collectors {
        let look = collector.look();
        begins |= look == Look::Begins;
        waits |= look == Look::Waits;
    }
    if begins {
        exporter.refresh(clock);
    }
    waits
}
