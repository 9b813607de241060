// SPDX-License-Identifier: GPL-2.0

//! From the command line to frames that leave.

use crate::cli::Cli;
use anyhow::Result;
use lana_cli::{kernel, usage, Globals, Output as Printer};
use rustix::{
    process::setpriority_process,
    thread::{sched_setaffinity, CpuSet},
};
use serde_json::json;
use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};
use trafgen::{
    device::Device,
    input::{self, Compile},
    interrupts::Moved,
    output::{self, Output, Totals},
    packet::PacketSocket,
    privileges,
    probe::Probe,
    ring::{Ring, RingOptions},
    template::Template,
    worker::{Pace, Sent, Worker},
    writer::Writer,
};

const EXAMPLE: &str = include_str!("example.txf");
/// Shorter packets are no more than a header of Ethernet.
const SHORTEST: usize = 15;
const ETHERNET: usize = 14;
const VLAN: usize = 4;

/// Where frames go.
enum Target {
    Device(Device),
    Graph { block: String, up: bool },
    Capture(String),
    Text(String),
}

impl Target {
    fn of(cli: &Cli) -> Result<Self> {
        if let Some(block) = &cli.lana {
            return Ok(Target::Graph {
                block: block.clone(),
                up: false,
            });
        }
        if let Some(block) = &cli.lana_below {
            return Ok(Target::Graph {
                block: block.clone(),
                up: true,
            });
        }
        let Some(name) = &cli.dev else {
            return Err(usage(
                "where do the packets go? --dev DEVICE, --dev FILE.pcap, --lana BLOCK",
            ));
        };
        if has_extension(Path::new(name), "pcap") {
            return Ok(Target::Capture(name.clone()));
        }
        if name == "-" || has_extension(Path::new(name), "cfg") {
            return Ok(Target::Text(name.clone()));
        }
        let device =
            Device::named(name).ok_or_else(|| usage(format!("there is no device {name}")))?;
        if !device.up {
            return Err(usage(format!("{name} is down: ip link set {name} up")));
        }
        if !device.carrier {
            return Err(usage(format!(
                "{name} has no carrier: what it is connected to is down"
            )));
        }
        if cli.rfraw && !device.radio {
            return Err(usage(format!(
                "{name} is not in monitor mode: iw dev {name} interface add mon0 type monitor"
            )));
        }
        Ok(Target::Device(device))
    }

    fn is_file(&self) -> bool {
        matches!(self, Target::Capture(_) | Target::Text(_))
    }
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

/// Runs the tool.
pub(crate) fn run(cli: &Cli) -> Result<()> {
    let globals = Globals {
        json: cli.json,
        ..Globals::default()
    };
    let mut printer = Printer::standard(&globals);
    if cli.example {
        return printer.text(EXAMPLE).and_then(|()| printer.flush());
    }
    let target = Target::of(cli)?;
    let seed = cli.seed.unwrap_or_else(|| fastrand::u64(..));
    let templates = templates(cli, &target, seed)?;
    let cpus = cpus(cli, &target, &templates)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let moved = match (&target, cpus.as_slice()) {
        (Target::Device(device), [Some(cpu)]) if !cli.no_interrupts => {
            Moved::to(&device.name, *cpu as usize)
        }
        _ => Moved::default(),
    };
    if cli.prio_high {
        setpriority_process(None, -20).map_err(|error| kernel("--prio-high", &error.into()))?;
    }
    let workers = workers(cli, &target, &templates, &cpus, seed, &stop)?;
    say(
        cli,
        &format!(
            "seed {seed}, {} packets, {} CPUs, {} interrupts moved",
            templates.len(),
            workers.len(),
            moved.count()
        ),
    );
    privileges::drop_to(cli.user.as_deref(), cli.group.as_deref())?;
    let begun = Instant::now();
    let totals = send(workers, &stop, target_name(&target))?;
    let seconds = begun.elapsed().as_secs_f64();
    drop(moved);
    if let Target::Text(name) = &target {
        if name == "-" {
            return Ok(());
        }
    }
    let Totals { frames, bytes } = totals;
    if printer.is_json() {
        printer.json(&json!({"frames": frames, "bytes": bytes, "seconds": seconds}))?;
    } else {
        printer.text(&format!(
            "{frames} frames outgoing\n{bytes} bytes outgoing\n"
        ))?;
    }
    printer.flush()
}

fn target_name(target: &Target) -> &str {
    match target {
        Target::Device(device) => &device.name,
        Target::Graph { block, .. } => block,
        Target::Capture(name) | Target::Text(name) => name,
    }
}

fn say(cli: &Cli, text: &str) {
    if cli.verbose {
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "trafgen: {text}");
    }
}

