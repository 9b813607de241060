// SPDX-License-Identifier: GPL-2.0

//! `shape`: a token bucket. Packets beyond its rate wait, or are dropped.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{
    option::{Directions, Number, Rate, Size},
    *,
};

#[expect(dead_code, reason = "the block queue also asks when a bucket is ready")]
#[path = "shape/bucket.rs"]
mod bucket;

use bucket::Bucket;

block_module! {
    type: Shape,
    name: "fb_shape",
    authors: ["The LANA developers"],
    description: "LANA block: limits packets to a rate",
    license: "GPL",
    alias: ["lana-fb-shape"],
}

#[derive(Zeroable)]
struct Counts {
    policed: Count,
}

/// What replaced blocks have in common.
struct State {
    queue: HoldQueue,
    counts: PerCpu<Counts>,
    /// The bucket: see [`Bucket`].
    full_at: Atomic<u64>,
}

words! {
    /// What becomes of packets beyond the rate.
    enum Mode {
        Shape = "shape",
        Police = "police",
    }
}

options! {
    /// What can be set.
    struct Config {
        /// Maximum bits per second, frames with their Ethernet header. Empty: no limit
        rate: Option<Rate<{ bucket::SLOWEST }, { bucket::FASTEST }>> = None,
        /// Bytes that pass at once after a pause
        burst: Size<0, { bucket::LARGEST }> = Size(16 << 10),
        /// Packets above the rate wait (shape), or are dropped as filtered (police)
        mode: Mode = Mode::Shape,
        /// Number of packets that can wait. The block drops the rest, as queue-full
        limit: Number<1, { HoldQueue::MOST as u64 }> = Number(1000),
        /// Direction of the packets that it limits. The others pass
        direction: Directions = Directions::Both,
    }
}

struct Shape {
    config: Config,
    bucket: Option<Bucket>,
    state: Arc<State>,
}

impl Shape {
    /// Takes bytes out of the bucket: the time from which the packet may go on, or none where policing drops it.
    fn take(&self, bucket: &Bucket, bytes: u32, now: u64) -> Option<u64> {
        let full_at = &self.state.full_at;
        let mut seen = full_at.load(Relaxed);
        loop {
            let (goes, next) = bucket.take(seen, bytes, now);
            if self.config.mode == Mode::Police && goes > now {
                return None;
            }
            match full_at.cmpxchg(seen, next, Relaxed) {
                Ok(_) => return Some(goes),
                Err(other) => seen = other,
            }
        }
    }
}

impl Block for Shape {
    const TYPE: &'static str = "shape";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(Config::DEFAULT.limit.0 as u32, args.process())?;
        let state = State {
            queue,
            counts: PerCpu::new(args.process())?,
            full_at: Atomic::new(0),
        };
        Ok(Self {
            config: Config::DEFAULT,
            bucket: None,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let Some(bucket) = &self.bucket else {
            return cx.pass(packet);
        };
        if !self.config.direction.include(cx.direction()) {
            return cx.pass(packet);
        }
        let State {
            queue,
            counts,
            full_at: _,
        } = &*self.state;
        if u64::from(queue.len()) >= self.config.limit.0 {
            return Verdict::drop(packet, DropReason::QueueFull);
        }
        let now = time::now();
        match self.take(bucket, packet.len(), now) {
            None => {
                counts.this(cx.cpu()).policed.add(1);
                Verdict::drop(packet, DropReason::Filtered)
            }
            // None overtakes those that wait.
            Some(goes) if goes <= now && queue.is_empty() => cx.pass(packet),
            Some(goes) => queue.hold(packet, goes, cx),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        self.state.queue.make_room(config.limit.0 as u32, process)?;
        let rate = config.rate.map_or(0, |rate| rate.0);
        Ok(Self {
            config,
            bucket: Bucket::new(rate, config.burst.0),
            state: self.state.clone(),
        })
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        let State { queue, counts, .. } = &*self.state;
        to.put("waiting", format_args!("{}", queue.len()));
        to.put("delayed", format_args!("{}", queue.held(process)));
        let policed = counts.iter().map(|(_, counts)| counts.policed.get());
        let policed = policed.fold(0, u64::wrapping_add);
        to.put("policed", format_args!("{policed}"));
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        old.state
            .queue
            .make_room(self.config.limit.0 as u32, process)?;
        Ok(Some(Self {
            config: self.config,
            bucket: self.bucket,
            state: old.state.clone(),
        }))
    }
}
