// SPDX-License-Identifier: GPL-2.0

//! `rewrite`: changes headers of packets, and keeps their checksums right.

use lana::prelude::{
    option::{Directions, Number},
    *,
};

#[path = "rewrite/plan.rs"]
mod plan;
#[path = "rewrite/value.rs"]
mod value;

use address::{Address, Mac, Unicast};
use headers::{Ethernet, CTAG, STAG};
use plan::{Found, Outcome, Plan};
use value::{Ttl, Vlan};

block_module! {
    type: Rewrite,
    name: "fb_rewrite",
    authors: ["The LANA developers"],
    description: "LANA block: changes headers of packets",
    license: "GPL",
    alias: ["lana-fb-rewrite"],
}

#[derive(Zeroable)]
struct Counts {
    rewritten: Count,
    untouched: Count,
}

texts! {
    Ttl: Self::parse, "a number from 1 to 255, or -1";
    Vlan: Self::parse, "a VLAN ID from 0 to 4094, push:ID, or pop";
}

/// A port of TCP or UDP.
type Port16 = Number<1, { u16::MAX as u64 }>;

options! {
    /// What can be set.
    struct Config {
        /// Gives the outermost VLAN tag this ID, or adds a tag with it, or removes the tag
        vlan: Option<Vlan> = None,
        /// Source address of Ethernet
        mac_source as "mac.source": Option<Unicast> = None,
        /// Destination address of Ethernet
        mac_destination as "mac.destination": Option<Mac> = None,
        /// Source address of packets of the same IP version
        source: Option<Address> = None,
        /// Destination address of packets of the same IP version
        destination: Option<Address> = None,
        /// Source port of TCP and UDP
        port_source as "port.source": Option<Port16> = None,
        /// Destination port of TCP and UDP
        port_destination as "port.destination": Option<Port16> = None,
        /// DSCP, the upper six bits of TOS or traffic class
        dscp: Option<Number<0, 63>> = None,
        /// TTL or hop limit. -1 subtracts 1; packets that would get 0 are dropped as filtered
        ttl: Option<Ttl> = None,
        /// Direction of the packets that it changes. The others pass
        direction: Directions = Directions::Both,
    }
}

struct Rewrite {
    config: Config,
    /// What is done to packets of IP.
    plan: Plan,
    counts: Arc<PerCpu<Counts>>,
}

/// There is no memory to change a packet.
struct NoMemory;

/// Answers whether something was done. Whoever asks for it has made sure that only memory can be missing.
fn done(is_done: bool) -> Result<(), NoMemory> {
    is_done.then_some(()).ok_or(NoMemory)
}

/// The tag control information of the outermost tag.
#[inline]
fn outermost<P: Packet>(packet: &mut P) -> Option<u16> {
    packet.vlan().or_else(|| {
        let [ether @ .., _, _, _, _] = packet.header(18)?.first_chunk::<18>()?;
        let tagged = matches!(Ethernet::new(ether)?.ether_type(), CTAG | STAG);
        let tag = headers::Vlan::new(packet.header(18)?.get(Ethernet::SIZE..)?)?;
        tagged.then_some(tag.tci())
    })
}

/// Looks at a packet of IP.
#[inline]
fn look<P: Packet>(packet: &mut P) -> Option<Found> {
    let mut most = headers::USUAL as u32;
    // Each turn needs more bytes than the one before, of a bounded number of headers.
    loop {
        let len = packet.len();
        match Found::look(packet.header(most.min(len))?, len as usize) {
            Ok(found) => return found,
            Err(more) => most = more.0 as u32,
        }
    }
}

impl Rewrite {
    fn with(config: Config, counts: Arc<PerCpu<Counts>>) -> Self {
        let port = |port: Option<Port16>| port.map(|port| port.0 as u16);
        let plan = Plan {
            source: config.source,
            destination: config.destination,
            source_port: port(config.port_source),
            destination_port: port(config.port_destination),
            identifier: None,
            dscp: config.dscp.map(|dscp| dscp.0 as u8),
            ttl: config.ttl,
        };
        Self {
            config,
            plan,
            counts,
        }
    }

    /// Changes the tags: whether there was anything to change.
    fn tag<P: Packet>(packet: &mut P, vlan: Vlan) -> Result<bool, NoMemory> {
        match (vlan, outermost(packet)) {
            (Vlan::Push(id), _) | (Vlan::Set(id), None) => done(packet.push_vlan(id))?,
            (Vlan::Set(id), Some(tci)) => done(packet.set_vlan(tci & !0xfff | id))?,
            (Vlan::Pop, Some(_)) => done(packet.pop_vlan())?,
            (Vlan::Pop, None) => return Ok(false),
        }
        Ok(true)
    }

    fn change<P: Packet>(&self, packet: &mut P) -> Result<Outcome, NoMemory> {
        let mut outcome = Outcome::Untouched;
        if let Some(vlan) = self.config.vlan {
            if Self::tag(packet, vlan)? {
                outcome = Outcome::Rewritten;
            }
        }
        if let Some(address) = self.config.mac_destination {
            done(packet.replace(0, &address.bytes(), &[]))?;
            outcome = Outcome::Rewritten;
        }
        if let Some(address) = self.config.mac_source {
            done(packet.replace(6, &address.mac().bytes(), &[]))?;
            outcome = Outcome::Rewritten;
        }
        if self.plan == Plan::NOTHING {
            return Ok(outcome);
        }
        let Some(found) = look(packet) else {
            return Ok(outcome);
        };
        let write = |at, bytes: &[u8], sums: &[Sum]| done(packet.replace(at, bytes, sums));
        match self.plan.apply(&found, write)? {
            Outcome::Untouched => Ok(outcome),
            other => Ok(other),
        }
    }

    fn go_on<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let counts = self.counts.this(cx.cpu());
        match self.change(&mut packet) {
            Ok(Outcome::Rewritten) => counts.rewritten.add(1),
            Ok(Outcome::Untouched) => counts.untouched.add(1),
            Ok(Outcome::Expired) => return Verdict::drop(packet, DropReason::Filtered),
            Err(NoMemory) => return Verdict::drop(packet, DropReason::NoMemory),
        }
        cx.pass(packet)
    }
}

impl Block for Rewrite {
    const TYPE: &'static str = "rewrite";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let counts = Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?;
        Ok(Self::with(Config::DEFAULT, counts))
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if !self.config.direction.include(cx.direction()) {
            return cx.pass(packet);
        }
        // A frame's driver has the tag that stands beside it, and keeps it.
        if self.config.vlan.is_some() && packet.vlan().is_some() {
            return packet.with_skb(cx, |skb, cx| self.go_on(skb, cx));
        }
        self.go_on(packet, cx)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        Ok(Self::with(config, self.counts.clone()))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            let parts = self.counts.iter().map(|(_, counts)| part(counts).get());
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("rewritten", |counts| &counts.rewritten);
        sum("untouched", |counts| &counts.untouched);
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self::with(self.config, old.counts.clone())))
    }
}
