// SPDX-License-Identifier: GPL-2.0

//! What every program does: end when told to, and say what became of it.

use anyhow::{Context, Result};
use clap::{Args, Parser};
use serde_json::{Map, Value};
use signal_hook::{consts, flag};
use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    sync::{atomic::AtomicBool, Arc},
    time::Duration,
};

/// How often a program that waits looks whether it is to end.
pub const TICK: Duration = Duration::from_millis(100);

/// What all of the programs let one choose.
#[derive(Debug, Clone, Copy, Args)]
pub struct Common {
    /// Print the totals as a JSON object
    #[arg(short, long, global = true)]
    json: bool,
}

impl Common {
    /// Prints the totals, on a line.
    pub fn print(self, totals: &Totals) -> Result<()> {
        let text = if self.json {
            totals.json()
        } else {
            totals.text()
        };
        Ok(writeln!(io::stdout(), "{text}")?)
    }
}

/// Runs a program on the command line of the process: 0 is all well, 1 that something was lost, 2 that
/// it could not be done.
pub fn run<C: Parser>(name: &str, program: impl FnOnce(&C) -> Result<bool>) -> ExitCode {
    let done = match C::try_parse() {
        Ok(cli) => program(&cli),
        // Help and version, which clap prints without a word when nobody can have read them.
        Err(error) if !error.use_stderr() => {
            let print = || error.print().and_then(|()| io::stdout().flush());
            print().map(|()| true).context("standard output")
        }
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{name}: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Says that the block is there, and can be bound to others.
pub fn ready(name: impl Display) {
    say(&format!("ready {name}"));
}

fn say(text: &str) {
    // A name may be anything, but nothing steers a terminal.
    let clean = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    let text: String = text.chars().map(clean).collect();
    // Nobody need be there to read it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Set when the program is to end: by a signal.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [consts::SIGINT, consts::SIGTERM] {
        flag::register(signal, Arc::clone(&stop)).context("signals")?;
    }
    Ok(stop)
}

/// Reads a time in seconds, from a command line.
pub fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

/// Reads a number of 16 bits, in hexadecimal if it begins so, from a command line.
pub fn number16(text: &str) -> Result<u16> {
    Ok(match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16)?,
        None => text.parse()?,
    })
}

/// A time in milliseconds, to the microsecond.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Numbers with names, in the order they are told.
#[derive(Debug, Default)]
pub struct Totals(Vec<(&'static str, Value)>);

impl Totals {
    /// One number more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn text(&self) -> String {
        let entries = self.0.iter();
        let words: Vec<_> = entries
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.join(" ")
    }

    fn json(&self) -> String {
        // A name of two words has a hyphen, as the others.
        let entries = self.0.iter();
        let map: Map<_, _> = entries
            .map(|(name, value)| (name.replace(' ', "-"), value.clone()))
            .collect();
        Value::from(map).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_a_line() {
        let totals = Totals::default()
            .with("frames sent", 50_u64)
            .with("gap-ms", milliseconds(Duration::from_nanos(20_123_400)));
        assert_eq!(totals.text(), "frames sent=50 gap-ms=20.123");
        assert_eq!(totals.json(), r#"{"frames-sent":50,"gap-ms":20.123}"#);
    }

    #[test]
    fn numbers_are_read() {
        assert_eq!(number16("0x88b5").unwrap(), 0x88b5);
        assert_eq!(number16("2048").unwrap(), 2048);
        assert!(number16("0x10000").is_err());
        assert_eq!(seconds("0.5").unwrap(), Duration::from_millis(500));
        assert!(seconds("-1").is_err());
    }
}
