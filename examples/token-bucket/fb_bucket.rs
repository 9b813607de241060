// SPDX-License-Identifier: GPL-2.0

//! `bucket`: lets so many packets a second pass, and drops the others. The block that
//! Documentation/writing-blocks.md writes step by step.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::{option::Number, *};

mod bucket;

use bucket::Bucket;

block_module! {
    type: Policer,
    name: "fb_bucket",
    authors: ["The LANA developers"],
    description: "LANA block: lets so many packets a second pass",
    license: "GPL",
    alias: ["lana-fb-bucket"],
}

/// What packets change. It stays when an option is set or the block is replaced.
struct State {
    /// The time at which the bucket is full again.
    full_at: Atomic<u64>,
    passed: PerCpu<Passed>,
}

#[derive(Zeroable)]
struct Passed {
    packets: Count,
}

options! {
    struct Config {
        /// Packets that pass per second. 0: no limit
        rate: Number<0, { bucket::FASTEST }> = Number(0),
        /// Packets that pass at once
        burst: Number<1, { bucket::LARGEST }> = Number(10),
    }
}

/// What options change.
struct Policer {
    config: Config,
    bucket: Option<Bucket>,
    state: Arc<State>,
}

impl Policer {
    fn with(config: Config, state: Arc<State>) -> Self {
        Self {
            config,
            bucket: Bucket::new(config.rate.0, config.burst.0),
            state,
        }
    }

    /// Takes a token; false where there is none.
    fn take(&self, bucket: &Bucket) -> bool {
        let now = time::now();
        let mut seen = self.state.full_at.load(Relaxed);
        while let Some(next) = bucket.take(seen, now) {
            match self.state.full_at.cmpxchg(seen, next, Relaxed) {
                Ok(_) => return true,
                // Another CPU was faster.
                Err(other) => seen = other,
            }
        }
        false
    }
}

impl Block for Policer {
    const TYPE: &'static str = "bucket";
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            full_at: Atomic::new(0),
            passed: PerCpu::new(args.process())?,
        };
        let state = Arc::new(state, GFP_KERNEL)?;
        Ok(Self::with(Config::DEFAULT, state))
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        if self
            .bucket
            .as_ref()
            .is_some_and(|bucket| !self.take(bucket))
        {
            return Verdict::drop(packet, DropReason::Filtered);
        }
        self.state.passed.this(cx.cpu()).packets.add(1);
        cx.pass(packet)
    }

    fn set(&self, key: &str, value: &[u8], _process: &Process) -> Result<Self, Failure> {
        let config = self.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        Ok(Self::with(config, self.state.clone()))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.config.put(to);
        let parts = self.state.passed.iter();
        let passed = parts.fold(0, |sum: u64, (_, part)| {
            sum.wrapping_add(part.packets.get())
        });
        to.put("passed", format_args!("{passed}"));
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self::with(self.config, old.state.clone())))
    }
}
