// SPDX-License-Identifier: GPL-2.0

//! Arms, waits, prints, and takes back what has not been called.

use crate::{
    cli::Cli,
    driver,
    kmsg::Log,
    trace::{News, Reader, Trace},
    ways::{Graph, MOST},
};
use anyhow::{Context, Result};
use lana_cli::{kernel, usage, Globals, Output};
use lana_netlink::{spec::DropReason, wire::Value, Connection};
use serde::Serialize;
use signal_hook::{consts, flag};
use std::{
    fs, ops,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

/// What LANA calls for each drop while it is told to, and its arguments: the reason, the IDP of the block, how
/// many blocks the packet has come to, the namespace.
const DROPPED: &str = "lana_dropped";
const REASON: u8 = 1;
const BLOCK: u8 = 2;
const HOPS: u8 = 3;
const NETNS: u8 = 4;

/// LANA calls it as long as this lives.
struct Watch;

impl Watch {
    const SWITCH: &'static str = "/sys/module/lana/parameters/watch_drops";

    fn new() -> Result<Self> {
        fs::write(Self::SWITCH, "1").map_err(|error| kernel(Self::SWITCH, &error))?;
        Ok(Self)
    }
}

impl ops::Drop for Watch {
    fn drop(&mut self) {
        // Left on it would do no harm.
        let _ = fs::write(Self::SWITCH, "0");
    }
}

/// A drop, for programs.
#[derive(Serialize)]
struct Drop<'a> {
    block: &'a str,
    reason: Value<DropReason>,
    hops: u32,
    ways: Vec<Vec<&'a str>>,
    #[serde(flatten)]
    trace: &'a Trace,
}

/// Does what the command line says.
#[expect(clippy::needless_pass_by_value, reason = "plain() gives it away")]
pub(crate) fn run(cli: Cli) -> Result<()> {
    let globals = Globals {
        json: cli.json,
        ..Globals::default()
    };
    let mut out = Output::standard(&globals);
    match &cli.lana {
        Some(block) => lana(&cli, block, &mut out),
        None => wait(&cli, &cli.symbols, &mut out, |trace, out| {
            if out.is_json() {
                return out.json(trace);
            }
            stack(trace, out)?;
            arguments(trace, out)
        }),
    }
}

/// Waits for a drop at a block.
fn lana(cli: &Cli, block: &str, out: &mut Output) -> Result<()> {
    let mut lana = Connection::open()?;
    let idp = lana.fb(block)?.idp.unwrap_or_default();
    let line = format!("{DROPPED} ${REASON} ${BLOCK}={idp} ${HOPS} ${NETNS}=net");
    let _watch = Watch::new()?;
    wait(cli, &[line], out, |trace, out| {
        let argument = |number| trace.arguments.get(&number).copied().unwrap_or_default();
        let graph = Graph::new(&lana.fbs()?.items);
        let (reason, hops) = (Value::<DropReason>::from(argument(REASON)), argument(HOPS));
        let ways = graph.ways(idp, hops);
        if out.is_json() {
            return out.json(&Drop {
                block,
                reason,
                hops,
                ways,
                trace,
            });
        }
        out.line(&format!("{block} dropped a packet: {reason}"))?;
        if ways.is_empty() {
            out.line(&format!(
                "its way: {hops} blocks, by bindings that have changed meanwhile"
            ))?;
        }
        for (i, way) in ways.iter().enumerate() {
            let begin = if i == 0 { "its way: " } else { "or:      " };
            out.line(&format!("{begin}{}", way.join(" > ")))?;
        }
        if ways.len() == MOST {
            out.line("or another one")?;
        }
        stack(trace, out)
    })
}

fn stack(trace: &Trace, out: &mut Output) -> Result<()> {
    out.line(&format!("{}: {}", trace.symbol, trace.caller))?;
    for frame in &trace.stack {
        out.line(&format!("    {frame}"))?;
    }
    Ok(())
}

fn arguments(trace: &Trace, out: &mut Output) -> Result<()> {
    for (number, value) in &trace.arguments {
        out.line(&format!("  ${number} = {value} (0x{value:x})"))?;
    }
    Ok(())
}

/// Arms all lines, and has each stack printed when it comes.
fn wait(
    cli: &Cli,
    lines: &[String],
    out: &mut Output,
    mut print: impl FnMut(&Trace, &mut Output) -> Result<()>,
) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP] {
        flag::register(signal, stop.clone()).context("signals")?;
    }
    driver::load()?;
    let mut log = Log::open()?;
    let mut armed = driver::arm(lines.iter().map(String::as_str))?;
    let until = cli.timeout.map(|seconds| {
        let seconds = Duration::from_secs(seconds.into());
        (Instant::now() + seconds, seconds.as_secs())
    });
    let mut reader = Reader::default();
    while !armed.is_empty() {
        match log.next()?.and_then(|line| reader.line(&line)) {
            Some(News::Trace(trace)) if armed.has(&trace.symbol) => {
                armed.forget(&trace.symbol);
                print(&trace, out)?;
                out.flush()?;
            }
            // With its trace it is one of ours no more.
            Some(News::Gone(symbol)) if armed.has(&symbol) => {
                armed.forget(&symbol);
                return Err(usage("somebody else has disarmed it")).context(symbol);
            }
            _ => {}
        }
        if stop.load(Ordering::Relaxed) {
            return Err(usage("not called until the signal")).context(armed.missing());
        }
        if let Some((_, seconds)) = until.filter(|(end, _)| Instant::now() >= *end) {
            return Err(usage(format!("not called within {seconds} s"))).context(armed.missing());
        }
    }
    Ok(())
}
