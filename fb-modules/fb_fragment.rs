// SPDX-License-Identifier: GPL-2.0

//! `fragment`: cuts datagrams that are too long for a link.
//!
//! What is here binds the logic in `fragment/` to the kernel.

use core::ops::ControlFlow;
use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{
    list::{append, room},
    option::{Directions, Number},
    *,
};

mod fragment;

use fragment::{cut::Datagram, refusal};
use headers::{Addresses, Ipv4, Parsed};

block_module! {
    type: Fragment,
    name: "fb_fragment",
    authors: ["The LANA developers"],
    description: "LANA block: cuts datagrams into fragments of IP",
    license: "GPL",
    alias: ["lana-fb-fragment"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;

#[derive(Zeroable)]
struct Counts {
    fit: Count,
    cut: Count,
    fragments: Count,
    refused: Count,
    messages: Count,
}

/// What replaced blocks have in common.
struct State {
    counts: PerCpu<Counts>,
    key: HashKey,
    /// Numbers datagrams of IPv6.
    datagrams: Atomic<u64>,
    /// The second in the upper half, and the messages that were sent in it.
    pace: Atomic<u64>,
}

words! {
    /// What becomes of a packet that nobody on the way may cut.
    enum Refusal {
        Icmp = "icmp",
        Drop = "drop",
        Fragment = "fragment",
    }
}

options! {
    /// What can be set.
    struct Config {
        /// Bytes of the longest IP packet that passes whole
        mtu: Number<68, 65_535> = Number(1500),
        /// What becomes of longer IPv4 packets that say "don't fragment": dropped, with an ICMP message or without, or cut
        df: Refusal = Refusal::Icmp,
        /// The same for IPv6 packets, which only their senders may cut. Those up to 1280 bytes always pass
        ipv6: Refusal = Refusal::Icmp,
        /// ICMP messages a second at most
        icmp_rate as "icmp.rate": Number<0, 1_000_000> = Number(1000),
        /// Direction of the packets that it cuts. The others pass
        direction: Directions = Directions::Both,
    }
}

struct Fragment {
    config: Config,
    state: Arc<State>,
}

/// What a packet becomes.
enum Outcome {
    Fits,
    Cut(List<Skb>),
    Refused(Option<Skb>),
    Drop(DropReason),
    /// It is a super-packet, whose parts are to be cut.
    Apart,
}

/// The tag that stands beside a packet, as it stands among bytes.
fn tag<P: Packet>(packet: &P) -> ([u8; 4], usize) {
    match packet.tag() {
        Some(tag) => (tag.to_be_bytes(), 4),
        None => ([0; 4], 0),
    }
}

impl Fragment {
    /// Whether one more message may be sent.
    fn may_tell(&self) -> bool {
        let now = time::second() << 32;
        let mut seen = self.state.pace.load(Relaxed);
        loop {
            let sent = if seen & !0xffff_ffff == now {
                seen & 0xffff_ffff
            } else {
                0
            };
            if sent >= self.config.icmp_rate.0 {
                return false;
            }
            let next = now | sent.saturating_add(1);
            match self.state.pace.cmpxchg(seen, next, Relaxed) {
                Ok(_) => return true,
                Err(other) => seen = other,
            }
        }
    }

    fn refuse<P: Packet>(
        &self,
        packet: &mut P,
        parsed: &Parsed,
        mtu: usize,
        how: Refusal,
    ) -> Outcome {
        if how != Refusal::Icmp || !self.may_tell() {
            return Outcome::Refused(None);
        }
        let (tag, size) = tag(packet);
        // No more than is quoted.
        let most = parsed.end.min(parsed.network.saturating_add(1280));
        let message = packet.header(most as u32).and_then(|bytes| {
            let parsed = Parsed {
                end: most,
                ..*parsed
            };
            refusal::message(&parsed, bytes, tag.get(..size)?, mtu as u16)
        });
        Outcome::Refused(message.and_then(|message| Skb::from_bytes(&message)))
    }

    fn cut<P: Packet>(&self, packet: &mut P) -> Outcome {
        let parsed = packet.parse();
        let is_v6 = match parsed.addresses {
            Addresses::None => return Outcome::Fits,
            Addresses::V4(..) => false,
            Addresses::V6(..) => true,
        };
        let mtu = self.config.mtu.0 as usize;
        let mtu = if is_v6 { mtu.max(1280) } else { mtu };
        if parsed.end.saturating_sub(parsed.network) <= mtu || packet.longest(&parsed) <= mtu {
            return Outcome::Fits;
        }
        let header = packet.header(parsed.network.saturating_add(20) as u32);
        let header = header.and_then(|bytes| Ipv4::new(bytes.get(parsed.network..)?));
        let how = match header {
            None => return Outcome::Drop(DropReason::NoMemory),
            Some(_) if is_v6 => self.config.ipv6,
            Some(header) if header.dont_fragment() => self.config.df,
            Some(_) => Refusal::Fragment,
        };
        if how != Refusal::Fragment {
            return self.refuse(packet, &parsed, mtu, how);
        }
        if packet.segment_size().is_some() {
            return Outcome::Apart;
        }
        if !packet.complete_checksum() {
            return Outcome::Drop(DropReason::NoMemory);
        }
        let (tag, size) = tag(packet);
        let Some(bytes) = packet.header(parsed.end as u32) else {
            return Outcome::Drop(DropReason::NoMemory);
        };
        let Some(datagram) = Datagram::of(&parsed, bytes) else {
            // A fragment of IPv6.
            return self.refuse(packet, &parsed, mtu, Refusal::Icmp);
        };
        let Some(each) = datagram.size(mtu) else {
            return Outcome::Refused(None);
        };
        let mut link = [0; 16];
        let parts = Iterator::chain(bytes.iter().take(12), &tag);
        link.iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = *from);
        let link = link.get(..size.saturating_add(12)).unwrap_or_default();
        let number = self.state.datagrams.fetch_add(1, Relaxed);
        let identification = self.state.key.hash(&[number]) as u32;
        let count = datagram.count(each);
        let Some(mut fragments) = room(count) else {
            return Outcome::Drop(DropReason::NoMemory);
        };
        let all = (0..count).try_for_each(|number| {
            let bytes = datagram.fragment(bytes, link, each, number, identification);
            let skb = bytes.and_then(|bytes| Skb::from_bytes(&bytes));
            let is_there = skb.and_then(|skb| fragments.push(skb, GFP_ATOMIC).ok());
            is_there.map_or(ControlFlow::Break(()), |()| ControlFlow::Continue(()))
        });
        match all {
            ControlFlow::Continue(()) => Outcome::Cut(fragments),
            ControlFlow::Break(()) => Outcome::Drop(DropReason::NoMemory),
        }
    }
}

/// What is left of a packet.
enum Part<P> {
    GoesOn(P),
    Ended(P, DropReason),
    /// Its fragments leave in its place.
    Cut(P),
    Apart(P),
}

impl Fragment {
    /// Does with a packet what is to be done. What is made of it leaves when the walk has ended here.
    fn part<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Part<P> {
        let counts = self.state.counts.this(cx.cpu());
        let (direction, index) = (cx.direction(), 0);
        match self.cut(&mut packet) {
            Outcome::Fits => {
                counts.fit.add(1);
                Part::GoesOn(packet)
            }
            Outcome::Cut(fragments) => {
                counts.cut.add(1);
                counts.fragments.add(fragments.len() as u64);
                for fragment in fragments {
                    cx.emit(fragment, Port { direction, index });
                }
                Part::Cut(packet)
            }
            Outcome::Refused(message) => {
                counts.refused.add(1);
                if let Some(message) = message {
                    counts.messages.add(1);
                    let direction = match direction {
                        Direction::Ingress => Direction::Egress,
                        Direction::Egress => Direction::Ingress,
                    };
                    cx.emit(message, Port { direction, index });
                }
                Part::Ended(packet, DropReason::TooBig)
            }
            Outcome::Drop(reason) => Part::Ended(packet, reason),
            Outcome::Apart => Part::Apart(packet),
        }
    }

    /// Cuts the parts of a super-packet, as Linux does it with one that it forwards.
    fn parts(&self, whole: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        let (first, others) = match whole.segment() {
            Ok(parts) => parts,
            Err(whole) => return Verdict::drop(whole, DropReason::Malformed),
        };
        let (direction, index) = (cx.direction(), 0);
        let first = match self.part(first, cx) {
            Part::GoesOn(first) => cx.pass(first),
            Part::Cut(first) => first.consume(),
            Part::Ended(first, reason) => Verdict::drop(first, reason),
            // No part is a super-packet.
            Part::Apart(first) => Verdict::drop(first, DropReason::Malformed),
        };
        for part in others {
            match self.part(part, cx) {
                Part::GoesOn(part) => cx.emit(part, Port { direction, index }),
                Part::Cut(part) => {
                    let _ = part.consume();
                }
                Part::Ended(part, reason) => cx.drop_here(Some(part), reason),
                Part::Apart(part) => cx.drop_here(Some(part), DropReason::Malformed),
            }
        }
        first
    }
}

impl Block for Fragment {
    const TYPE: &'static str = "fragment";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            counts: PerCpu::new(args.process())?,
            key: HashKey::random(),
            datagrams: Atomic::new(0),
            pace: Atomic::new(0),
        };
        Ok(Self {
            config: Config::DEFAULT,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if !self.config.direction.include(cx.direction()) {
            return cx.pass(packet);
        }
        match self.part(packet, cx) {
            Part::GoesOn(packet) => cx.pass(packet),
            Part::Ended(packet, reason) => Verdict::drop(packet, reason),
            Part::Cut(packet) => packet.with_skb(cx, |whole, _| whole.consume()),
            Part::Apart(packet) => packet.with_skb(cx, |whole, cx| self.parts(whole, cx)),
        }
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        let state = self.state.clone();
        Ok(Self { config, state })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            let parts = self.state.counts.iter();
            let parts = parts.map(|(_, counts)| part(counts).get());
            to.put(name, format_args!("{}", parts.fold(0, u64::wrapping_add)));
        };
        sum("fit", |counts| &counts.fit);
        sum("cut", |counts| &counts.cut);
        sum("fragments", |counts| &counts.fragments);
        sum("refused", |counts| &counts.refused);
        sum("messages", |counts| &counts.messages);
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        let (config, state) = (self.config, old.state.clone());
        Ok(Some(Self { config, state }))
    }
}
