// SPDX-License-Identifier: GPL-2.0

//! `queue`: packets wait for a link of a rate, which takes one after the other. A queue that is full drops what comes;
//! by `CoDel` one that stands drops what leaves.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{
    headers::Addresses,
    option::{Directions, Number, Rate, Size, Time},
    *,
};

#[path = "shape/bucket.rs"]
mod bucket;
#[path = "queue/codel.rs"]
mod codel;

use bucket::Bucket;
use codel::{Codel, Law};

block_module! {
    type: Queue,
    name: "fb_queue",
    authors: ["The LANA developers"],
    description: "LANA block: a bounded queue in front of a slow link, with CoDel",
    license: "GPL",
    alias: ["lana-fb-queue"],
}

#[derive(Zeroable)]
struct Counts {
    dropped: Count,
    marked: Count,
}

/// What replaced blocks have in common.
struct State {
    queue: HoldQueue,
    counts: PerCpu<Counts>,
    /// The bucket: see [`Bucket`].
    full_at: Atomic<u64>,
    codel: Locked<Codel>,
    /// How long the last packet waited, in nanoseconds.
    sojourn: Atomic<u64>,
}

/// The longest time of an option.
const LONGEST: u64 = 60 * time::SECOND;
/// The shortest.
const SHORTEST: u64 = 1_000;

words! {
    /// What it drops.
    enum Drops {
        /// What comes when the queue is full.
        Tail = "tail",
        /// Also what leaves, as RFC 8289 has it.
        Codel = "codel",
    }
}

options! {
    /// What can be set.
    struct Config {
        /// Bits per second at which packets leave, frames with their Ethernet header. Empty: no limit, nothing waits
        rate: Option<Rate<{ bucket::SLOWEST }, { bucket::FASTEST }>> = None,
        /// Bytes that leave at once after a pause
        burst: Size<0, { bucket::LARGEST }> = Size(0),
        /// Number of packets that can wait. The block drops the rest, as queue-full
        limit: Number<1, { HoldQueue::MOST as u64 }> = Number(1000),
        /// Bytes that can wait. The block drops the rest, as queue-full
        limit_bytes as "limit-bytes": Option<Size<1, { 1 << 40 }>> = None,
        /// Drops what comes to a full queue (tail), or also what leaves a standing one, as filtered (codel)
        drop: Drops = Drops::Tail,
        /// CoDel: the time that packets may wait
        target: Time<SHORTEST, LONGEST> = Time(5_000_000),
        /// CoDel: the time that they may wait longer than the target before the block drops one
        interval: Time<SHORTEST, LONGEST> = Time(100_000_000),
        /// CoDel: marks packets that can carry an ECN mark, in place of dropping them
        ecn: bool = false,
        /// Direction of the packets that it queues. The others pass
        direction: Directions = Directions::Both,
    }
}

struct Queue {
    config: Config,
    bucket: Option<Bucket>,
    state: Arc<State>,
}

/// Says by ECN that there is congestion (RFC 3168). False if the packet cannot carry that.
fn mark(packet: &mut Skb) -> bool {
    let parsed = packet.parse();
    let at = parsed.network.saturating_add(1) as u32;
    match (parsed.addresses, parsed.traffic_class & 3) {
        (Addresses::None, _) | (_, 0) => false,
        (_, 3) => true,
        (Addresses::V4(..), _) => {
            let sum = Sum::covering(parsed.network.saturating_add(10) as u32);
            packet.replace_u8(at, parsed.traffic_class | 3, &[sum])
        }
        (Addresses::V6(..), _) => {
            // The traffic class lies across two bytes; the flow label follows.
            let header = packet.header(at.saturating_add(1));
            let Some(&byte) = header.and_then(<[u8]>::last) else {
                return false;
            };
            packet.replace_u8(at, byte | 0x30, &[])
        }
    }
}

impl Queue {
    /// The link takes a packet that came at some time, if it is ready for it by `now`. The other result is when it is
    /// ready for the next one. It begins with a packet when that has come and it is ready, even if the kernel is late:
    /// so the rate is right.
    fn take(&self, bucket: &Bucket, bytes: u32, came: u64, now: u64) -> (bool, u64) {
        let full_at = &self.state.full_at;
        let mut seen = full_at.load(Relaxed);
        loop {
            let ready = bucket.ready(seen);
            if ready > now {
                return (false, ready);
            }
            let (_, next) = bucket.take(seen, bytes, came);
            match full_at.cmpxchg(seen, next, Relaxed) {
                Ok(_) => return (true, bucket.ready(next)),
                Err(other) => seen = other,
            }
        }
    }

