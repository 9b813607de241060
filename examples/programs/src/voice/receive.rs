// SPDX-License-Identifier: GPL-2.0

//! The receiver.

use super::{
    codec::Decoder,
    frame::Frame,
    jitter::{Counts, Jitter},
    wav::Writer,
    RATE,
};
use crate::{
    program::{milliseconds, Totals, TICK},
    transport::Transport,
};
use anyhow::{Context, Result};
use std::{
    io::{Seek, Write},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How long nothing comes after what came was due before that is the end.
const SILENCE: Duration = Duration::from_secs(2);
/// The longest datagram.
const DATAGRAM: usize = 1500;

/// How to listen.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// How long frames are held back.
    pub jitter: Duration,
    /// How long to listen at most.
    pub time: Option<Duration>,
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard(Counts);

impl Heard {
    /// Frames that are not to be heard: they came too late, or never.
    pub fn missing(self) -> u64 {
        self.0.late + self.0.lost
    }

    /// Frames that came.
    pub fn received(self) -> u64 {
        self.0.received
    }

    /// All of it.
    pub fn totals(self) -> Totals {
        Totals::default()
            .with("frames", self.0.frames)
            .with("received", self.0.received)
            .with("late", self.0.late)
            .with("lost", self.0.lost)
            .with("duplicate", self.0.duplicate)
            .with("longest-gap-ms", milliseconds(self.0.gap))
            .with("jitter-ms", milliseconds(self.0.jitter))
    }
}

/// Listens to a stream to its end, and writes it to a file as it is to be heard.
pub fn receive(
    transport: &mut dyn Transport,
    file: impl Write + Seek,
    listening: Listening,
    stop: &AtomicBool,
) -> Result<Heard> {
    let start = Instant::now();
    let last = listening.time.and_then(|time| start.checked_add(time));
    let mut jitter = Jitter::new(listening.jitter);
    let mut output = Writer::new(file)?;
    let mut decoder = None;
    let mut datagram = [0; DATAGRAM];
    loop {
        let now = Instant::now();
        let enough = stop.load(Ordering::Relaxed) || last.is_some_and(|last| now >= last);
        if enough || jitter.over(now, SILENCE) {
            break;
        }
        let until = jitter.due().unwrap_or(now + TICK).min(now + TICK);
        // All that is there comes first: a frame is not late because we are.
        if let Some(length) = transport.receive(&mut datagram, until).context("receive")? {
            let datagram = datagram.get(..length).unwrap_or_default();
            let Some(frame) = Frame::decode(datagram) else {
                continue;
            };
            if frame.end {
                jitter.end(frame.sequence);
                continue;
            }
            if decoder.is_none() {
                let channels = 1 + u16::from(frame.stereo);
                decoder = Some(Decoder::new(channels)?);
                output.set(RATE, channels);
            }
            jitter.insert(transport.arrived(), frame.sequence, frame.opus);
        } else if let Some(decoder) = decoder.as_mut().filter(|_| {
            let due = jitter.due();
            due.is_some_and(|due| due <= Instant::now())
        }) {
            output.write(&decoder.decode(jitter.play().as_deref()))?;
        }
    }
    output.finish()?;
    Ok(Heard(jitter.counts()))
}
