// SPDX-License-Identifier: GPL-2.0

//! `checksum`: tells packets with a wrong checksum of IPv4, TCP, UDP, ICMP or ICMPv6 from the others. They leave by the
//! second port, and are dropped where none is bound there. It can also fill in checksums that are left to a device.

use headers::{Addresses, Fragmented, Parsed};
use lana::prelude::{option::Directions, *};

block_module! {
    type: Checksum,
    name: "fb_checksum",
    authors: ["The LANA developers"],
    description: "LANA block: verifies and completes checksums",
    license: "GPL",
    alias: ["lana-fb-checksum"],
}

options! {
    /// What can be set.
    struct Config {
        /// Fill in checksums that are left to the device
        complete: bool = false,
        /// Direction of the packets that it looks at. The others pass
        direction: Directions = Directions::Both,
    }
}

#[derive(Zeroable)]
struct Counts {
    right: Count,
    wrong: Count,
    unverified: Count,
    completed: Count,
    incomplete: Count,
}

/// What there is to say of a packet's checksums.
enum Found {
    Right,
    Wrong,
    /// It has none, or the packet is not the whole message.
    Unverified,
}

struct Checksum {
    config: Config,
    counts: Arc<PerCpu<Counts>>,
}

/// The sum over what has a right checksum in it.
const RIGHT: u16 = 0xffff;
/// Where UDP has its length and its checksum.
const UDP_LENGTH: u32 = 4;

/// Whether the checksum is right of the IPv4 header, where there is one.
fn header<P: Packet>(packet: &mut P, parsed: &Parsed) -> Option<bool> {
    let at = u32::try_from(parsed.network).ok()?;
    let head = packet.header(at.checked_add(1)?)?;
    let words = u32::from(head.last()? & 0xf);
    Some(packet.checksum(at, words.checked_mul(4)?)? == RIGHT)
}

/// What a message's checksum is; none where it cannot be told.
fn message<P: Packet>(packet: &mut P, parsed: &Parsed) -> Option<bool> {
    let at = u32::try_from(parsed.transport?).ok()?;
    let mut len = u32::try_from(parsed.end).ok()?.checked_sub(at)?;
    let pseudo = match parsed.protocol? {
        headers::TCP | headers::ICMPV6 => parsed.pseudo_header(len)?,
        headers::ICMP => 0,
        headers::UDP => {
            let head = packet.header(at.checked_add(headers::Udp::SIZE as u32)?)?;
            let udp = head.get(at.checked_add(UDP_LENGTH)? as usize..)?;
            let (length, check) = (udp.first_chunk::<2>()?, udp.get(2..4)?);
            if check == [0, 0] {
                return None;
            }
            // A super-packet can be longer than the field can say.
            len = match u16::from_be_bytes(*length) {
                0 => len,
                length => length.into(),
            };
            parsed.pseudo_header(len)?
        }
        _ => return None,
    };
    let sum = packet.checksum(at, len)?;
    Some(checksum::add(sum, pseudo) == RIGHT)
}

impl Checksum {
    fn look<P: Packet>(&self, packet: &mut P, counts: &Counts) -> Found {
        let summed = packet.summed();
        if self.config.complete && matches!(summed, Summed::Partial) {
            match packet.complete_checksum() {
                true => counts.completed.add(1),
                false => counts.incomplete.add(1),
            }
        }
        let parsed = packet.parse();
        if matches!(parsed.addresses, Addresses::V4(..)) && header(packet, &parsed) == Some(false) {
            return Found::Wrong;
        }
        if parsed.malformed.is_some() || parsed.fragmented != Fragmented::No {
            return Found::Unverified;
        }
        let right = match summed {
            // It is not in the packet, or was not a moment ago; or a device has looked at it.
            Summed::Partial | Summed::Unnecessary => Some(true),
            Summed::None | Summed::Complete(_) => message(packet, &parsed),
        };
        match right {
            Some(true) => Found::Right,
            Some(false) => Found::Wrong,
            None => Found::Unverified,
        }
    }
}

impl Block for Checksum {
    const TYPE: &'static str = "checksum";
    // By direction: one for the rest, one for what is wrong.
    const INGRESS_PORTS: u32 = 2;
    const EGRESS_PORTS: u32 = 2;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            config: Config::DEFAULT,
            counts: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let direction = cx.direction();
        if !self.config.direction.include(direction) {
            return cx.pass(packet);
        }
        let counts = self.counts.this(cx.cpu());
        match self.look(&mut packet, counts) {
            Found::Right => counts.right.add(1),
            Found::Unverified => counts.unverified.add(1),
            Found::Wrong => {
                counts.wrong.add(1);
                let index = 1;
                return match cx.ports(direction) > 1 {
                    true => Verdict::forward(packet, Port { direction, index }),
                    false => Verdict::drop(packet, DropReason::Filtered),
                };
            }
        }
        cx.pass(packet)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        Ok(Self {
            config: config.ok_or_else(|| Self::unknown(key))??,
            counts: self.counts.clone(),
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let mut sum = |name, part: &dyn Fn(&Counts) -> u64| {
            let parts = self.counts.iter().map(|(_, counts)| part(counts));
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("right", &|counts| counts.right.get());
        sum("wrong", &|counts| counts.wrong.get());
        sum("unverified", &|counts| counts.unverified.get());
        if self.config.complete {
            sum("completed", &|counts| counts.completed.get());
            sum("incomplete", &|counts| counts.incomplete.get());
        }
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self {
            config: self.config,
            counts: old.counts.clone(),
        }))
    }
}
