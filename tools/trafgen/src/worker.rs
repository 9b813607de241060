// SPDX-License-Identifier: GPL-2.0

//! What one CPU does: it writes frames and sends them, as fast as it can or at a pace.

use crate::{
    amount::Rate,
    output::{Output, Totals},
    writer::Writer,
};
use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// When frames leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as they can.
    Full,
    /// So long after one another.
    Gap(Duration),
    /// At a rate.
    Rate(Rate),
    /// As they were captured.
    Captured,
}

/// What all CPUs have sent together.
#[derive(Debug, Default)]
pub struct Sent {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Sent {
    fn add(&self, totals: Totals) {
        self.frames.fetch_add(totals.frames, Ordering::Relaxed);
        self.bytes.fetch_add(totals.bytes, Ordering::Relaxed);
    }

    /// So far.
    pub fn totals(&self) -> Totals {
        Totals {
            frames: self.frames.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Frames that a CPU sends.
pub struct Worker {
    /// Where they go.
    pub output: Box<dyn Output>,
    /// What they are.
    pub writer: Writer,
    /// When they leave.
    pub pace: Pace,
    /// How many; none for ever.
    pub count: Option<u64>,
    /// Time passes in the output only, as in a capture that is written.
    pub virtual_time: bool,
}

/// Who is late catches up for so long; then what was missed is forgotten.
const LATEST: Duration = Duration::from_millis(100);
/// How soon a wait finds out that it is to stop.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

impl Worker {
    /// Sends until all are sent or it is to stop.
    pub fn run(mut self, stop: &AtomicBool, sent: &Sent) -> io::Result<()> {
        let begun = Instant::now();
        let (mut due, mut now) = (Duration::ZERO, Duration::ZERO);
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 && !stop.load(Ordering::Relaxed) {
            if self.pace == Pace::Captured {
                due += self.writer.gap();
            }
            if self.virtual_time {
                self.output.at(due);
            } else if self.pace != Pace::Full {
                // Who is late need not ask for the time again, which is a call.
                if due > now {
                    now = begun.elapsed();
                    due = due.max(now.saturating_sub(LATEST));
                }
                if due > now && !wait(begun + due, stop) {
                    break;
                }
            }
            let totals = self.output.send(&mut self.writer, left)?;
            sent.add(totals);
            left -= totals.frames.min(left);
            due += match self.pace {
                Pace::Full | Pace::Captured => Duration::ZERO,
                Pace::Gap(gap) => gap,
                Pace::Rate(rate) => rate.gap(usize::try_from(totals.bytes).unwrap_or_default()),
            };
        }
        self.output.finish()
    }
}

/// Waits until that time: false if it is not to.
fn wait(time: Instant, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        let rest = time.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return true;
        }
        thread::sleep(rest.min(LONGEST_SLEEP));
    }
    false
}
