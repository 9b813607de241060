// SPDX-License-Identifier: GPL-2.0

//! Makes packets from nothing, as many and as long as it is told, in equal pauses.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{
    option::{Number, Time},
    *,
};

block_module! {
    type: Beacon,
    name: "fb_misuse_beacon",
    authors: ["The LANA developers"],
    description: "LANA test block: makes packets",
    license: "GPL",
    alias: ["lana-fb-misuse-beacon"],
}

options! {
    struct Config {
        /// Time from one packet to the next; 0: there are none
        interval: Time<0, { 60 * time::SECOND }> = Time(0),
        /// Bytes of each
        length: Number<0, 100_000> = Number(60),
        /// How many it makes at once
        burst: Number<1, 10_000> = Number(1),
    }
}

struct State {
    queue: HoldQueue,
    made: Atomic<u64>,
    /// Those that could not be made.
    failed: Atomic<u64>,
}

struct Beacon {
    config: Config,
    bytes: KVVec<u8>,
    state: Arc<State>,
}

/// A frame for all, of an EtherType for experiments (IEEE 802), as much of it as there is room for.
const HEADER: [u8; 14] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5,
];

impl Block for Beacon {
    const TYPE: &'static str = "misuse-beacon";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            queue: args.hold_queue()?,
            made: Atomic::new(0),
            failed: Atomic::new(0),
        };
        Ok(Self {
            config: Config::DEFAULT,
            bytes: KVVec::new(),
            state: Arc::new(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        cx.pass(packet)
    }

    fn wake(&self, cx: &mut Context<'_>) {
        let (
            Config {
                interval, burst, ..
            },
            state,
        ) = (self.config, &self.state);
        if interval.0 == 0 {
            return;
        }
        for _ in 0..burst.0 {
            match Skb::from_bytes(&self.bytes) {
                Some(packet) => {
                    state.made.fetch_add(1_u64, Relaxed);
                    let direction = Direction::Egress;
                    cx.emit(
                        packet,
                        Port {
                            direction,
                            index: 0,
                        },
                    );
                }
                None => {
                    state.failed.fetch_add(1_u64, Relaxed);
                }
            }
        }
        state
            .queue
            .wake_at(time::now().saturating_add(interval.0), cx);
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        let mut bytes = KVVec::with_capacity(config.length.0 as usize, GFP_KERNEL)?;
        for index in 0..config.length.0 as usize {
            bytes.push(HEADER.get(index).copied().unwrap_or(0), GFP_KERNEL)?;
        }
        self.state.queue.wake_then(process);
        let state = self.state.clone();
        Ok(Self {
            config,
            bytes,
            state,
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let (made, failed) = (&self.state.made, &self.state.failed);
        to.put("made", format_args!("{}", made.load(Relaxed)));
        to.put("failed", format_args!("{}", failed.load(Relaxed)));
        self.config.put(to);
    }

    fn adopt(&self, old: &Self, process: &Process) -> Result<Option<Self>, Failure> {
        let mut bytes = KVVec::new();
        bytes.extend_from_slice(&self.bytes, GFP_KERNEL)?;
        old.state.queue.wake_then(process);
        Ok(Some(Self {
            config: self.config,
            bytes,
            state: old.state.clone(),
        }))
    }
}
