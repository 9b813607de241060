// SPDX-License-Identifier: GPL-2.0

//! `icmp-echo`: answers echo requests of IPv4 and IPv6 to its addresses in place, and sends the replies
//! by its egress port; if told also ARP and neighbour solicitations. Everything else passes.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

#[path = "icmp_echo/frame.rs"]
mod frame;
#[path = "icmp_echo/limit.rs"]
mod limit;
#[path = "icmp_echo/ours.rs"]
mod ours;

use address::{Address, Mac, Prefix, Unicast};
use frame::{Kind, Link, Passed, Protocol, Refusal, Request, What};
use limit::{Limit, Setting};
use ours::{Ours, Range};

block_module! {
    type: Echo,
    name: "fb_icmp_echo",
    authors: ["The LANA developers"],
    description: "LANA block: answers pings",
    license: "GPL",
    alias: ["lana-fb-icmp-echo"],
}

/// How many addresses and prefixes a block takes.
const ADDRESSES: usize = 1024;

/// How many token buckets the sources of packets share.
const SOURCES: usize = 1 << 14;

#[derive(Zeroable)]
struct Counts {
    answered: Count,
    arp: Count,
    neighbour: Count,
    refused: [Count; Refusal::NAMES.len()],
    passed: [Count; Passed::NAMES.len()],
    /// The second in which this CPU last answered an echo request, what `answered` was when it
    /// began, and how many were answered in the one before it.
    second: Count,
    begun: Count,
    before: Count,
}

impl Counts {
    /// Counts an answer to an echo request.
    #[inline(always)]
    fn answer(&self) {
        let answered = self.answered.get();
        let now = time::second();
        if now != self.second.get() {
            self.before.set(self.in_last_second(now, answered));
            self.begun.set(answered);
            self.second.set(now);
        }
        self.answered.set(answered.wrapping_add(1));
    }

    /// How many echo requests were answered in the second before `now`.
    fn in_last_second(&self, now: u64, answered: u64) -> u64 {
        let during = answered.wrapping_sub(self.begun.get());
        limit::last_full(now, self.second.get(), during, self.before.get())
    }
}

/// A limit with its token buckets. A packet has the bucket that a hash which nobody can foresee gives
/// its source; sources that have the same share it.
struct Limited {
    limit: Limit,
    key: HashKey,
    buckets: KVVec<Atomic<u64>>,
}

impl Limited {
    /// With so many buckets.
    fn new(limit: Limit, count: usize) -> Result<Self> {
        let mut buckets = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            buckets.push(Atomic::new(0), GFP_KERNEL)?;
        }
        Ok(Self {
            limit,
            key: HashKey::random(),
            buckets,
        })
    }

    /// What the value of an option says that was `old` until now.
    #[inline(never)]
    fn parse(
        key: &str,
        text: &str,
        count: usize,
        old: &Option<Arc<Self>>,
    ) -> Result<Option<Arc<Self>>, Failure> {
        let setting: Setting = text.parse().map_err(|bad| fail!(EINVAL, "{key}: {bad}"))?;
        let Some(limit) = setting.0 else {
            return Ok(None);
        };
        let new = Arc::new(Self::new(limit, count)?, GFP_KERNEL)?;
        Ok(Self::kept(Some(new), old))
    }

    /// The old one where it is the same limit, so that its buckets go on.
    fn kept(new: Option<Arc<Self>>, old: &Option<Arc<Self>>) -> Option<Arc<Self>> {
        match (new, old) {
            (Some(new), Some(old)) if new.limit == old.limit => Some(old.clone()),
            (new, _) => new,
        }
    }

    /// Takes a packet out of the bucket of its source; whether there was one.
    fn take(&self, source: Address) -> bool {
        let bucket = match &*self.buckets {
            [one] => Some(one),
            many => many.get(self.key.hash(&ours::origin(source)) as usize % SOURCES),
        };
        let Some(bucket) = bucket else { return false };
        let now = time::coarse();
        let mut was = bucket.load(Relaxed);
        while let Some(next) = self.limit.take(was, now) {
            match bucket.cmpxchg(was, next, Relaxed) {
                Ok(_) => return true,
                Err(other) => was = other,
            }
        }
        false
    }
}

/// What it answers for.
#[derive(Default)]
struct Addresses {
    prefixes: KVec<Prefix>,
    v4: KVec<(u32, u32)>,
    v6: KVec<(u128, u128)>,
}

impl Ours for Addresses {
    fn prefixes(&self) -> &[Prefix] {
        &self.prefixes
    }

    #[inline]
    fn v4(&self) -> &[(u32, u32)] {
        &self.v4
    }

