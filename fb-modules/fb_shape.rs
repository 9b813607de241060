// SPDX-License-Identifier: GPL-2.0

//! `shape`: a token bucket. Packets beyond its rate wait, or are dropped.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

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
    delayed: Count,
    policed: Count,
}

/// What replaced blocks have in common.
struct State {
    queue: HoldQueue,
    counts: PerCpu<Counts>,
    /// The bucket: see [`Bucket`].
    full_at: Atomic<u64>,
}

/// What becomes of packets beyond the rate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Shape,
    Police,
}

#[derive(Clone, Copy)]
struct Config {
    rate: u64,
    burst: u64,
    mode: Mode,
    limit: u64,
    only: Option<Direction>,
}

struct Shape {
    config: Config,
    bucket: Option<Bucket>,
    state: Arc<State>,
}

const RATE: &str = "rate";
const BURST: &str = "burst";
const MODE: &str = "mode";
const LIMIT: &str = "limit";
const DIRECTION: &str = "direction";

const DEFAULT_BURST: u64 = 16 << 10;
const DEFAULT_LIMIT: u64 = 1000;

impl Config {
    const DEFAULT: Self = Self {
        rate: 0,
        burst: DEFAULT_BURST,
        mode: Mode::Shape,
        limit: DEFAULT_LIMIT,
        only: None,
    };

    /// This with another value; an empty one is for the default. None where there is no such option.
    fn with(mut self, key: &str, text: &str) -> Option<Result<Self, Failure>> {
        let default = text.is_empty();
        let set = match key {
            RATE => match default {
                true => Ok(0),
                false => units::rate(text)
                    .filter(|rate| (bucket::SLOWEST..=bucket::FASTEST).contains(rate))
                    .ok_or_else(|| {
                        fail!(
                            EINVAL,
                            "{key}: a rate such as 10mbit, from 1kbit to 100gbit"
                        )
                    }),
            }
            .map(|rate| self.rate = rate),
            BURST => match default {
                true => Ok(DEFAULT_BURST),
                false => units::size(text)
                    .filter(|&burst| burst <= bucket::LARGEST)
                    .ok_or_else(|| fail!(EINVAL, "{key}: bytes, or such as 32kb, at most 64mb")),
            }
            .map(|burst| self.burst = burst),
            MODE => match text {
                "" | "shape" => Ok(Mode::Shape),
                "police" => Ok(Mode::Police),
                _ => Err(fail!(EINVAL, "{key}: shape or police")),
            }
            .map(|mode| self.mode = mode),
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
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: RATE,
            values: Values::Text("a rate such as 10mbit, from 1kbit to 100gbit"),
            default: "",
            doc: "Maximum bits per second, frames with their Ethernet header. Empty: no limit",
        },
        OptionSpec {
            key: BURST,
            values: Values::Text("bytes, or such as 32kb, at most 64mb"),
            default: "16kb",
            doc: "Bytes that pass at once after a pause",
        },
        OptionSpec {
            key: MODE,
            values: Values::Words(&["shape", "police"]),
            default: "shape",
            doc: "Packets above the rate wait (shape), or are dropped as filtered (police)",
        },
        OptionSpec {
            key: LIMIT,
            values: Values::Range(1, HoldQueue::MOST as u64),
            default: "1000",
            doc: "Number of packets that can wait. The block drops the rest, as queue-full",
        },
        OptionSpec {
            key: DIRECTION,
            values: Values::Words(&["ingress", "egress", "both"]),
            default: "both",
            doc: "Direction of the packets that it limits. The others pass",
        },
    ];

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(DEFAULT_LIMIT as u32, args.process())?;
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
        if self.config.only.is_some_and(|only| only != cx.direction()) {
            return cx.pass(packet);
        }
        let State {
            queue,
            counts,
            full_at: _,
        } = &*self.state;
        if u64::from(queue.len()) >= self.config.limit {
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
            Some(goes) => {
                counts.this(cx.cpu()).delayed.add(1);
                queue.hold(packet, goes, cx)
            }
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let text = core::str::from_utf8(value).map_err(|_| fail!(EINVAL, "{key}: not a text"))?;
        let config = self.config.with(key, text.trim());
        let config = config.ok_or_else(|| Self::unknown(key))??;
        self.state.queue.make_room(config.limit as u32, process)?;
        Ok(Self {
            config,
            bucket: Bucket::new(config.rate, config.burst),
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
        sum("policed", &|counts| counts.policed.get());
        if config.rate != 0 {
            to.put_config(RATE, format_args!("{}", units::Rate(config.rate)));
        }
        if config.burst != default.burst {
            to.put_config(BURST, format_args!("{}", units::Size(config.burst)));
        }
        if config.mode == Mode::Police {
            to.put_config(MODE, format_args!("police"));
        }
        if config.limit != default.limit {
            to.put_config(LIMIT, format_args!("{}", config.limit));
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
            bucket: self.bucket,
            state: old.state.clone(),
        }))
    }
}
