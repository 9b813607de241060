// SPDX-License-Identifier: GPL-2.0

//! dinr-send ADDRESS: the sender of the report "A Distributed ICMP Network Responder (DINR) service". It sends echo requests
//! of 26 bytes as fast as it can, or at a rate, and prints when it began, when it ended and how many it has sent. It also
//! counts the answers.

mod message;
mod sys;
mod tally;

use anyhow::{Context, Result};
use clap::Parser;
use message::{answered, request};
use rustix::{
    event::{poll, PollFd, PollFlags, Timespec},
    io::Errno,
    net::{
        ipproto, recv, sendto, socket, sockopt, AddressFamily, RecvFlags, SendFlags, SocketType,
    },
};
use serde_json::json;
use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::OwnedFd,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use sys::local_time;
use tally::Tally;

/// Send echo requests, and tell how many were sent and answered
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Where to
    address: Ipv4Addr,
    /// How many to send
    #[arg(short, long, default_value_t = 1_000_000)]
    count: u64,
    /// How many a second; without it, as many as possible
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    rate: Option<u64>,
    /// Milliseconds to wait for the answers to the last ones
    #[arg(short, long, default_value_t = 1000)]
    wait: u64,
    /// Print JSON in place of text
    #[arg(short, long)]
    json: bool,
}

/// Bytes of the kernel's memory for answers.
const BUFFER: usize = 4 << 20;
/// How often the receiving thread looks at `stop`.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

/// A time of the day, as the report's sender prints it.
fn stamp(seconds: i64, millis: u32) -> String {
    let [year, month, day, hour, minute, second] = local_time(seconds);
    format!("{year:04}:{month:02}:{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

fn now() -> Result<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(stamp(
        i64::try_from(since.as_secs())?,
        since.subsec_millis(),
    ))
}

/// When a request is to be sent, after the first one.
fn due(number: u64, rate: u64) -> Duration {
    let nanos = u128::from(number) * 1_000_000_000 / u128::from(rate);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Sends a request. Tries again while the queue is full.
fn send(socket: &OwnedFd, message: &[u8], to: SocketAddrV4) -> Result<()> {
    loop {
        match sendto(socket, message, SendFlags::empty(), &to) {
            Ok(_) => return Ok(()),
            Err(Errno::NOBUFS | Errno::INTR | Errno::AGAIN) => thread::yield_now(),
            Err(error) => return Err(error).with_context(|| format!("sending to {}", to.ip())),
        }
    }
}

/// Receives answers until `stop` is set, and keeps their number in `done`.
fn receive(
    socket: &OwnedFd,
    from: Ipv4Addr,
    identifier: u16,
    count: u64,
    done: &AtomicU64,
    stop: &AtomicBool,
) -> Result<Tally> {
    let (mut tally, mut buffer) = (Tally::default(), [0; 256]);
    while !stop.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(socket, PollFlags::IN)];
        match poll(&mut ready, Some(&LOOK)) {
            Ok(0) | Err(Errno::INTR) => continue,
            other => other.context("poll")?,
        };
        while let Ok((length, _)) = recv(socket, &mut buffer, RecvFlags::DONTWAIT) {
            let number = buffer
                .get(..length)
                .and_then(|packet| answered(packet, from, identifier));
            if let Some(number) = number.filter(|number| *number < count) {
                tally.add(number);
                done.store(tally.answered, Ordering::Relaxed);
            }
        }
    }
    Ok(tally)
}

fn run(cli: &Cli) -> Result<()> {
    let socket = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP))
        .context("a raw socket")?;
    // Without the right to more than net.core.rmem_max it has less.
    let _ = sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER);
    let identifier = u16::try_from(std::process::id() & 0xffff)?;
    let to = SocketAddrV4::new(cli.address, 0);
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| -> Result<()> {
        let receiver =
            scope.spawn(|| receive(&socket, cli.address, identifier, cli.count, &done, &stop));
        let (begun, start) = (now()?, Instant::now());
        if !cli.json {
            writeln!(io::stdout(), "{begun}")?;
        }
        let mut sent = Ok(());
        for number in 0..cli.count {
            if let Some(rate) = cli.rate {
                thread::sleep(
                    (start + due(number, rate)).saturating_duration_since(Instant::now()),
                );
            }
            sent = send(&socket, &request(identifier, number), to);
            if sent.is_err() {
                break;
            }
        }
        let (ended, seconds) = (now()?, start.elapsed().as_secs_f64());
        let last = Instant::now() + Duration::from_millis(cli.wait);
        while sent.is_ok() && done.load(Ordering::Relaxed) < cli.count && Instant::now() < last {
            thread::sleep(
                Duration::from_millis(10).min(last.saturating_duration_since(Instant::now())),
            );
        }
        stop.store(true, Ordering::Relaxed);
        let tally = receiver
            .join()
            .map_err(|_| anyhow::anyhow!("a thread ended"))??;
        sent?;
        let gap = tally.gap(cli.count);
        if cli.json {
            let found = json!({
                "begun": begun, "ended": ended, "seconds": seconds, "sent": cli.count, "answered": tally.answered,
                "twice": tally.twice, "gap": gap, "last": tally.last(),
            });
            writeln!(io::stdout(), "{found}")?;
        } else {
            writeln!(
                io::stdout(),
                "{ended}\nnumbr sent: {}\nanswered: {}",
                cli.count,
                tally.answered
            )?;
            if tally.twice > 0 {
                writeln!(io::stdout(), "answered twice: {}", tally.twice)?;
            }
            if gap > 0 {
                writeln!(io::stdout(), "longest gap: {gap}")?;
            }
        }
        Ok(())
    })
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = run(&cli) {
        let _ = writeln!(io::stderr(), "dinr-send: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_report_s() {
        let text = stamp(1_521_931_320, 61);
        assert_eq!(text.len(), "2018:03:24 16:42:00.061".len());
        // Minutes and seconds are the same in nearly every time zone, and so is the year.
        assert!(
            text.starts_with("2018:03:2") && text.ends_with(":00.061"),
            "{text}"
        );
    }

    #[test]
    fn requests_are_due_at_the_rate() {
        assert_eq!(due(0, 3), Duration::ZERO);
        assert_eq!(due(3, 3), Duration::from_secs(1));
        assert_eq!(due(1_000_000_000, 1_000_000_000), Duration::from_secs(1));
        assert_eq!(due(u64::MAX, 1), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn the_arguments_are_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["dinr-send", "50.50.50.50", "--rate", "0"]).is_err());
        assert!(Cli::try_parse_from(["dinr-send", "50.50.50"]).is_err());
    }
}
