// SPDX-License-Identifier: GPL-2.0

//! `delay`: a link that is long and bad. It has packets wait, and loses, doubles and reorders some.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

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
    delayed: Count,
    lost: Count,
    doubled: Count,
    reordered: Count,
}

/// What replaced blocks have in common.
struct State {
    queue: HoldQueue,
    counts: PerCpu<Counts>,
    /// Counts the numbers that were drawn.
    drawn: Atomic<u64>,
}

/// What can be set.
#[derive(Clone, Copy)]
struct Config {
    latency: u64,
    jitter: u64,
    /// Shares of the packets, in billionths.
    loss: u64,
    double: u64,
    reorder: u64,
    limit: u64,
    seed: u64,
    only: Option<Direction>,
}

struct Delay {
    config: Config,
    state: Arc<State>,
}

const LATENCY: &str = "latency";
const JITTER: &str = "jitter";
const LOSS: &str = "loss";
const DOUBLE: &str = "duplicate";
const REORDER: &str = "reorder";
const LIMIT: &str = "limit";
const SEED: &str = "seed";
const DIRECTION: &str = "direction";

const TIME: Values = Values::Text("a time such as 10ms, at most 60s");
const SHARE: Values = Values::Text("a share of the packets such as 0.5%");
/// The longest that a packet waits.
const LONGEST: u64 = 60 * time::SECOND;
const DEFAULT_LIMIT: u64 = 1000;
/// All, in billionths.
const ALL: u64 = 1_000_000_000;

impl Config {
    const DEFAULT: Self = Self {
        latency: 0,
        jitter: 0,
        loss: 0,
        double: 0,
        reorder: 0,
        limit: DEFAULT_LIMIT,
        seed: 0,
        only: None,
    };