    #[inline]
    fn v6(&self) -> &[(u128, u128)] {
        &self.v6
    }
}

impl Addresses {
    fn new(mut prefixes: KVec<Prefix>) -> Result<Self> {
        ours::sort(&mut prefixes);
        let (mut v4, mut v6) = (KVec::new(), KVec::new());
        ours::ranges(&prefixes, |range| match range {
            Range::V4(first, last) => v4.push((first, last), GFP_KERNEL),
            Range::V6(first, last) => v6.push((first, last), GFP_KERNEL),
        })?;
        Ok(Self { prefixes, v4, v6 })
    }

    fn copy(&self) -> Result<KVec<Prefix>> {
        let mut prefixes = KVec::with_capacity(self.prefixes.len(), GFP_KERNEL)?;
        prefixes.extend_from_slice(&self.prefixes, GFP_KERNEL)?;
        Ok(prefixes)
    }

    /// Those, and the ones of a list.
    #[inline(never)]
    fn with(&self, key: &str, list: &str) -> Result<Self, Failure> {
        let mut prefixes = self.copy()?;
        for prefix in Self::parse(key, list) {
            let prefix = prefix?;
            if prefixes.contains(&prefix) {
                return Err(fail!(EEXIST, "{key}: {prefix} is there already"));
            }
            if prefixes.len() >= ADDRESSES {
                return Err(fail!(
                    ENOSPC,
                    "{key}: more than {ADDRESSES} addresses and prefixes"
                ));
            }
            prefixes.push(prefix, GFP_KERNEL)?;
        }
        Ok(Self::new(prefixes)?)
    }

    /// Those but the ones of a list.
    #[inline(never)]
    fn without(&self, key: &str, list: &str) -> Result<Self, Failure> {
        let mut prefixes = self.copy()?;
        for prefix in Self::parse(key, list) {
            let prefix = prefix?;
            let before = prefixes.len();
            prefixes.retain(|other| *other != prefix);
            if prefixes.len() == before {
                return Err(fail!(ENOENT, "{key}: {prefix} is not there"));
            }
        }
        Ok(Self::new(prefixes)?)
    }

    fn parse<'a>(
        key: &'a str,
        list: &'a str,
    ) -> impl Iterator<Item = Result<Prefix, Failure>> + 'a {
        ours::parse(list).map(move |found| {
            found.map_err(|(text, bad)| fail!(EINVAL, "{key}: '{}' {bad}", text.escape_default()))
        })
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for prefix in &self.prefixes {
            write!(f, "{comma}{prefix}")?;
            comma = ",";
        }
        Ok(())
    }
}

options! {
    /// What can be set, besides what is no plain value.
    struct Settings {
        ..OptionSpec::text(ADDR, LIST, "Addresses that the block answers for"),
        ..OptionSpec::text(ADD, LIST, "Adds these to addr"),
        ..OptionSpec::text(REMOVE, LIST, "Removes these from addr"),
        ..OptionSpec::text(RATE, LIMIT, "Maximum echo requests that it answers per second"),
        ..OptionSpec::text(RATE_SOURCE, LIMIT, "The same limit for each source"),
        /// Answer ARP requests and neighbour solicitations
        arp: bool = false,
        /// MAC address of the block. Empty: that of the device that received the packet
        mac: Option<Unicast> = None,
    }
}

/// What the options say. What stands behind an [`Arc`] does not change, but for the buckets, which are
/// state.
#[derive(Clone)]
struct Config {
    addresses: Arc<Addresses>,
    settings: Settings,
    /// The limit for all sources together, and for each.
    rate: Option<Arc<Limited>>,
    rate_source: Option<Arc<Limited>>,
}

struct Echo {
    config: Config,
    counts: Arc<PerCpu<Counts>>,
}

const ADDR: &str = "addr";
const ADD: &str = "addr+";
const REMOVE: &str = "addr-";
const RATE: &str = "rate";
const RATE_SOURCE: &str = "rate-source";

/// The forms of texts.
const LIST: &str = "addresses and prefixes, parted by commas, or all";
const LIMIT: &str = "RATE or RATE/BURST";

impl Echo {
    /// What was counted, summed over the CPUs, by name.
    fn each(&self, mut tell: impl FnMut(&str, u64)) {
        let now = time::second();
        let mut sum = |name, part: &dyn Fn(&Counts) -> u64| {
            let parts = self.counts.iter().map(|(_, counts)| part(counts));
            tell(name, parts.fold(0, u64::wrapping_add));
        };
        sum("answered", &|counts| counts.answered.get());
        sum("answered.rate", &|counts| {
            counts.in_last_second(now, counts.answered.get())
        });
        sum("answered.arp", &|counts| counts.arp.get());
        sum("answered.neighbour", &|counts| counts.neighbour.get());
        for (i, name) in Refusal::NAMES.into_iter().enumerate() {
            sum(name, &|counts| counts.refused.get(i).map_or(0, Count::get));
        }
        for (i, name) in Passed::NAMES.into_iter().enumerate() {
            sum(name, &|counts| counts.passed.get(i).map_or(0, Count::get));
        }
    }

