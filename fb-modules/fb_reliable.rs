// SPDX-License-Identifier: GPL-2.0

//! `reliable`: numbers packets in one direction, keeps them until the other end has acknowledged them, and sends those again
//! that were lost. What comes in the other direction is delivered in order, once.
//!
//! What is here binds the logic in `reliable/` to the kernel.

use lana::prelude::{
    list::{append, room},
    option::{Number, Size, Time},
    *,
};

mod reliable;

use reliable::{
    end::{Action, End},
    header::{Header, Kind, Map, Not, ADDRESSES, DATA, INSERTED, LONGEST_CONTROL, SHORTEST},
    receiver::Come,
    sender::Entry,
    Bounds, MOST, NEVER,
};

block_module! {
    type: Reliable,
    name: "fb_reliable",
    authors: ["The LANA developers"],
    description: "LANA block: sends packets again that a link loses",
    license: "GPL",
    alias: ["lana-fb-reliable"],
}

/// What the logic keeps things in.
type List<T> = KVVec<T>;
/// A packet that is kept: its bytes, those of a header among them where it was sent.
type Kept = List<u8>;

/// So many packets an end makes at once; more in a moment.
const BUDGET: u32 = 64;

words! {
    /// The direction in which packets are numbered.
    enum Way {
        Egress = "egress",
        Ingress = "ingress",
    }
}

words! {
    /// What becomes of packets that have no number.
    enum Plain {
        Pass = "pass",
        Drop = "drop",
    }
}

const MILLISECOND: u64 = time::SECOND / 1000;

options! {
    /// What can be set.
    struct Config {
        /// Direction in which packets are numbered. Their numbers are removed in the other
        number: Way = Way::Egress,
        /// Whether packets are numbered. If not, they pass as they are; what the other end has numbered is still received
        send: bool = true,
        /// What becomes of packets that the other end has not numbered
        plain: Plain = Plain::Pass,
        /// Number of packets that are not acknowledged. The block drops the rest, as queue-full
        window: Number<1, { MOST as u64 }> = Number(256),
        /// Bytes of these packets, and of those that have come too early. The block drops the rest, as queue-full
        limit: Size<2048, { 64 << 20 }> = Size(4 << 20),
        /// Times that a packet is sent again before the block gives it up
        retries: Number<1, 100> = Number(15),
        /// How much later than usual an acknowledgement is at least when the block sends the packet again
        rto_min as "rto-min": Time<MILLISECOND, { time::SECOND }> = Time(10 * MILLISECOND),
        /// The longest time until the block sends a packet again
        rto_max as "rto-max": Time<MILLISECOND, { 60 * time::SECOND }> = Time(time::SECOND),
        /// Time that an acknowledgement waits for a packet that takes it along
        ack_delay as "ack-delay": Time<0, { time::SECOND / 10 }> = Time(2 * MILLISECOND),
        /// Time that packets wait for one that is missing, whose sender has gone
        timeout: Time<{ time::SECOND / 10 }, { 600 * time::SECOND }> = Time(30 * time::SECOND),
    }
}

#[derive(Zeroable)]
struct Counts {
    clear: Count,
}

/// What the lock is for.
struct Link {
    end: End<Kept>,
    /// Of packets that the end sends by itself: the other one's Ethernet address, and ours.
    addresses: [u8; ADDRESSES],
    /// Whether the other one's is known.
    has_peer: bool,
    /// When the block is woken.
    armed: u64,
}

/// What replaced blocks have in common.
struct State {
    link: Locked<Link>,
    counts: PerCpu<Counts>,
    /// Nothing waits in it: it wakes the block.
    clock: HoldQueue,
}

struct Reliable {
    config: Config,
    bounds: Bounds,
    state: Arc<State>,
}

/// A list of as many as can be between the oldest packet and the newest.
fn places<T>(empty: fn() -> T) -> Result<List<T>> {
    let mut places = List::with_capacity(MOST as usize, GFP_KERNEL)?;
    for _ in 0..MOST {
        places.push(empty(), GFP_KERNEL)?;
    }
    Ok(places)
}

