// SPDX-License-Identifier: GPL-2.0

//! Numbered datagrams that are answered: `ping N` by `pong N`, each a line of text. What follows
//! the line is the padding of a short Ethernet frame.

use crate::{
    program::{milliseconds, Totals, TICK},
    transport::Transport,
};
use anyhow::Result;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one can choose.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Only answer.
    pub listen: bool,
    /// End after so many have been sent, or answered.
    pub count: Option<u64>,
    /// Time between two.
    pub interval: Duration,
}

/// A datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Ping(u64),
    Pong(u64),
}

impl Message {
    fn encode(self) -> Vec<u8> {
        match self {
            Message::Ping(number) => format!("ping {number}\n"),
            Message::Pong(number) => format!("pong {number}\n"),
        }
        .into_bytes()
    }

    fn decode(datagram: &[u8]) -> Option<Self> {
        let line = datagram.split(|&byte| byte == b'\n').next()?;
        let (word, number) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        let number = number.parse().ok()?;
        match word {
            "ping" => Some(Message::Ping(number)),
            "pong" => Some(Message::Pong(number)),
            _ => None,
        }
    }
}

/// What became of the datagrams.
#[derive(Debug, Default)]
pub struct Outcome {
    sent: u64,
    answered: u64,
    /// Round trips.
    times: Vec<Duration>,
}

impl Outcome {
    /// Datagrams without an answer.
    pub fn lost(&self) -> u64 {
        self.sent - self.times.len() as u64
    }

    /// All of it.
    pub fn totals(&self) -> Totals {
        let totals = Totals::default()
            .with("sent", self.sent)
            .with("received", self.times.len())
            .with("lost", self.lost())
            .with("answered", self.answered);
        let (Some(least), Some(most)) = (self.times.iter().min(), self.times.iter().max()) else {
            return totals;
        };
        let sum: Duration = self.times.iter().sum();
        let mean = sum.div_f64(u32::try_from(self.times.len()).unwrap_or(u32::MAX).into());
        totals
            .with("rtt-min-ms", milliseconds(*least))
            .with("rtt-mean-ms", milliseconds(mean))
            .with("rtt-max-ms", milliseconds(*most))
    }
}

/// Sends and answers datagrams until it is to end.
pub fn run(transport: &mut dyn Transport, options: Options, stop: &AtomicBool) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut waiting = BTreeMap::new();
    let mut next = Instant::now();
    let mut datagram = [0; 1500];
    loop {
        let now = Instant::now();
        let stopped = stop.load(Ordering::Relaxed);
        let done = if options.listen {
            outcome.answered
        } else {
            outcome.sent
        };
        let enough = stopped || options.count.is_some_and(|count| done >= count);
        if enough && waiting.values().all(|&sent| now > sent + PATIENCE) {
            return Ok(outcome);
        }
        if !options.listen && !enough && now >= next {
            transport.send(&Message::Ping(outcome.sent).encode())?;
            waiting.insert(outcome.sent, now);
            outcome.sent += 1;
            next += options.interval;
        }
        let sending = !options.listen && !enough;
        let until = if sending {
            next.min(now + TICK)
        } else {
            now + TICK
        };
        let Some(length) = transport.receive(&mut datagram, until)? else {
            continue;
        };
        match Message::decode(datagram.get(..length).unwrap_or_default()) {
            Some(Message::Ping(number)) => {
                transport.send(&Message::Pong(number).encode())?;
                outcome.answered += 1;
            }
            Some(Message::Pong(number)) => {
                // Only the first answer counts.
                let sent = waiting.remove(&number);
                outcome
                    .times
                    .extend(sent.map(|sent: Instant| sent.elapsed()));
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io, os::unix::net::UnixDatagram, thread};

    const OPTIONS: Options = Options {
        listen: false,
        count: Some(20),
        interval: Duration::from_millis(1),
    };

    #[test]
    fn lines_are_read_and_written() {
        for message in [Message::Ping(0), Message::Pong(u64::MAX)] {
            let mut datagram = message.encode();
            datagram.resize(46, 0);
            assert_eq!(Message::decode(&datagram), Some(message));
        }
        for text in ["", "\n", "ping", "ping x", "ping -1", "pang 1", "ping 1 2"] {
            assert_eq!(Message::decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn all_are_answered() {
        let (mut here, mut there) = UnixDatagram::pair().unwrap();
        let listener = thread::spawn(move || {
            let options = Options {
                listen: true,
                ..OPTIONS
            };
            run(&mut there, options, &AtomicBool::new(false)).unwrap()
        });
        let outcome = run(&mut here, OPTIONS, &AtomicBool::new(false)).unwrap();
        assert_eq!((outcome.sent, outcome.lost()), (20, 0));
        assert_eq!(outcome.times.len(), 20);
        let answers = listener.join().unwrap();
        assert_eq!((answers.answered, answers.sent), (20, 0));
    }

    /// Answers the even ones, twice.
    struct Even(Vec<Vec<u8>>);

    impl Transport for Even {
        fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
            if let Some(Message::Ping(number)) = Message::decode(datagram) {
                let answers = if number % 2 == 0 { 2 } else { 0 };
                self.0.extend(vec![Message::Pong(number).encode(); answers]);
            }
            Ok(())
        }

        fn receive(&mut self, datagram: &mut [u8], until: Instant) -> io::Result<Option<usize>> {
            let Some(answer) = self.0.pop() else {
                thread::sleep(until.saturating_duration_since(Instant::now()));
                return Ok(None);
            };
            datagram[..answer.len()].copy_from_slice(&answer);
            Ok(Some(answer.len()))
        }
    }

    #[test]
    fn losses_are_counted_and_duplicates_are_not() {
        let mut even = Even(Vec::new());
        let outcome = run(&mut even, OPTIONS, &AtomicBool::new(false)).unwrap();
        assert_eq!((outcome.sent, outcome.lost()), (20, 10));
    }
}