    /// This with another value; an empty one is for the default. None where there is no such option.
    fn with(mut self, key: &str, text: &str) -> Option<Result<Self, Failure>> {
        let default = text.is_empty();
        let time = || match default {
            true => Ok(0),
            false => units::time(text)
                .filter(|&time| time <= LONGEST)
                .ok_or_else(|| fail!(EINVAL, "{key}: a time such as 10ms, at most 60s")),
        };
        let share = || match default {
            true => Ok(0),
            false => units::share(text)
                .ok_or_else(|| fail!(EINVAL, "{key}: a share such as 0.5%, at most 100%")),
        };
        let set = match key {
            LATENCY => time().map(|time| self.latency = time),
            JITTER => time().map(|time| self.jitter = time),
            LOSS => share().map(|share| self.loss = share),
            DOUBLE => share().map(|share| self.double = share),
            REORDER => share().map(|share| self.reorder = share),
            LIMIT => match default {
                true => Ok(DEFAULT_LIMIT),
                false => units::whole(text)
                    .filter(|limit| (1..=u64::from(HoldQueue::MOST)).contains(limit))
                    .ok_or_else(|| {
                        let most = HoldQueue::MOST;
                        fail!(EINVAL, "{key}: a number of packets from 1 to {most}")
                    }),
            }
            .map(|limit| self.limit = limit),
            SEED => match default {
                true => Ok(0),
                false => units::whole(text).ok_or_else(|| fail!(EINVAL, "{key}: a number")),
            }
            .map(|seed| self.seed = seed),
            DIRECTION => match text {
                "" | "both" => Ok(None),
                "ingress" => Ok(Some(Direction::Ingress)),
                "egress" => Ok(Some(Direction::Egress)),
                _ => Err(fail!(EINVAL, "{key}: ingress, egress or both")),
            }
            .map(|only| self.only = only),
            _ => return None,
        };
        Some(set.map(|()| self))
    }
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
        let drawn = self.state.drawn.fetch_add(1_u64, Relaxed);
        let number = mixed(self.config.seed.wrapping_add(drawn).wrapping_add(1));
        // The upper half of a product: as even as a remainder, and no division.
        (u128::from(number).wrapping_mul(u128::from(bound)) >> 64) as u64
    }

    /// Whether this packet is one of such a share.
    fn hits(&self, share: u64) -> bool {
        share != 0 && self.below(ALL) < share
    }

    /// Until when a packet waits that comes now.
    fn until(&self, now: u64) -> u64 {
        let Config {
            latency, jitter, ..
        } = self.config;
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
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: LATENCY,
            values: TIME,
            default: "0ns",
            doc: "Time that a packet waits",
        },
        OptionSpec {
            key: JITTER,
            values: TIME,
            default: "0ns",
            doc: "Largest deviation from the latency. Packets may overtake others",
        },
        OptionSpec {
            key: LOSS,
            values: SHARE,
            default: "0%",
            doc: "Share of packets that the block drops, as filtered",
        },
        OptionSpec {
            key: DOUBLE,
            values: SHARE,
            default: "0%",
            doc: "Share of packets of which the block also sends a copy at once",
        },
        OptionSpec {
            key: REORDER,
            values: SHARE,
            default: "0%",
            doc: "Share of packets that do not wait and so overtake others",
        },
        OptionSpec {
            key: LIMIT,
            values: Values::Range(1, HoldQueue::MOST as u64),
            default: "1000",
            doc: "Number of packets that can wait. The block drops the rest, as queue-full",
        },
        OptionSpec {
            key: SEED,
            values: Values::Range(0, u64::MAX),
            default: "0",
            doc: "Seed of the random numbers. The same seed and packets give the same losses",
        },
        OptionSpec {
            key: DIRECTION,
            values: Values::Words(&["ingress", "egress", "both"]),
            default: "both",
            doc: "Direction of the packets that it delays. The others pass",
        },
    ];

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(DEFAULT_LIMIT as u32, args.process())?;
        let state = State {
            queue,
            counts: PerCpu::new(args.process())?,
            drawn: Atomic::new(0),
        };
        Ok(Self {
            config: Config::DEFAULT,
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if self.config.only.is_some_and(|only| only != cx.direction()) {
            return cx.pass(packet);
        }
        let counts = self.state.counts.this(cx.cpu());
        if self.hits(self.config.loss) {
            counts.lost.add(1);
            return Verdict::drop(packet, DropReason::Filtered);
        }
        if self.hits(self.config.double) {
            counts.doubled.add(1);
            let (direction, index) = (cx.direction(), 0);
            cx.emit_clone(&packet, Port { direction, index });
        }
        if self.hits(self.config.reorder) {
            counts.reordered.add(1);
            return cx.pass(packet);
        }
        if self.config.latency == 0 && self.config.jitter == 0 && self.state.queue.is_empty() {
            return cx.pass(packet);
        }
        if u64::from(self.state.queue.len()) >= self.config.limit {
            return Verdict::drop(packet, DropReason::QueueFull);
        }
        counts.delayed.add(1);
        let until = self.until(time::now());
        self.state.queue.hold(packet, until, cx)
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let text = core::str::from_utf8(value).map_err(|_| fail!(EINVAL, "{key}: not a text"))?;
        let config = self.config.with(key, text.trim());
        let config = config.ok_or_else(|| Self::unknown(key))??;
        self.state.queue.make_room(config.limit as u32, process)?;
        Ok(Self {
            config,
            state: self.state.clone(),
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let (config, default) = (&self.config, &Config::DEFAULT);
        to.put("waiting", format_args!("{}", self.state.queue.len()));
        let mut sum = |name, part: &dyn Fn(&Counts) -> u64| {
            let parts = self.state.counts.iter().map(|(_, counts)| part(counts));
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("delayed", &|counts| counts.delayed.get());
        sum("lost", &|counts| counts.lost.get());
        sum("duplicated", &|counts| counts.doubled.get());
        sum("reordered", &|counts| counts.reordered.get());
        for (key, time) in [(LATENCY, config.latency), (JITTER, config.jitter)] {
            if time != 0 {
                to.put_config(key, format_args!("{}", units::Time(time)));
            }
        }
        let shares = [
            (LOSS, config.loss),
            (DOUBLE, config.double),
            (REORDER, config.reorder),
        ];
        for (key, share) in shares {
            if share != 0 {
                to.put_config(key, format_args!("{}", units::Share(share)));
            }
        }
        if config.limit != default.limit {
            to.put_config(LIMIT, format_args!("{}", config.limit));
        }
        if config.seed != default.seed {
            to.put_config(SEED, format_args!("{}", config.seed));
        }
        match config.only {
            None => {}
            Some(Direction::Ingress) => to.put_config(DIRECTION, format_args!("ingress")),
            Some(Direction::Egress) => to.put_config(DIRECTION, format_args!("egress")),
        }
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        old.state
            .queue
            .make_room(self.config.limit as u32, process)?;
        Ok(Some(Self {
            config: self.config,
            state: old.state.clone(),
        }))
    }
}