/// Puts bytes together; `None` without memory.
fn join(parts: &[&[u8]]) -> Option<Kept> {
    let len = parts
        .iter()
        .fold(0usize, |len, part| len.saturating_add(part.len()));
    let mut all = room(len)?;
    parts
        .iter()
        .all(|part| append(&mut all, part))
        .then_some(all)
}

fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl Link {
    /// A packet is numbered, which is between these addresses.
    fn sends(&mut self, addresses: &[u8]) {
        if let Some((to, from)) = self.addresses.split_at_mut_checked(6) {
            copy(from, addresses.get(6..ADDRESSES).unwrap_or_default());
            if !self.has_peer {
                copy(to, addresses);
            }
        }
    }

    /// One has come of the other end. `ours` is the address of the device that it came by.
    fn comes(&mut self, addresses: &[u8], ours: Option<[u8; 6]>) {
        let is_first = !self.has_peer;
        self.has_peer = true;
        if let Some((to, from)) = self.addresses.split_at_mut_checked(6) {
            copy(to, addresses.get(6..ADDRESSES).unwrap_or_default());
            // One of ours is known when we have sent something, or when it was sent to us.
            if is_first && from.iter().all(|byte| *byte == 0) {
                let is_group = addresses.first().is_some_and(|byte| byte & 1 != 0);
                match (is_group, ours) {
                    (true, Some(ours)) => copy(from, &ours),
                    _ => copy(from, addresses.get(..6).unwrap_or_default()),
                }
            }
        }
    }
}

impl Reliable {
    fn with(config: Config, state: Arc<State>) -> Self {
        Self {
            config,
            bounds: Bounds {
                window: config.window.0 as u32,
                bytes: config.limit.0,
                rto: (config.rto_min.0, config.rto_max.0),
                retries: config.retries.0 as u8,
                ack_delay: config.ack_delay.0,
                timeout: config.timeout.0,
            },
            state,
        }
    }

    /// The direction of the other end.
    fn out(&self) -> Direction {
        match self.config.number {
            Way::Egress => Direction::Egress,
            Way::Ingress => Direction::Ingress,
        }
    }

    /// Does what is to be done now, and says when the block is to be woken if it is earlier than so far. Under the lock.
    fn work(&self, link: &mut Link, now: u64, cx: &mut Context<'_>) -> Option<u64> {
        let out = self.out();
        let mut deadline = now;
        for _ in 0..BUDGET {
            let (made, direction) = match link.end.act(now, &self.bounds) {
                None => {
                    deadline = link.end.deadline(&self.bounds);
                    break;
                }
                Some(Action::Deliver(data)) => (Skb::from_bytes(&data), out.opposite()),
                Some(Action::Send(header, data)) => {
                    let place = data.get_mut(ADDRESSES..DATA);
                    copy(place.unwrap_or_default(), &header.bytes());
                    (Skb::from_bytes(data), out)
                }
                Some(Action::Control(header, map)) => {
                    (control(&header, &link.addresses, &map), out)
                }
            };
            match made {
                Some(skb) => cx.emit(
                    skb,
                    Port {
                        direction,
                        index: 0,
                    },
                ),
                None => cx.drop_here(None, DropReason::NoMemory),
            }
        }
        let is_earlier = deadline < link.armed;
        link.armed = link.armed.min(deadline);
        is_earlier.then_some(deadline)
    }

    fn wake_at(&self, time: Option<u64>, cx: &Context<'_>) {
        if let Some(time) = time {
            self.state.clock.wake_at(time, cx);
        }
    }