    /// Whether `CoDel` drops a packet that leaves.
    fn drops(&self, packet: &mut Skb, now: u64, waited: u64, counts: &Counts) -> bool {
        let Config {
            drop: Drops::Codel,
            target: Time(target),
            interval: Time(interval),
            ecn,
            ..
        } = self.config
        else {
            return false;
        };
        let law = Law { target, interval };
        let backlog = self.state.queue.bytes();
        let mark = || {
            let marked = ecn && mark(packet);
            counts.marked.add(marked.into());
            marked
        };
        let codel = &self.state.codel;
        let drops = codel.with(|codel| codel.drops(&law, now, (waited, backlog), mark));
        counts.dropped.add(drops.into());
        drops
    }

    /// This one with other options. What waits does so by the new rate.
    fn with(&self, config: Config, process: &Process) -> Result<Self, Failure> {
        let state = self.state.clone();
        state.queue.make_room(config.limit.0 as u32, process)?;
        state.queue.wake_then(process);
        let rate = config.rate.map_or(0, |rate| rate.0);
        Ok(Self {
            config,
            bucket: Bucket::new(rate, config.burst.0),
            state,
        })
    }
}

impl Block for Queue {
    const TYPE: &'static str = "queue";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(Config::DEFAULT.limit.0 as u32, args.process())?;
        let state = State {
            queue,
            counts: PerCpu::new(args.process())?,
            full_at: Atomic::new(0),
            codel: Locked::new(Codel::NEW)?,
            sojourn: Atomic::new(0),
        };
        Ok(Self {
            config: Config::DEFAULT,
            bucket: None,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let State { queue, .. } = &*self.state;
        if !self.config.direction.include(cx.direction()) {
            return cx.pass(packet);
        }
        let (now, bytes) = (time::now(), packet.len());
        // None overtakes those that wait.
        if queue.is_empty() {
            let Some(bucket) = &self.bucket else {
                return cx.pass(packet);
            };
            match self.take(bucket, bytes, now, now) {
                (true, _) => return cx.pass(packet),
                (false, ready) => queue.pause(ready, cx),
            }
        }
        let Config {
            limit, limit_bytes, ..
        } = self.config;
        let would = queue.bytes().saturating_add(bytes.into());
        if u64::from(queue.len()) >= limit.0 || limit_bytes.is_some_and(|limit| would > limit.0) {
            return Verdict::drop(packet, DropReason::QueueFull);
        }
        // It is due now, and leaves when the link is ready for it.
        queue.hold(packet, now, cx)
    }

    fn release(&self, mut packet: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        let State { queue, sojourn, .. } = &*self.state;
        let (came, now) = (queue.due(), time::now());
        let waited = now.saturating_sub(came);
        sojourn.store(waited, Relaxed);
        let Some(bucket) = &self.bucket else {
            return cx.pass(packet);
        };
        let counts = self.state.counts.this(cx.cpu());
        if self.drops(&mut packet, now, waited, counts) {
            // The link takes the next one at once.
            return Verdict::drop(packet, DropReason::Filtered);
        }
        // The queue let it go, so the link is ready, unless it has just been given a packet that did not wait.
        let (_, ready) = self.take(bucket, packet.len(), came, u64::MAX);
        queue.pause(ready, cx);
        cx.pass(packet)
    }

    /// Its options have changed: the link is idle, and what waits need not wait by an old rate.
    fn wake(&self, cx: &mut Context<'_>) {
        let full_at = Bucket::full_at(time::now());
        self.state.full_at.store(full_at, Relaxed);
        self.state.queue.unpause(cx);
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        self.with(config, process)
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        let state = &*self.state;
        to.put("waiting", format_args!("{}", state.queue.len()));
        to.put("waiting-bytes", format_args!("{}", state.queue.bytes()));
        let sojourn = state.sojourn.load(Relaxed) / 1000;
        to.put("sojourn", format_args!("{sojourn}us"));
        to.put("delayed", format_args!("{}", state.queue.held(process)));
        let mut sum = |name, part: &dyn Fn(&Counts) -> u64| {
            let parts = state.counts.iter().map(|(_, counts)| part(counts));
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("dropped", &|counts| counts.dropped.get());
        sum("marked", &|counts| counts.marked.get());
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        old.with(self.config, process).map(Some)
    }
}