    /// Our MAC address, where a frame came to it or to that of a group.
    #[inline(always)]
    fn mac<P: Packet>(&self, packet: &P, to: Mac) -> Option<Mac> {
        let mac = self.config.settings.mac.map(Unicast::mac);
        let mac = mac.or_else(|| packet.device_address().map(Mac::from));
        // What comes by no device may be for any MAC address.
        let mac = mac.unwrap_or(to);
        let for_us = to == mac || to.is_multicast();
        (for_us && !mac.is_multicast()).then_some(mac)
    }

    /// Takes a frame in which there may be something for one of the addresses.
    #[inline(always)]
    fn take<P: Packet>(
        &self,
        mut packet: P,
        link: Link,
        what: Option<What>,
        cx: &Context<'_>,
    ) -> Verdict<P> {
        let request = match what {
            Some(What::Request(request)) => request,
            Some(What::Refused(why)) => return self.refuse(packet, link.to, why, cx),
            Some(What::Passed(why)) => return self.pass(packet, link.to, why, cx),
            // All of it was there to be looked at.
            Some(What::Longer(_)) | None => return cx.pass(packet),
        };
        let Some(mac) = self.mac(&packet, link.to) else {
            return cx.pass(packet);
        };
        if let Err(why) = self.check(&mut packet, link, request) {
            return self.refuse(packet, link.to, why, cx);
        }
        if Self::reply(&mut packet, request, mac).is_none() {
            return Verdict::drop(packet, DropReason::NoMemory);
        }
        let counts = self.counts.this(cx.cpu());
        match request.kind {
            Kind::Echo | Kind::EchoV6 => counts.answer(),
            Kind::Arp => counts.arp.add(1),
            Kind::Neighbour { .. } => counts.neighbour.add(1),
        }
        let (direction, index) = (Direction::Egress, 0);
        Verdict::forward(packet, Port { direction, index })
    }

    /// Refuses a request, if it is for us.
    #[cold]
    fn refuse<P: Packet>(&self, packet: P, to: Mac, why: Refusal, cx: &Context<'_>) -> Verdict<P> {
        if self.mac(&packet, to).is_none() {
            return cx.pass(packet);
        }
        if let Some(count) = self.counts.this(cx.cpu()).refused.get(why as usize) {
            count.add(1);
        }
        let reason = if why.is_malformed() {
            DropReason::Malformed
        } else {
            DropReason::Filtered
        };
        Verdict::drop(packet, reason)
    }

    /// Passes what may be a request on, and counts it, if it is for us.
    #[cold]
    fn pass<P: Packet>(&self, packet: P, to: Mac, why: Passed, cx: &Context<'_>) -> Verdict<P> {
        if self.mac(&packet, to).is_some() {
            if let Some(count) = self.counts.this(cx.cpu()).passed.get(why as usize) {
                count.add(1);
            }
        }
        cx.pass(packet)
    }

    /// What is left to check of a request: whom it is from, the checksum, and the limits.
    #[inline(always)]
    fn check<P: Packet>(
        &self,
        packet: &mut P,
        link: Link,
        request: Request,
    ) -> Result<(), Refusal> {
        if !link.is_fit(request.kind) {
            return Err(Refusal::Multicast);
        }
        if let Some((offset, len)) = request.message() {
            // What comes from a virtual machine may have none yet, and cannot have been damaged.
            let sum = packet
                .complete_checksum()
                .then(|| packet.checksum(offset, len))
                .flatten();
            if !sum.is_some_and(|sum| request.is_sound(sum)) {
                return Err(Refusal::Checksum);
            }
        }
        let limited = self.config.rate.is_some() || self.config.rate_source.is_some();
        if limited && request.kind.is_echo() {
            let len = packet.len().min(frame::HEAD);
            let source = packet.header(len).and_then(|head| request.source(head));
            self.admit(source.ok_or(Refusal::Source)?)?;
        }
        Ok(())
    }

    /// Whether the limits let a packet of this source through.
    fn admit(&self, source: Address) -> Result<(), Refusal> {
        let over = |limited: &Option<Arc<Limited>>| {
            let limited = limited.as_ref();
            limited.is_some_and(|limited| !limited.take(source))
        };
        if over(&self.config.rate_source) {
            return Err(Refusal::RateSource);
        }
        if over(&self.config.rate) {
            return Err(Refusal::Rate);
        }
        Ok(())
    }

