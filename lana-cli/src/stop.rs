// SPDX-License-Identifier: GPL-2.0

//! The signals that end a tool that goes on and on.

use anyhow::{Context, Result};
use signal_hook::{consts, flag};
use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

/// As long as this nobody looks whether a signal has come.
pub(crate) const NAP: Duration = Duration::from_millis(50);

/// Whether one of the signals has come that end us.
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Catches them from now on.
    pub fn new() -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP] {
            flag::register(signal, stop.clone()).context("signals")?;
        }
        Ok(Stop(stop))
    }

    /// Whether one has come.
    pub fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sleeps until then, or until a signal.
    pub fn sleep(&self, until: Instant) {
        while !self.has_come() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(NAP));
        }
    }
}