    /// Numbers a packet that is no super-packet, has no tag beside it, and its checksum in it. False if it is sent later, by what is
    /// kept of it.
    fn number<P: Packet>(&self, packet: &mut P, cx: &mut Context<'_>) -> Result<bool, DropReason> {
        let short = SHORTEST as u32;
        if packet.len() < short && !packet.resize(short) {
            return Err(DropReason::NoMemory);
        }
        let len = packet.len();
        if len > Skb::LEN_MAX.saturating_sub(INSERTED as u32) {
            return Err(DropReason::TooBig);
        }
        let bytes = packet.header(len).ok_or(DropReason::NoMemory)?;
        let parts = bytes.split_at_checked(ADDRESSES);
        let (addresses, rest) = parts.ok_or(DropReason::Malformed)?;
        let now = time::now();
        let (sent, wake) = self.state.link.with(|link| {
            let sent = if link.end.sender.has_room(len, &self.bounds) {
                match join(&[addresses, &[0; INSERTED], rest]) {
                    Some(kept) => {
                        link.sends(addresses);
                        Ok(link.end.send(kept, len, now, &self.bounds))
                    }
                    None => Err(DropReason::NoMemory),
                }
            } else {
                Err(DropReason::QueueFull)
            };
            (sent, self.work(link, now, cx))
        });
        self.wake_at(wake, cx);
        let Some(header) = sent? else {
            return Ok(false);
        };
        // What does not go now goes when it is missed.
        let at = ADDRESSES as u32;
        let done = packet.insert(at, INSERTED as u32) && packet.replace(at, &header.bytes(), &[]);
        packet.renew();
        Ok(done)
    }

    /// Numbers a packet, or each of those that it stands for.
    fn number_parts(&self, skb: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        let (mut first, others) = if skb.is_super() {
            match skb.segment() {
                Ok((first, others)) => (first, Some(others)),
                Err(skb) => return Verdict::drop(skb, DropReason::Malformed),
            }
        } else {
            (skb, None)
        };
        let done = self.number_part(&mut first, cx);
        // They wait for the end of the walk of the first.
        for mut part in others.into_iter().flatten() {
            let direction = cx.direction();
            match self.number_part(&mut part, cx) {
                Ok(true) => cx.emit(
                    part,
                    Port {
                        direction,
                        index: 0,
                    },
                ),
                Ok(false) => {
                    let _ = part.consume();
                }
                Err(reason) => cx.drop_here(Some(part), reason),
            }
        }
        match done {
            Ok(true) => cx.pass(first),
            Ok(false) => first.consume(),
            Err(reason) => Verdict::drop(first, reason),
        }
    }

    /// Numbers one that has something beside its bytes.
    fn number_part(&self, skb: &mut Skb, cx: &mut Context<'_>) -> Result<bool, DropReason> {
        if skb.is_super() || !skb.complete_checksum() {
            return Err(DropReason::Malformed);
        }
        match skb.tag_inside() {
            true => self.number(skb, cx),
            false => Err(DropReason::NoMemory),
        }
    }

    fn goes_out<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if !self.config.send {
            return cx.pass(packet);
        }
        let more = INSERTED.wrapping_add(SHORTEST) as u32;
        if !has_room(&mut packet, more) {
            return packet.with_skb(cx, |skb, cx| self.number_parts(skb, cx));
        }
        match self.number(&mut packet, cx) {
            Ok(true) => cx.pass(packet),
            Ok(false) => packet.with_skb(cx, |skb, _| skb.consume()),
            Err(reason) => Verdict::drop(packet, reason),
        }
    }

    /// What becomes of a packet of the other end that has a header.
    fn look<P: Packet>(&self, packet: &mut P, cx: &mut Context<'_>) -> Result<Come, Not> {
        // A tag beside it is outside of all, so nothing behind it is a header.
        if packet.vlan().is_some() {
            return Err(Not::Plain);
        }
        let ours = packet.device_address();
        let (len, is_super) = (packet.len(), packet.is_super());
        let head = packet.header(len.min(DATA as u32)).unwrap_or_default();
        let header = Header::read(head, len as usize)?;
        if is_super {
            return Err(Not::Malformed);
        }
        let needed = match header.kind {
            Kind::Data => len,
            _ => len.min(LONGEST_CONTROL as u32),
        };
        let Some(bytes) = packet.header(needed) else {
            return Ok(Come::NoMemory);
        };
        let (addresses, rest) = bytes.split_at_checked(ADDRESSES).ok_or(Not::Malformed)?;
        let rest = rest.get(INSERTED..).ok_or(Not::Malformed)?;
        let map = match header.kind {
            Kind::Ack => Some(Map::read(rest)?),
            _ => None,
        };
        let now = time::now();
        let (come, wake) = self.state.link.with(|link| {
            link.comes(addresses, ours);
            let at = (now, &self.bounds);
            let make = || join(&[addresses, rest]);
            let come = link.end.come(&header, map.as_ref(), len, at, make);
            (come, self.work(link, now, cx))
        });
        self.wake_at(wake, cx);
        Ok(come)
    }

    fn comes_in<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let reason = match self.look(&mut packet, cx) {
            Ok(Come::Deliver) => {
                if packet.remove(ADDRESSES as u32, INSERTED as u32) {
                    packet.renew();
                    return cx.pass(packet);
                }
                DropReason::NoMemory
            }
            Ok(Come::Kept | Come::Control) => {
                return packet.with_skb(cx, |skb, _| skb.consume());
            }
            Ok(Come::Duplicate | Come::Stale) => DropReason::Filtered,
            Ok(Come::Full) => DropReason::QueueFull,
            Ok(Come::NoMemory) => DropReason::NoMemory,
            Err(Not::Malformed) => DropReason::Malformed,
            Err(Not::Plain) => {
                self.state.counts.this(cx.cpu()).clear.add(1);
                match self.config.plain {
                    Plain::Pass => return cx.pass(packet),
                    Plain::Drop => DropReason::Filtered,
                }
            }
        };
        Verdict::drop(packet, reason)
    }
}

