// SPDX-License-Identifier: GPL-2.0

//! Loss and round-trip time of the link, from the keepalives of both hosts.

use crate::{message::Link, seal::Window, Time};
use std::{collections::VecDeque, time::Duration};

/// How many keepalives a measurement of loss looks back.
const SAMPLES: usize = 64;
/// With fewer messages than these a measurement tells nothing.
const LEAST: u64 = 20;

/// What has been measured. Loss is a share, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// Loss of messages to the other host.
    pub loss_out: Option<f64>,
    /// Loss of messages from it.
    pub loss_in: Option<f64>,
    /// The mean round-trip time, of which later ones weigh more.
    pub round_trip: Option<Duration>,
}

impl Measured {
    /// The higher loss of both directions.
    pub fn loss(&self) -> Option<f64> {
        Some(self.loss_out?.max(self.loss_in?))
    }
}

/// Counts of messages: how many have been sent, as far as the receiver knows, and how many came.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    sent: u64,
    came: u64,
}

impl Counts {
    fn loss_since(self, then: Counts) -> Option<f64> {
        let sent = self.sent.checked_sub(then.sent)?;
        let came = self.came.checked_sub(then.came)?;
        if sent < LEAST {
            return None;
        }
        let share = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        Some((1.0 - share(came) / share(sent)).clamp(0.0, 1.0))
    }
}

/// The measurement of a session.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// When keepalives left, by sequence number.
    left: VecDeque<(u64, Time)>,
    /// The last keepalive that came, and when.
    came: Option<(u64, Time)>,
    samples: VecDeque<(Counts, Counts)>,
    pub(crate) measured: Measured,
}

impl Meter {
    /// A keepalive leaves: what it tells.
    pub(crate) fn leaves(&mut self, sequence: u64, window: &Window, now: Time) -> Link {
        if self.left.len() == SAMPLES {
            self.left.pop_front();
        }
        self.left.push_back((sequence, now));
        let (echo, then) = self.came.unwrap_or((0, now));
        let age = now.saturating_sub(then).as_micros();
        Link {
            highest: window.highest,
            received: window.received,
            echo,
            age: u32::try_from(age).unwrap_or(u32::MAX),
        }
    }

    /// One of the other host has come.
    pub(crate) fn comes(&mut self, sequence: u64, link: &Link, window: &Window, now: Time) {
        if self.came.is_none_or(|(last, _)| last < sequence) {
            self.came = Some((sequence, now));
        }
        let left = self.left.iter().find(|(number, _)| *number == link.echo);
        if let Some((_, left)) = left {
            let age = Duration::from_micros(link.age.into());
            let trip = now.saturating_sub(*left).saturating_sub(age);
            let mean = self.measured.round_trip.unwrap_or(trip);
            self.measured.round_trip = Some((mean * 7 + trip) / 8);
        }
        let out = Counts {
            sent: link.highest,
            came: link.received,
        };
        let within = Counts {
            sent: window.highest,
            came: window.received,
        };
        let first = self.samples.front().copied().unwrap_or_default();
        self.measured.loss_out = out.loss_since(first.0).or(self.measured.loss_out);
        self.measured.loss_in = within.loss_since(first.1).or(self.measured.loss_in);
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((out, within));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two meters over a link that takes 30 ms one way, and 10 ms the other. Every 4th message to one side is lost.
    #[test]
    fn loss_and_round_trip() {
        let (mut here, mut there) = (Meter::default(), Meter::default());
        let (mut to_here, mut to_there) = (Window::default(), Window::default());
        let ms = Duration::from_millis;
        for number in 1..=200 {
            let now = ms(1000 * number);
            let link = here.leaves(number, &to_here, now);
            to_there.accept(number);
            there.comes(number, &link, &to_there, now + ms(30));
            let link = there.leaves(number, &to_there, now + ms(500));
            if number % 4 != 0 {
                to_here.accept(number);
                here.comes(number, &link, &to_here, now + ms(510));
            }
        }
        let near = |loss: Option<f64>, share: f64| (loss.unwrap() - share).abs() < 0.03;
        assert!(near(here.measured.loss_in, 0.25), "{:?}", here.measured);
        assert!(near(here.measured.loss_out, 0.0), "{:?}", here.measured);
        assert!(near(there.measured.loss_out, 0.25), "{:?}", there.measured);
        assert!(near(there.measured.loss_in, 0.0), "{:?}", there.measured);
        assert!(near(here.measured.loss(), 0.25));
        assert_eq!(here.measured.round_trip, Some(ms(40)));
        assert_eq!(there.measured.round_trip, Some(ms(40)));
    }

    #[test]
    fn old_loss_is_forgotten() {
        let mut meter = Meter::default();
        let mut window = Window::default();
        let mut sequence = 0;
        for number in 0..300 {
            sequence += if number < 100 { 2 } else { 1 };
            window.accept(sequence);
            meter.comes(sequence, &Link::default(), &window, Duration::ZERO);
            match number {
                99 => assert!(meter.measured.loss_in.unwrap() > 0.4),
                299 => assert_eq!(meter.measured.loss_in, Some(0.0)),
                _ => {}
            }
        }
    }
}
