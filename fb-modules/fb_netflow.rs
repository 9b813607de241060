// SPDX-License-Identifier: GPL-2.0

//! `netflow`: keeps the flows of the packets that pass, and tells collectors of them, by NetFlow 5, NetFlow 9 or IPFIX.
//!
//! What is here binds the logic in `netflow/` to the kernel: a packet's way. What happens off that is in `netflow/fb_export.rs`.

use kernel::alloc::flags::__GFP_NOWARN;
use lana::prelude::{
    list::{append, push},
    *,
};

#[path = "netflow/fb_export.rs"]
mod export;
mod netflow;
#[path = "netflow/fb_state.rs"]
mod state;

use address::Address;
use export::{Collector, Export, Setup};
use netflow::{
    config::{self, number_of, Config, COLLECTORS, FLUSH, LONGEST},
    exporter::Version,
    file::Cursor,
    key::{read, Masks, Place as Seat, Seen, Why},
    record::Times,
    setting::{Target, Transport},
    table::Counted,
};
use state::{Lease, Meter, Tables};
use time::milliseconds;

block_module! {
    type: Netflow,
    name: "fb_netflow",
    authors: ["The LANA developers"],
    description: "LANA block: tells of flows by NetFlow and IPFIX",
    license: "GPL",
    alias: ["lana-fb-netflow"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;

/// A list with room for so many. Sleeps.
fn room<T>(count: usize) -> Option<List<T>> {
    List::with_capacity(count, GFP_KERNEL | __GFP_NOWARN).ok()
}

/// A list of so many, all the same. Sleeps.
fn filled<T: Clone>(value: T, count: usize) -> Option<List<T>> {
    List::from_elem(value, count, GFP_KERNEL | __GFP_NOWARN).ok()
}

/// The collectors of a block, by their numbers.
type Collectors = [Option<Arc<Collector>>; COLLECTORS];

struct Netflow {
    config: Config,
    masks: Masks,
    times: Times,
    /// The device that packets go to that go down.
    output: u32,
    lease: Lease,
    setup: Arc<Setup>,
    meter: Arc<Meter>,
    worker: Arc<Worker<Export>>,
}

/// What a block keeps when another takes its place.
struct Kept<'a> {
    lease: &'a Lease,
    meter: &'a Arc<Meter>,
    worker: &'a Arc<Worker<Export>>,
    flushes: u32,
}

impl Netflow {
    fn kept(&self) -> Kept<'_> {
        Kept {
            lease: &self.lease,
            meter: &self.meter,
            worker: &self.worker,
            flushes: self.setup.flushes,
        }
    }

    /// A block by these options. Flows stay where they are unless there are to be others.
    fn with(
        config: Config,
        collectors: Collectors,
        output: u32,
        kept: &Kept<'_>,
        process: &Process,
    ) -> Result<Self> {
        let (spec, flows) = (config.spec(), config.flows.0 as u32);
        let lease = match kept.lease.tables().is_for(&spec, flows) {
            true => kept.lease.again(),
            false => Lease::new(Tables::new(spec, flows, process)?)?,
        };
        kept.meter.keep(lease.tables())?;
        let times = config.times();
        let ipv6 = collectors.iter().flatten().any(|to| to.target.is_v6());
        let setup = Setup {
            format: config.format(ipv6),
            times,
            rate: config.rate.0,
            flushes: kept.flushes,
            collectors,
        };
        Ok(Self {
            config,
            masks: Masks::new(spec),
            times,
            output,
            lease,
            setup: Arc::new(setup, GFP_KERNEL)?,
            meter: kept.meter.clone(),
            worker: kept.worker.clone(),
        })
    }

    /// The collectors of this block with their sockets, as others' source is wanted.
    fn open(
        &self,
        targets: &[Option<Target>; COLLECTORS],
        source: Option<Address>,
        process: &Process,
    ) -> Result<Collectors, Failure> {
        let mut collectors = Collectors::default();
        let places = collectors.iter_mut().zip(targets);
        for ((number, (place, target)), old) in (0_usize..).zip(places).zip(&self.setup.collectors)
        {
            let Some(target) = *target else { continue };
            let same = |old: &&Arc<Collector>| old.target == target && old.source == source;
            if let Some(old) = old.as_ref().filter(same) {
                *place = Some(old.clone());
                continue;
            }
            let is_v6 = |address| matches!(address, Address::V6(_));
            if source.is_some_and(|source| is_v6(source) != target.is_v6()) {
                return Err(fail!(
                    EINVAL,
                    "source and collector.{number} are of different families"
                ));
            }
            let by = match target.transport {
                Transport::Udp => send::Transport::Udp,
                Transport::Tcp => send::Transport::Tcp,
                Transport::Sctp => send::Transport::Sctp,
            };
            let to = (target.address, target.port);
            let sender = self.meter.queue.sender(by, source, to, process);
            let sender = sender.map_err(|error| match error {
                EADDRNOTAVAIL => fail!(error, "source: this host does not have the address"),
                EAFNOSUPPORT => fail!(error, "this kernel has no IPv6"),
                EPROTONOSUPPORT => fail!(error, "collector.{number}: this kernel has no SCTP"),
                error => error.into(),
            })?;
            let collector = Collector::new(target, source, sender);
            *place = Some(Arc::new(collector, GFP_KERNEL)?);
        }
        Ok(collectors)
    }

    fn targets(&self) -> [Option<Target>; COLLECTORS] {
        let mut targets = [None; COLLECTORS];
        for (to, from) in targets.iter_mut().zip(&self.setup.collectors) {
            *to = from.as_ref().map(|collector| collector.target);
        }
        targets
    }

    /// What a packet says.
    #[inline(always)]
    fn see<P: Packet>(&self, packet: &mut P, egress: bool, seen: &mut Seen) -> Result<(), Why> {
        let seat = Seat {
            device: packet.device_index().unwrap_or(0),
            tag: packet.vlan(),
            egress,
            segment: packet.segment_size(),
            fills: false,
        };
        let len = packet.len();
        let mut most = headers::USUAL as u32;
        // Each turn needs more bytes than the one before, of a bounded number of headers.
        loop {
            let bytes = packet.header(most.min(len)).ok_or(Why::Malformed)?;
            match read(bytes, len as usize, &seat, &self.masks, seen) {
                Err(Why::More(more)) => most = more as u32,
                end => return end,
            }
        }
    }

    /// Counts a packet.
    #[inline(always)]
    fn count<P: Packet>(&self, packet: &mut P, cx: &Context<'_>) {
        let egress = cx.direction() == Direction::Egress;
        let (tables, counts) = (self.lease.tables(), self.meter.counts.this(cx.cpu()));
        let is_to_kick = tables.cell.with(cx.cpu(), |own| {
            let (before, table) = (own.pipeline.waiting(), &mut own.table);
            let rules = (&self.masks, &self.times);
            let more = || tables.more(&mut own.chunks);
            let done = own.pipeline.make_room(table, rules, more);
            let due = own.pipeline.free()?;
            match self.see(packet, egress, &mut due.seen) {
                Ok(()) => {
                    due.now = milliseconds();
                    due.output = self.output;
                    let hash = due.seen.hash(&tables.keys, &self.masks);
                    due.hash = hash as u32;
                    let (packets, bytes) = (due.seen.packets.into(), due.seen.bytes.into());
                    let sampling = self.config.sampling;
                    if sampling.is_none_or(|sampling| own.sampler.takes(sampling, hash)) {
                        counts.packets.add(packets);
                        counts.bytes.add(bytes);
                        own.pipeline.push(table);
                    } else {
                        counts.unsampled.add(packets);
                    }
                }
                Err(Why::Other) => counts.other.add(1),
                Err(_) => counts.malformed.add(1),
            }
            let counted = done.map_or(Counted::Known, |done| done.counted);
            if let Some(done) = done.filter(|_| counted == Counted::Lost) {
                counts.lose(&done);
            }
            if counted != Counted::Known || own.pipeline.waiting() != before {
                tables.counts.this(cx.cpu()).follow(own);
            }
            // Somebody has to look after the first packet, and to take what waits before there is no room.
            let is_first = before == 0 && own.table.active() == 0;
            let is_much = counted == Counted::Changed && own.table.has_much();
            Some(is_first || is_much)
        });
        if is_to_kick.flatten().unwrap_or(false) {
            self.worker.kick();
        }
    }
}