/// The packets, none of which is too short or too long.
fn templates(cli: &Cli, target: &Target, seed: u64) -> Result<Vec<Template>> {
    let nobody = trafgen::language::Host::default();
    let host = match target {
        Target::Device(device) => &device.host,
        _ => &nobody,
    };
    let compile = Compile {
        host,
        random: fastrand::Rng::with_seed(seed),
        sums: !cli.no_csum,
        cpp: cli.cpp.then_some(&cli.define),
    };
    let (templates, name) = match (&cli.packet, &cli.conf) {
        (Some(packet), _) => (input::text(packet, "packet", compile)?, "packet".to_owned()),
        (None, Some(file)) => {
            let name = file.display().to_string();
            let templates = if has_extension(file, "pcap") {
                input::capture(file, cli.rfraw)?
            } else {
                input::text(&input::read(file)?, &name, compile)?
            };
            (templates, name)
        }
        (None, None) => {
            return Err(usage(
                "which packets? --conf FILE, or one on the command line: '{ udp() }'",
            ))
        }
    };
    if templates.is_empty() {
        return Err(usage(format!("{name}: there is no packet in it")));
    }
    for (number, template) in templates.iter().enumerate() {
        let length = template.bytes.len();
        let wrong = |what: String| {
            Err(usage(format!(
                "{name}: packet {} has {length} bytes: {what}",
                number + 1
            )))
        };
        if length < SHORTEST {
            return wrong(format!("there must be at least {SHORTEST}"));
        }
        if let Target::Device(device) = target {
            let tag = template.bytes.get(12..14) == Some(&[0x81, 0x00]);
            let most =
                device.mtu + if device.radio { 0 } else { ETHERNET } + if tag { VLAN } else { 0 };
            if length > most {
                return wrong(format!("{} sends at most {most}", device.name));
            }
        }
    }
    Ok(templates)
}

/// The CPUs that send; one that is not pinned if none are asked for.
fn cpus(cli: &Cli, target: &Target, templates: &[Template]) -> Result<Vec<Option<u32>>> {
    let online = u32::try_from(thread::available_parallelism().map_or(1, usize::from)).unwrap_or(1);
    let check = |cpu: u32| {
        if cpu < online {
            Ok(())
        } else {
            Err(usage(format!("there is no CPU {cpu}: there are {online}")))
        }
    };
    if target.is_file() || matches!(target, Target::Graph { .. }) || cli.smoke_test.is_some() {
        return Ok(vec![cli.bind]);
    }
    if let Some(cpu) = cli.bind {
        check(cpu)?;
        return Ok(vec![Some(cpu)]);
    }
    let asked = templates
        .iter()
        .any(|template| template.cpus.is_some())
        .then(|| (0, online - 1));
    match cli.cpus.or(asked) {
        Some((first, last)) => {
            check(last)?;
            Ok((first..=last).map(Some).collect())
        }
        None => Ok(vec![None]),
    }
}

