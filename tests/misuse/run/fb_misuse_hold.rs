// SPDX-License-Identifier: GPL-2.0

//! Does with held packets what `what` says, all of which is to end well: holds each again and again, wants to be woken
//! without a pause, uses the queue of another block, gives its queue up in a packet's way.

use kernel::{
    new_spinlock,
    sync::{
        atomic::{Atomic, Relaxed},
        SetOnce, SpinLock,
    },
};
use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse_hold",
    authors: ["The LANA developers"],
    description: "LANA block: holds packets as it should not",
    license: "GPL",
    alias: ["lana-fb-misuse-hold"],
}

/// A queue of the first block that was told to give it away. All may use it, in whichever namespace.
static GIVEN: SetOnce<HoldQueue> = SetOnce::new();

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Holds each packet for a second.
    Wait,
    /// Holds each packet until a time of the past, whenever it is released.
    Again,
    /// Wants to be woken at a time of the past, whenever it is woken.
    Wake,
    /// Holds each packet in the queue that was given away.
    Given,
    /// Gives its queue up, with what waits there, when a packet comes.
    Drop,
    /// Holds each packet for ever.
    Never,
}

const WORDS: [(&str, What); 6] = [
    ("wait", What::Wait),
    ("again", What::Again),
    ("wake", What::Wake),
    ("given", What::Given),
    ("drop", What::Drop),
    ("never", What::Never),
];

#[pin_data]
struct State {
    released: Atomic<u64>,
    woken: Atomic<u64>,
    #[pin]
    queue: SpinLock<Option<HoldQueue>>,
}

struct Misuse {
    what: What,
    state: Arc<State>,
}

impl Misuse {
    fn hold<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let until = match self.what {
            What::Again => 0,
            What::Never | What::Given => u64::MAX,
            _ => time::now().saturating_add(time::SECOND),
        };
        if self.what == What::Given {
            return match GIVEN.as_ref() {
                Some(queue) => queue.hold(packet, until, cx),
                None => cx.pass(packet),
            };
        }
        // Who sets an option may have it, on this very CPU.
        let Some(mut queue) = self.state.queue.try_lock() else {
            return cx.pass(packet);
        };
        if self.what == What::Drop {
            *queue = None;
        }
        match &*queue {
            Some(queue) => {
                if self.what == What::Wake {
                    for time in 0..1000 {
                        queue.wake_at(time, cx);
                    }
                }
                queue.hold(packet, until, cx)
            }
            None => cx.pass(packet),
        }
    }
}

impl Block for Misuse {
    const TYPE: &'static str = "misuse-hold";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            key: "what",
            values: Values::Words(&["wait", "again", "wake", "given", "drop", "never"]),
            default: Initial::Text("wait"),
            doc: "What it does",
        },
        OptionSpec {
            key: "room",
            values: Values::Range(0, u32::MAX as u64),
            default: Initial::Text("1000"),
            doc: "For how many packets its queue has room",
        },
        OptionSpec {
            key: "give",
            values: Values::Words(&["queue"]),
            default: Initial::Text(""),
            doc: "Gives its queue away",
        },
    ];

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(1000, args.process())?;
        // All that it may have. Those that it does not keep are as good as never made.
        while args.hold_queue().is_ok() {}
        let state = pin_init!(State {
            released: Atomic::new(0),
            woken: Atomic::new(0),
            queue <- new_spinlock!(Some(queue)),
        });
        Ok(Self {
            what: What::Wait,
            state: Arc::pin_init(state, GFP_KERNEL)?,
        })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        self.hold(packet, cx)
    }

    fn receive_batch(&self, batch: &mut Batch, cx: &mut Context<'_>) {
        batch.each(cx, |packet, cx| self.hold(packet, cx));
    }

    fn release(&self, packet: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        self.state.released.fetch_add(1, Relaxed);
        match self.what {
            What::Again => self.hold(packet, cx),
            _ => cx.pass(packet),
        }
    }

    fn wake(&self, cx: &mut Context<'_>) {
        self.state.woken.fetch_add(1, Relaxed);
        if self.what == What::Wake {
            let queue = self.state.queue.try_lock();
            if let Some(queue) = queue.as_ref().and_then(|queue| queue.as_ref()) {
                queue.wake_at(0, cx);
            }
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let text = core::str::from_utf8(value).unwrap_or_default();
        let mut what = self.what;
        match key {
            "what" => {
                let word = WORDS.iter().find(|(word, _)| *word == text);
                what = word.ok_or(EINVAL)?.1;
            }
            "room" => {
                let room = text.parse().map_err(|_| EINVAL)?;
                // Who sleeps has no lock: so the queue is taken out.
                let queue = self.state.queue.lock().take();
                let done = queue.as_ref().map(|queue| queue.resize(room, process));
                *self.state.queue.lock() = queue;
                done.ok_or(ENODEV)??;
            }
            _ => {
                let queue = self.state.queue.lock().take();
                if let Some(queue) = queue {
                    GIVEN.populate(queue);
                }
            }
        }
        Ok(Self {
            what,
            state: self.state.clone(),
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let State {
            released, woken, ..
        } = &*self.state;
        to.put("released", format_args!("{}", released.load(Relaxed)));
        to.put("woken", format_args!("{}", woken.load(Relaxed)));
        let waiting = match GIVEN.as_ref() {
            Some(queue) if self.what == What::Given => queue.len(),
            // It is not to miss its being woken.
            _ if self.what == What::Wake => 0,
            _ => self.state.queue.lock().as_ref().map_or(0, HoldQueue::len),
        };
        to.put("waiting", format_args!("{waiting}"));
    }

    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        Ok(Some(Self {
            what: self.what,
            state: old.state.clone(),
        }))
    }
}
