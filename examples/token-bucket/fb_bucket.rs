// SPDX-License-Identifier: GPL-2.0

//! `bucket`: lets so many packets a second pass, and drops the others. The block that
//! Documentation/writing-blocks.md writes step by step.

use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

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

/// What options change.
struct Policer {
    rate: u64,
    burst: u64,
    bucket: Option<Bucket>,
    state: Arc<State>,
}

const DEFAULT_BURST: u64 = 10;

impl Policer {
    fn with(rate: u64, burst: u64, state: Arc<State>) -> Self {
        Self {
            rate,
            burst,
            bucket: Bucket::new(rate, burst),
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
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: "rate",
            values: Values::Range(0, bucket::FASTEST),
            default: "0",
            doc: "Packets that pass per second. 0: no limit",
        },
        OptionSpec {
            key: "burst",
            values: Values::Range(1, bucket::LARGEST),
            default: "10",
            doc: "Packets that pass at once",
        },
    ];

    fn new(args: &mut Args) -> Result<Self> {
        let state = State {
            full_at: Atomic::new(0),
            passed: PerCpu::new(args.process())?,
        };
        let state = Arc::new(state, GFP_KERNEL)?;
        Ok(Self::with(0, DEFAULT_BURST, state))
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
        let number = |least, most, default| match core::str::from_utf8(value).map(str::trim) {
            Ok("") => Ok(default),
            text => text
                .ok()
                .and_then(units::whole)
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| fail!(EINVAL, "{key}: a number from {least} to {most}")),
        };
        let (mut rate, mut burst) = (self.rate, self.burst);
        match key {
            "rate" => rate = number(0, bucket::FASTEST, 0)?,
            "burst" => burst = number(1, bucket::LARGEST, DEFAULT_BURST)?,
            _ => return Err(Self::unknown(key)),
        }
        Ok(Self::with(rate, burst, self.state.clone()))
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        to.put_config("rate", format_args!("{}", self.rate));
        to.put_config("burst", format_args!("{}", self.burst));
        let parts = self.state.passed.iter();
        let passed = parts.fold(0, |sum: u64, (_, part)| {
            sum.wrapping_add(part.packets.get())
        });
        to.put("passed", format_args!("{passed}"));
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self::with(self.rate, self.burst, old.state.clone())))
    }
}
