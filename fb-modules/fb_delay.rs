// SPDX-License-Identifier: GPL-2.0

//! `delay`: a link that is long and bad. It has packets wait, and loses, doubles and reorders some.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{
    option::{Directions, Number, Share, Time},
    *,
};

block_module! {
    type: Delay,
    name: "fb_delay",
    authors: ["The LANA developers"],
    description: "LANA block: delays, loses, duplicates and reorders packets",
    license: "GPL",
    alias: ["lana-fb-delay"],
}

#[derive(Zeroable)]
struct Counts {
    lost: Count,
    doubled: Count,
    reordered: Count,
}

/// What replaced blocks have in common.
struct State {
    queue: HoldQueue,
    counts: PerCpu<Counts>,
}

/// The longest that a packet waits.
const LONGEST: u64 = 60 * time::SECOND;
/// All, in billionths.
const ALL: u64 = 1_000_000_000;
const SEED: &str = "seed";

options! {
    /// What can be set.
    struct Config {
        /// Time that a packet waits
        latency: Time<0, LONGEST> = Time(0),
        /// Largest deviation from the latency. Packets may overtake others
        jitter: Time<0, LONGEST> = Time(0),
        /// Share of packets that the block drops, as filtered
        loss: Share = Share(0),
        /// Share of packets of which the block also sends a copy at once
        duplicate: Share = Share(0),
        /// Share of packets that do not wait and so overtake others
        reorder: Share = Share(0),
        /// Number of packets that can wait. The block drops the rest, as queue-full
        limit: Number<1, { HoldQueue::MOST as u64 }> = Number(1000),
        /// Seed of the random numbers. The same seed and packets give the same losses
        seed: Number<0, { u64::MAX }> = Number(0),
        /// Direction of the packets that it delays. The others pass
        direction: Directions = Directions::Both,
    }
}

struct Delay {
    config: Config,
    state: Arc<State>,
    /// Counts the numbers that were drawn of this seed.
    drawn: Arc<Atomic<u64>>,
}

/// A number that looks like chance, from one that does not: the finalizer of SplitMix64 (Steele, Lea, Flood: Fast
/// Splittable Pseudorandom Number Generators, 2014).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Delay {
    /// The next number below a bound, which is not 0.
    fn below(&self, bound: u64) -> u64 {
        let drawn = self.drawn.fetch_add(1_u64, Relaxed);
        // The numbers of one seed are not those of the next seed, one place further.
        let origin = mixed(self.config.seed.0);
        let number = mixed(origin.wrapping_add(drawn).wrapping_add(1));
        // The upper half of a product: as even as a remainder, and no division.
        (u128::from(number).wrapping_mul(u128::from(bound)) >> 64) as u64
    }

    /// Whether this packet is one of such a share.
    fn hits(&self, Share(share): Share) -> bool {
        share != 0 && self.below(ALL) < share
    }

    /// Until when a packet waits that comes now.
    fn until(&self, now: u64) -> u64 {
        let (Time(latency), Time(jitter)) = (self.config.latency, self.config.jitter);
        let spread = jitter.saturating_mul(2).saturating_add(1);
        let drawn = match jitter {
            0 => 0,
            _ => self.below(spread),
        };
        let wait = latency.saturating_add(drawn).saturating_sub(jitter);
        now.saturating_add(wait)
    }
}

impl Block for Delay {
    const TYPE: &'static str = "delay";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(Config::DEFAULT.limit.0 as u32, args.process())?;
        let state = State {
            queue,
            counts: PerCpu::new(args.process())?,
        };
        Ok(Self {
            config: Config::DEFAULT,
            state: Arc::new(state, GFP_KERNEL)?,
            drawn: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if !self.config.direction.include(cx.direction()) {
            return cx.pass(packet);
        }
        let counts = self.state.counts.this(cx.cpu());
        if self.hits(self.config.loss) {
            counts.lost.add(1);
            return Verdict::drop(packet, DropReason::Filtered);
        }
        if self.hits(self.config.duplicate) {
            counts.doubled.add(1);
            let (direction, index) = (cx.direction(), 0);
            cx.emit_clone(&packet, Port { direction, index });
        }
        if self.hits(self.config.reorder) {
            counts.reordered.add(1);
            return cx.pass(packet);
        }
        let waits = self.config.latency.0 != 0 || self.config.jitter.0 != 0;
        if !waits && self.state.queue.is_empty() {
            return cx.pass(packet);
        }
        if u64::from(self.state.queue.len()) >= self.config.limit.0 {
            return Verdict::drop(packet, DropReason::QueueFull);
        }
        let until = self.until(time::now());
        self.state.queue.hold(packet, until, cx)
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        self.state.queue.make_room(config.limit.0 as u32, process)?;
        let drawn = match key {
            SEED => Arc::new(Atomic::new(0), GFP_KERNEL)?,
            _ => self.drawn.clone(),
        };
        Ok(Self {
            config,
            state: self.state.clone(),
            drawn,
        })
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        let State { queue, .. } = &*self.state;
        to.put("waiting", format_args!("{}", queue.len()));
        to.put("delayed", format_args!("{}", queue.held(process)));
        let mut sum = |name, part: &dyn Fn(&Counts) -> u64| {
            let parts = self.state.counts.iter().map(|(_, counts)| part(counts));
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("lost", &|counts| counts.lost.get());
        sum("duplicated", &|counts| counts.doubled.get());
        sum("reordered", &|counts| counts.reordered.get());
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        old.state
            .queue
            .make_room(self.config.limit.0 as u32, process)?;
        let drawn = match self.config.seed == old.config.seed {
            true => &old.drawn,
            false => &self.drawn,
        };
        Ok(Some(Self {
            config: self.config,
            state: old.state.clone(),
            drawn: drawn.clone(),
        }))
    }
}