    /// Makes the reply of the request, unless there is no memory.
    #[inline(always)]
    fn reply<P: Packet>(packet: &mut P, request: Request, mac: Mac) -> Option<()> {
        let (len, head) = request.lengths();
        if len != packet.len() && !packet.resize(len) {
            return None;
        }
        if request.reply(packet.header_mut(head)?, mac)? {
            Self::mend(packet, request, head)?;
        }
        Some(())
    }

    /// Looks at a reply whose checksum became 0.
    #[cold]
    fn mend<P: Packet>(packet: &mut P, request: Request, head: u32) -> Option<()> {
        let (offset, len) = request.message()?;
        if packet.checksum(offset, len) == Some(0) {
            request.mend(packet.header_mut(head)?);
        }
        Some(())
    }
}

impl Block for Echo {
    const TYPE: &'static str = "icmp-echo";
    const OPTIONS: &'static [OptionSpec] = Settings::OPTIONS;
    const FILE: File = File::Read;

    fn new(args: &mut Args) -> Result<Self> {
        Ok(Self {
            config: Config {
                addresses: Arc::new(Addresses::default(), GFP_KERNEL)?,
                settings: Settings::DEFAULT,
                rate: None,
                rate_source: None,
            },
            counts: Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if cx.direction() == Direction::Egress {
            return cx.pass(packet);
        }
        let len = packet.len();
        let Some(head) = packet.header(len.min(frame::HEAD)) else {
            return cx.pass(packet);
        };
        let Some(link) = frame::link(head) else {
            return cx.pass(packet);
        };
        let (addresses, arp) = (&self.config.addresses, &self.config.settings.arp);
        // Each protocol has code of its own, to the end.
        match link.protocol {
            Protocol::V4 => {
                let what = link.ipv4(head, len, &**addresses);
                self.take(packet, link, what, cx)
            }
            Protocol::V6 => {
                let mut what = link.ipv6(head, len, &**addresses, *arp);
                if let Some(What::Longer(more)) = what {
                    let Some(head) = packet.header(more) else {
                        return Verdict::drop(packet, DropReason::NoMemory);
                    };
                    what = link.ipv6(head, len, &**addresses, *arp);
                }
                self.take(packet, link, what, cx)
            }
            Protocol::Arp if *arp => {
                let what = link.arp(head, &**addresses);
                self.take(packet, link, what, cx)
            }
            Protocol::Arp => cx.pass(packet),
        }
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let text = core::str::from_utf8(value).map_err(|_| fail!(EINVAL, "{key}: not a text"))?;
        let text = text.trim();
        let mut config = self.config.clone();
        match key {
            ADDR | ADD | REMOVE => {
                let addresses = match key {
                    ADDR => Addresses::default().with(key, text)?,
                    ADD => config.addresses.with(key, text)?,
                    _ => config.addresses.without(key, text)?,
                };
                config.addresses = Arc::new(addresses, GFP_KERNEL)?;
            }
            RATE => config.rate = Limited::parse(key, text, 1, &config.rate)?,
            RATE_SOURCE => {
                config.rate_source = Limited::parse(key, text, SOURCES, &config.rate_source)?;
            }
            _ => {
                let settings = config.settings.with(key, value);
                config.settings = settings.ok_or_else(|| Self::unknown(key))??;
            }
        }
        let counts = self.counts.clone();
        Ok(Self { config, counts })
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        let mut config = self.config.clone();
        config.rate = Limited::kept(config.rate, &old.config.rate);
        config.rate_source = Limited::kept(config.rate_source, &old.config.rate_source);
        let counts = old.counts.clone();
        Ok(Some(Self { config, counts }))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        // A rate of 0 is one, once there was another.
        let mut answered = false;
        self.each(|name, count| {
            let is_first = name == "answered";
            answered |= is_first && count != 0;
            if count != 0 || is_first || answered && name == "answered.rate" {
                to.put(name, format_args!("{count}"));
            }
        });
        let Config {
            addresses,
            settings,
            rate,
            rate_source,
        } = &self.config;
        if !addresses.prefixes.is_empty() {
            to.put_config(ADDR, format_args!("{}", **addresses));
        }
        settings.put(to);
        for (key, limited) in [(RATE, rate), (RATE_SOURCE, rate_source)] {
            if let Some(limited) = limited {
                to.put_config(key, format_args!("{}", limited.limit));
            }
        }
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        let mut result = Ok(());
        self.each(|name, count| result = result.and_then(|()| writeln!(to, "{name} {count}")));
        result
    }
}