/// A packet that an end sends by itself.
#[inline(never)]
fn control(header: &Header, addresses: &[u8; ADDRESSES], map: &Map) -> Option<Skb> {
    let (bytes, len) = header.control(addresses, map);
    Skb::from_bytes(bytes.get(..len)?)
}

impl Block for Reliable {
    const TYPE: &'static str = "reliable";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let entries = places(|| Entry::EMPTY)?;
        let slots = places(|| None)?;
        let link = Link {
            end: End::new(entries, slots, HashKey::random()),
            addresses: [0; ADDRESSES],
            has_peer: false,
            armed: NEVER,
        };
        let state = State {
            link: Locked::new(link)?,
            counts: PerCpu::new(args.process())?,
            clock: args.hold_queue()?,
        };
        Ok(Self::with(Config::DEFAULT, Arc::new(state, GFP_KERNEL)?))
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        match cx.direction() == self.out() {
            true => self.goes_out(packet, cx),
            false => self.comes_in(packet, cx),
        }
    }

    fn wake(&self, cx: &mut Context<'_>) {
        let now = time::now();
        let wake = self.state.link.with(|link| {
            link.armed = NEVER;
            self.work(link, now, cx)
        });
        self.wake_at(wake, cx);
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        // What waits may be due now.
        self.state.clock.wake_then(process);
        Ok(Self::with(config, self.state.clone()))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let bounds = &self.bounds;
        let (sent, received, values) = self.state.link.with(|link| {
            let End {
                sender, receiver, ..
            } = &link.end;
            let values = [
                ("pending", sender.pending().into()),
                ("pending-bytes", sender.bytes),
                ("waiting", receiver.waiting.into()),
                ("waiting-bytes", receiver.bytes),
                ("control", link.end.controls),
                ("rtt", sender.rtt.smoothed / 1000),
                ("rto", sender.rtt.timeout(bounds.rto, 0) / 1000),
            ];
            (sender.counts, receiver.counts, values)
        });
        let parts = self.state.counts.iter();
        let clear = parts.fold(0u64, |sum, (_, part)| sum.wrapping_add(part.clear.get()));
        let counts = [
            ("sent", sent.sent),
            ("resent", sent.resent),
            ("acknowledged", sent.acknowledged),
            ("given-up", sent.given_up),
            ("delivered", received.delivered),
            ("out-of-order", received.early),
            ("duplicate", received.duplicate),
            ("skipped", received.skipped),
            ("stale", received.stale),
            ("clear", clear),
        ];
        for (name, value) in [counts.as_slice(), &values].into_iter().flatten() {
            match *name {
                "rtt" | "rto" => to.put(name, format_args!("{value}us")),
                _ => to.put(name, format_args!("{value}")),
            }
        }
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        old.state.clock.wake_then(process);
        Ok(Some(Self::with(self.config, old.state.clone())))
    }
}