/// A worker for each CPU, with all that needs rights done.
fn workers(
    cli: &Cli,
    target: &Target,
    templates: &[Template],
    cpus: &[Option<u32>],
    seed: u64,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<(Option<u32>, Worker)>> {
    let mut shares = Vec::new();
    for cpu in cpus {
        let own = templates
            .iter()
            .filter(|template| cpu.is_none_or(|cpu| template.is_for(cpu)));
        let own: Vec<_> = own.cloned().collect();
        if !own.is_empty() {
            shares.push((*cpu, own));
        }
    }
    let count = shares.len() as u64;
    if count == 0 {
        return Err(usage("no packet is for the CPUs that send"));
    }
    let captured = cli
        .conf
        .as_ref()
        .is_some_and(|file| has_extension(file, "pcap"));
    let pace = match (cli.gap, cli.rate) {
        (Some(Duration::ZERO), _) => Pace::Full,
        (Some(gap), _) => Pace::Gap(gap),
        (_, Some(rate)) => Pace::Rate(rate.shared(shares.len())),
        _ if captured && !cli.fast => Pace::Captured,
        _ => Pace::Full,
    };
    let once = target.is_file().then_some(templates.len() as u64);
    let mut workers = Vec::new();
    for (number, (cpu, own)) in (0..).zip(shares) {
        let total = if cli.num > 0 { Some(cli.num) } else { once };
        let random = fastrand::Rng::with_seed(seed.wrapping_add(number));
        let writer = Writer::new(own, random, cli.rand);
        let output = output(cli, target, writer.longest(), pace, stop)?;
        let worker = Worker {
            output,
            writer,
            pace,
            count: total.map(|total| total / count + u64::from(number < total % count)),
            virtual_time: target.is_file(),
        };
        workers.push((cpu, worker));
    }
    Ok(workers)
}

fn output(
    cli: &Cli,
    target: &Target,
    longest: usize,
    pace: Pace,
    stop: &Arc<AtomicBool>,
) -> Result<Box<dyn Output>> {
    let file = |name: &str, error: &io::Error| {
        usage(format!("{name}: {}", lana_netlink::errno_text(error)))
    };
    match target {
        Target::Device(device) => {
            let wrong = |error: io::Error| kernel(&device.name, &error);
            let socket = PacketSocket::open(device.index, cli.qdisc_path).map_err(wrong)?;
            if let Some(host) = cli.smoke_test {
                let probe = Probe::new(host).map_err(wrong)?;
                return Ok(output::probed(socket, longest, probe));
            }
            if pace != Pace::Full || cli.gap.is_some() {
                return Ok(output::socket(socket, longest));
            }
            let options = RingOptions {
                size: cli.ring_size.unwrap_or_else(|| RingOptions::usual(longest)),
                kick: cli.kick,
            };
            let ring = Ring::new(socket, longest, options, Arc::clone(stop)).map_err(wrong)?;
            say(
                cli,
                &format!("{}: a ring of {} slots", device.name, ring.count()),
            );
            Ok(Box::new(ring))
        }
        Target::Graph { block, up } => output::graph(block, *up, longest),
        Target::Capture(name) => {
            output::capture(Path::new(name), cli.rfraw, longest).map_err(|error| file(name, &error))
        }
        Target::Text(name) if name == "-" => Ok(output::text(io::stdout(), longest)),
        Target::Text(name) => {
            let to = std::fs::File::create(name).map_err(|error| file(name, &error))?;
            Ok(output::text(to, longest))
        }
    }
}

/// Lets all workers send, and tells now and then how far they are.
fn send(workers: Vec<(Option<u32>, Worker)>, stop: &Arc<AtomicBool>, name: &str) -> Result<Totals> {
    let (sent, running) = (Sent::default(), AtomicUsize::new(workers.len()));
    let tell = io::stderr().is_terminal();
    let mut result = Ok(());
    thread::scope(|scope| {
        let main = thread::current();
        let mut threads = Vec::new();
        for (cpu, worker) in workers {
            let (sent, running, main, stop) = (&sent, &running, main.clone(), stop.as_ref());
            threads.push(scope.spawn(move || {
                let result = pin(cpu).and_then(|()| worker.run(stop, sent));
                if result.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                running.fetch_sub(1, Ordering::Relaxed);
                main.unpark();
                result
            }));
        }
        let mut before = Totals::default();
        let mut next = Instant::now() + Duration::from_secs(1);
        while running.load(Ordering::Relaxed) > 0 {
            thread::park_timeout(Duration::from_millis(200));
            if tell && Instant::now() >= next {
                let now = sent.totals();
                let _ = write!(
                    io::stderr(),
                    "\r{} frames, {} packets/s   ",
                    now.frames,
                    now.frames - before.frames
                );
                before = now;
                next += Duration::from_secs(1);
            }
        }
        if tell && before.frames > 0 {
            let _ = writeln!(io::stderr());
        }
        for thread in threads {
            match thread.join() {
                Ok(Err(error)) if result.is_ok() => result = Err(error),
                _ => {}
            }
        }
    });
    match result {
        Ok(()) => Ok(sent.totals()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(error) => Err(kernel(name, &error)),
    }
}

fn pin(cpu: Option<u32>) -> io::Result<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(cpu as usize);
    Ok(sched_setaffinity(None, &set)?)
}
