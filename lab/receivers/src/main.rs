// SPDX-License-Identifier: GPL-2.0

//! capture-receive METHOD NAME: receives the packets of `lab/load.py` and says, as JSON, what came and what it took. It
//! says `ready` on the standard error, and ends by a signal, when nothing comes any more.

mod sys;
mod tally;

use anyhow::{Context, Result};
use clap::Parser;
use lana_receive::{open, Fanout, Method, Options, Source};
use rustix::thread::{sched_setaffinity, CpuSet};
use serde_json::{json, Value};
use signal_hook::{consts, flag};
use std::{
    fs,
    io::{self, Write},
    process::ExitCode,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Barrier,
    },
    thread,
};
use sys::{now, processor_time, ran};
use tally::Tally;

/// Receive the packets of lab/load.py, and tell what came
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// How to receive them
    #[arg(value_enum)]
    method: Method,
    /// The device; with PF_LANA the name of the block
    name: String,
    /// The CPUs to run on
    #[arg(long, value_delimiter = ',')]
    cpus: Vec<usize>,
    /// A thread and a socket for each of these CPUs; with AF_XDP for each queue, too
    #[arg(long)]
    each: bool,
    /// Bytes of the kernel's memory for packets: a power of two
    #[arg(long, default_value_t = 1 << 20)]
    buffer: u32,
    /// Nanoseconds after the last packet left in which one is not yet late
    #[arg(long, default_value_t = 2_000_000)]
    grace: u64,
}

/// What a thread has seen.
struct Part {
    tally: Tally,
    lost: u64,
    memory: usize,
}

/// Runs this thread on these CPUs alone.
fn run_on(cpus: &[usize]) -> io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Receives until it is to stop and nothing comes.
fn receive(source: &mut dyn Source, stop: &AtomicBool) -> Result<Part> {
    let mut tally = Tally::with_room(1 << 16);
    loop {
        let stopped = stop.load(Ordering::Relaxed);
        if source.batch(&mut |packet| tally.add(packet.data, now))? == 0 && stopped {
            break;
        }
    }
    Ok(Part {
        tally,
        lost: source.lost()?,
        memory: source.memory(),
    })
}

/// A line of a file of /proc that begins so: its first number.
fn said(file: &str, start: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn run(cli: &Cli) -> Result<Value> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [consts::SIGINT, consts::SIGTERM] {
        flag::register(signal, Arc::clone(&stop)).context("signals")?;
    }
    run_on(&cli.cpus)?;
    let count = if cli.each { cli.cpus.len().max(1) } else { 1 };
    let mut sources = Vec::new();
    for number in 0..count {
        let lana = matches!(
            cli.method,
            Method::Lana | Method::LanaMmsg | Method::LanaRing
        );
        let name = if lana && cli.each {
            format!("{}{number}", cli.name)
        } else {
            cli.name.clone()
        };
        let group = u16::try_from(std::process::id() & 0xffff)?;
        let options = Options {
            queue: u32::try_from(number)?,
            fanout: if cli.each {
                Fanout::Cpu(group)
            } else {
                Fanout::None
            },
            ..Options::new(cli.buffer)
        };
        let cpus = cli
            .cpus
            .get(number..=number)
            .filter(|_| cli.each)
            .unwrap_or(&cli.cpus);
        let source = open(cli.method, &name, &options).with_context(|| name.clone())?;
        sources.push((source, cpus));
    }
    let begun = Barrier::new(count + 1);
    let (mut parts, mut user, mut system, mut used) = (Vec::new(), 0.0, 0.0, 0);
    thread::scope(|scope| -> Result<()> {
        let (begun, stop) = (&begun, &*stop);
        let mut threads = Vec::new();
        for (mut source, cpus) in sources {
            threads.push(scope.spawn(move || {
                let ready = run_on(cpus);
                begun.wait();
                ready
                    .map_err(Into::into)
                    .and_then(|()| receive(&mut *source, stop))
            }));
        }
        begun.wait();
        let (before, had) = (processor_time()?, ran());
        writeln!(io::stderr(), "ready")?;
        for thread in threads {
            let part = thread
                .join()
                .map_err(|_| anyhow::anyhow!("a thread ended"))?;
            parts.push(part?);
        }
        let after = processor_time()?;
        used = ran().saturating_sub(had);
        user = after.0.saturating_sub(before.0).as_secs_f64();
        system = after.1.saturating_sub(before.1).as_secs_f64();
        Ok(())
    })?;
    let last = parts
        .iter()
        .map(|part| part.tally.last())
        .max()
        .unwrap_or_default();
    let late: u64 = parts
        .iter()
        .map(|part| part.tally.after(last + cli.grace))
        .sum();
    let (lost, memory) = (
        parts.iter().map(|part| part.lost).sum::<u64>(),
        parts.iter().map(|part| part.memory).sum::<usize>(),
    );
    let mut tally = Tally::default();
    for part in parts {
        tally.merge(part.tally);
    }
    let ages = tally.ages(&[0, 500, 900, 990, 1000]);
    Ok(json!({
        "received": tally.received(), "bytes": tally.bytes, "foreign": tally.foreign,
        "missing": tally.missing(), "reordered": tally.reordered(), "late": late, "kernel lost": lost,
        "cpu": {"all": used, "user": user, "system": system},
        "memory": {"kernel": memory, "process": said("/proc/self/status", "VmHWM:") << 10},
        "latency": {"least": ages.first(), "p50": ages.get(1), "p90": ages.get(2), "p99": ages.get(3),
                    "most": ages.get(4)},
    }))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = run(&cli).and_then(|found| Ok(writeln!(io::stdout(), "{found}")?));
    if let Err(error) = done {
        let _ = writeln!(io::stderr(), "capture-receive: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