impl Block for Netflow {
    const TYPE: &'static str = "netflow";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;
    const FILE: File = File::Read;
    const WATCHES_PORTS: bool = true;
    const HOLDS: bool = true;

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        let process = args.process();
        let config = Config::DEFAULT;
        let tables = Tables::new(config.spec(), config.flows.0 as u32, process)?;
        let lease = Lease::new(tables)?;
        let meter = Arc::new(Meter::new(queue, process)?, GFP_KERNEL)?;
        let export = Export::new(meter.clone())?;
        let worker = Arc::new(Worker::new(export, process)?, GFP_KERNEL)?;
        let kept = Kept {
            lease: &lease,
            meter: &meter,
            worker: &worker,
            flushes: 0,
        };
        Self::with(config, Collectors::default(), 0, &kept, process)
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if self.config.direction.include(cx.direction()) {
            self.count(&mut packet, cx);
        }
        cx.pass(packet)
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let (mut config, mut kept, mut targets) = (self.config, self.kept(), self.targets());
        if let Some(changed) = config.with(key, value) {
            config = changed?;
        } else if key == FLUSH {
            match value.trim_ascii() {
                b"yes" => kept.flushes = kept.flushes.wrapping_add(1),
                b"" => (),
                _ => return Err(fail!(EINVAL, "{key}: yes")),
            }
        } else if key.starts_with(config::COLLECTOR) {
            let place = number_of(key).and_then(|number| targets.get_mut(number));
            let place = place.ok_or_else(|| {
                fail!(
                    EINVAL,
                    "{key}: N is from 0 to {}",
                    COLLECTORS.saturating_sub(1)
                )
            })?;
            *place = match core::str::from_utf8(value).map(str::trim) {
                Ok("") => None,
                Ok(text) => Some(Target::parse(text).ok_or_else(|| {
                    fail!(
                        EINVAL,
                        "{key}: an address and a port such as 192.0.2.1:2055"
                    )
                })?),
                Err(_) => return Err(fail!(EINVAL, "{key}: not a text")),
            };
        } else {
            return Err(Self::unknown(key));
        }
        let collectors = self.open(&targets, config.source, process)?;
        Ok(Self::with(config, collectors, self.output, &kept, process)?)
    }

    fn ports(&self, egress: &[Peer<'_>], process: &Process) -> Result<Option<Self>, Failure> {
        // Here options are together that a change sets one by one.
        for (number, target) in (0_usize..).zip(self.targets()) {
            let target = target.filter(|target| target.is_connected());
            let is_ipfix = self.setup.format.version == Version::Ipfix;
            if let Some(target) = target.filter(|_| !is_ipfix) {
                let prefix = target.transport.prefix();
                return Err(fail!(
                    EINVAL,
                    "collector.{number}={prefix}... wants version=ipfix"
                ));
            }
        }
        let output = egress.first().and_then(|peer| peer.device_index);
        let output = output.unwrap_or(0);
        if output == self.output {
            return Ok(None);
        }
        let collectors = self.setup.collectors.clone();
        let block = Self::with(self.config, collectors, output, &self.kept(), process)?;
        Ok(Some(block))
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        let collectors = old.open(&self.targets(), self.config.source, process)?;
        let kept = old.kept();
        let block = Self::with(self.config, collectors, old.output, &kept, process)?;
        Ok(Some(block))
    }

    fn placed(&self, _place: &Place<'_>) {
        self.meter.set_up(&self.setup);
        self.worker.kick();
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        self.meter.put(to, self.config.flows.0, process);
        for (number, collector) in (0..).zip(&self.setup.collectors) {
            if let Some(collector) = collector {
                collector.put(number, to);
            }
        }
        self.config.put(to);
    }

    fn print_part(
        &self,
        from: u64,
        to: &mut dyn fmt::Write,
        process: &Process,
    ) -> Result<Option<u64>, fmt::Error> {
        if from != 0 {
            return self.meter.print_part(Cursor::from(from), to, process);
        }
        let mut counters = Counters(&mut *to, Ok(()));
        self.options(&mut counters, process);
        counters.1?;
        to.write_str("\n")?;
        Ok(Some(Cursor::FIRST.into()))
    }
}

/// Prints counters, and not the configuration.
struct Counters<'a>(&'a mut dyn fmt::Write, fmt::Result);

impl Options for Counters<'_> {
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>) {
        if self.1.is_ok() {
            self.1 = writeln!(self.0, "{key}={value}");
        }
    }

    fn put_config(&mut self, _: &str, _: fmt::Arguments<'_>) {}
}
