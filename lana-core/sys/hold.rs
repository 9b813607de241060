// SPDX-License-Identifier: GPL-2.0

//! Packets that wait for their time, and the timer that lets them go on.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use super::{
    bindings,
    context::{without_softirqs, Process},
    percpu::ThisCpu,
    rcu,
    reason::DropReason,
    skb::Skb,
    slot::{Datapath, Slot},
    time,
};
use crate::base::{
    port::Direction,
    schedule::{Ordered, Schedule},
};
use core::ptr::NonNull;
use kernel::{
    impl_has_hr_timer, new_spinlock,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, ArcBorrow, SpinLock,
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle, HasHrTimer, HrTimer, HrTimerCallback, HrTimerCallbackContext,
            HrTimerPointer, HrTimerRestart, RelativeSoftMode,
        },
        Delta, Monotonic,
    },
};

/// How many go on at most before the softirq may do something else: as many as the kernel's takes that devices have
/// received (`netdev_budget`). To go on after that takes an interrupt of the timer.
const BUDGET: u32 = 300;
/// How long after a block was woken it is woken again, at least, in nanoseconds: one that asks for times of the past
/// does not keep a CPU to itself.
const PAUSE: u64 = 10_000;
/// The queues' first numbers are so far from each other, as a power of two: no two packets that wait have the same.
const APART: u32 = 40;
/// How many queues were made so far.
static QUEUES: Atomic<u64> = Atomic::new(0);
/// A time that does not come.
const NEVER: u64 = u64::MAX;

/// A packet that waits.
pub(crate) struct Held {
    pub(crate) packet: Skb,
    /// The way it came.
    pub(crate) direction: Direction,
    /// The blocks that it may still pass.
    pub(crate) left: u32,
    /// The device it came by: its number, as the device may go meanwhile.
    device: u32,
    /// No other packet that waits has this number; what came to the queue later has a larger one.
    pub(crate) number: u64,
}

/// What a block has waited for.
pub(crate) enum Due {
    Packet(Held),
    /// The time at which it wanted to be woken.
    Wake,
}

/// What waits until when; of the same time what came first.
struct Waiting {
    until: u64,
    held: Held,
}

impl Ordered for Waiting {
    #[inline]
    fn before(&self, other: &Self) -> bool {
        (self.until, self.held.number) < (other.until, other.held.number)
    }
}

struct Content<D: Datapath> {
    /// The graph that it is of: none before it is opened, and when it is closed.
    datapath: Option<NonNull<D>>,
    /// Where what is due goes on: the block that was the last to hold something here.
    slot: Option<NonNull<Slot<D>>>,
    /// No packet goes on before this time.
    gate: u64,
    waiting: Schedule<Waiting>,
    /// The number of the next.
    number: u64,
    wake: u64,
    /// How many packets that were [received](Hold::put_received) may wait.
    receives: usize,
    /// Whether the block is to be woken when the change is made that its process is about.
    wanted: bool,
    /// The time at which it was woken last.
    woken: u64,
    /// The time at which the timer is to fire. 0 while its function runs, which looks itself what comes next.
    armed: u64,
}

// SAFETY: the datapath and its slots may be used on any CPU.
unsafe impl<D: Datapath> Send for Content<D> {}

impl<D: Datapath> Content<D> {
    /// Whether it is open, and of this graph.
    fn is_of(&self, datapath: &D) -> bool {
        self.datapath == Some(NonNull::from(datapath))
    }

    /// When the next thing is due.
    fn next(&self) -> u64 {
        let first = self.waiting.first();
        let first = first.map_or(NEVER, |first| first.until.max(self.gate));
        first.min(self.wake)
    }
}

/// A queue of packets that wait, with its timer.
///
/// # Invariants
///
/// The datapath lives, and the slot is one of its graph, until the datapath is taken out and the timer is cancelled
/// after that, which is [`HoldOwner`]'s to do; without a datapath the timer is not started.
#[pin_data]
pub(crate) struct Hold<D: Datapath> {
    /// Packets that wait now.
    len: Atomic<u32>,
    /// How many bytes those have.
    bytes: Atomic<u64>,
    /// How many may wait.
    capacity: Atomic<u32>,
    /// The time until which the packet was held that goes on now. The timer's function alone writes it.
    due: Atomic<u64>,
    /// No block has it any more.
    is_idle: Atomic<u32>,
    /// How many packets were received for which there was no room.
    refused: Atomic<u64>,
    /// The number of the first packet.
    first: u64,
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    content: SpinLock<Content<D>>,
}

impl_has_hr_timer! {
    impl{D: Datapath} HasHrTimer<Self> for Hold<D> {
        mode: RelativeSoftMode<Monotonic>, field: self.timer
    }
}

/// Keeps a [`Hold`] open. What waits is freed when it goes.
///
/// # Invariants
///
/// It goes before the graph does, of which the hold is: blocks' instances have it, and no instance outlives the
/// graph.
pub(crate) struct HoldOwner<D: Datapath> {
    hold: Arc<Hold<D>>,
    timer: Option<ArcHrTimerHandle<Hold<D>>>,
}

impl<D: Datapath> HoldOwner<D> {
    /// A hold for a block, to be [opened](Self::open). Sleeps.
    pub(crate) fn new(_process: &Process) -> Result<Self> {
        let first = QUEUES.fetch_add(1, Relaxed).wrapping_shl(APART);
        let hold = Arc::pin_init(
            pin_init!(Hold {
                len: Atomic::new(0),
                bytes: Atomic::new(0),
                capacity: Atomic::new(0),
                due: Atomic::new(0),
                is_idle: Atomic::new(0),
                refused: Atomic::new(0),
                timer <- HrTimer::new(),
                content <- new_spinlock!(
                    Content {
                        datapath: None,
                        slot: None,
                        gate: 0,
                        waiting: Schedule::new(),
                        number: first,
                        receives: 0,
                        wake: NEVER,
                        wanted: false,
                        woken: 0,
                        armed: NEVER,
                    },
                    "lana::Hold::content"
                ),
                first,
            }),
            GFP_KERNEL,
        )?;
        // Nothing waits: it fires in some centuries. The handle is what cancels all later starts, too.
        let timer = Some(hold.clone().start(Delta::from_nanos(i64::MAX)));
        Ok(Self { hold, timer })
    }

    /// It is one of this graph now, which outlives it. Sleeps.
    pub(crate) fn open(&self, datapath: &D) {
        // INVARIANT: the owner goes before the graph does.
        without_softirqs(|| self.hold.content.lock().datapath = Some(NonNull::from(datapath)));
    }

    /// A change is made that concerns the block at this slot: it is woken soon, if it wants to be. Process context.
    ///
    /// # Safety
    ///
    /// The slot is one of the graph that this was opened for.
    pub(super) unsafe fn changed(&self, slot: NonNull<Slot<D>>) {
        without_softirqs(|| {
            let mut content = self.hold.content.lock();
            if core::mem::take(&mut content.wanted) && content.datapath.is_some() {
                // INVARIANT: it is one of this graph, as the caller says.
                content.slot = content.slot.or(Some(slot));
                content.wake = content.wake.min(content.woken.saturating_add(PAUSE));
                Hold::arm(self.hold.as_arc_borrow(), &mut content);
            }
        });
    }

    /// The hold.
    pub(crate) fn hold(&self) -> &Arc<Hold<D>> {
        &self.hold
    }
}

impl<D: Datapath> Drop for HoldOwner<D> {
    fn drop(&mut self) {
        let waiting = self.hold.close();
        // Waits for the timer's function where that runs. Nobody starts the timer again, without a datapath.
        self.timer = None;
        drop(waiting);
    }
}

impl<D: Datapath> Hold<D> {
    /// How many packets wait. Any context.
    pub(crate) fn len(&self) -> u32 {
        self.len.load(Relaxed)
    }

    /// How many bytes those have. Any context.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The time until which the packet was held that goes on now. For the function that it goes on by.
    pub(crate) fn due(&self) -> u64 {
        self.due.load(Relaxed)
    }

    /// How many have waited or wait. Process context.
    pub(crate) fn held(&self, _process: &Process) -> u64 {
        without_softirqs(|| self.content.lock().number.wrapping_sub(self.first))
    }

    /// How many may wait. Any context.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity.load(Relaxed)
    }

    /// No block has it any more: what waits is freed, though other blocks' instances may keep its owner. Any context.
    pub(crate) fn leave(&self) {
        self.is_idle.store(1, Relaxed);
        drop(self.close());
    }

    /// From now on nothing is held, and the timer is not started. What has waited until now.
    fn close(&self) -> Schedule<Waiting> {
        without_softirqs(|| {
            let mut content = self.content.lock();
            content.datapath = None;
            self.len.store(0, Relaxed);
            self.bytes.store(0, Relaxed);
            core::mem::replace(&mut content.waiting, Schedule::new())
        })
    }

    /// How many packets were [received](Self::put_received) and given back. Any context.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Whether no block has it any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_idle.load(Relaxed) != 0
    }

    /// Makes room for so many packets; those that wait beyond that are still let go on. Sleeps.
    pub(crate) fn resize(&self, capacity: u32, _process: &Process) -> Result {
        let mut waiting = Schedule::with_room(capacity.max(self.len()))?;
        // The memory is freed when the lock has been given back.
        without_softirqs(|| {
            let mut content = self.content.lock();
            if content.waiting.len() > waiting.room() {
                // More have come meanwhile.
                return Err(EAGAIN);
            }
            content.waiting.move_to(&mut waiting);
            core::mem::swap(&mut content.waiting, &mut waiting);
            self.capacity.store(capacity, Relaxed);
            Ok(())
        })
    }

    /// Holds a packet until a time, in nanoseconds of [`time::now`]. Gives it back where there is no room, where the hold
    /// is closed or another graph's, or without memory to make it one that can wait. The result is its number. From
    /// softirqs.
    pub(crate) fn put(
        self: &Arc<Self>,
        mut packet: Skb,
        direction: Direction,
        left: u32,
        until: u64,
        (datapath, slot): (&D, &Slot<D>),
    ) -> Result<u64, (Skb, DropReason)> {
        if self.len() >= self.capacity() {
            return Err((packet, DropReason::QueueFull));
        }
        if !packet.unshare() {
            return Err((packet, DropReason::NoMemory));
        }
        let mut device = 0;
        // SAFETY: the buffer is live and ours.
        if !unsafe { bindings::lana_skb_hold(packet.as_ptr(), &raw mut device) } {
            return Err((packet, DropReason::NoMemory));
        }
        let held = Held {
            packet,
            direction,
            left,
            device,
            number: 0,
        };
        let mut content = self.content.lock();
        // Others may have come since the first look.
        if !content.is_of(datapath) || content.waiting.len() >= self.capacity() as usize {
            return Err((held.packet, DropReason::QueueFull));
        }
        let slot = NonNull::from(slot);
        let number = Self::wait(self.as_arc_borrow(), &mut content, until, held);
        let number = number.map_err(|packet| (packet, DropReason::QueueFull))?;
        content.slot = Some(slot);
        Ok(number)
    }

    /// Has a packet wait. Gives it back where there is no room; the result is its number. For who has the lock.
    fn wait(
        this: ArcBorrow<'_, Self>,
        content: &mut Content<D>,
        until: u64,
        held: Held,
    ) -> Result<u64, Skb> {
        let (number, bytes) = (content.number, u64::from(held.packet.len()));
        let held = Held { number, ..held };
        let waiting = Waiting { until, held };
        if let Err(waiting) = content.waiting.push(waiting) {
            return Err(waiting.held.packet);
        }
        content.number = number.wrapping_add(1);
        this.len.store(content.waiting.len() as u32, Relaxed);
        this.bytes.store(this.bytes().wrapping_add(bytes), Relaxed);
        Self::arm(this, content);
        Ok(number)
    }

    /// A packet was received for the block, which goes on from there at once, in a softirq of its own. Given back, and
    /// counted, where there is no room or no memory, and where the hold is closed or does not know its place yet. From
    /// softirqs.
    pub(super) fn put_received(self: ArcBorrow<'_, Self>, packet: Skb) -> Result<(), Skb> {
        let put = self.try_put_received(packet);
        if put.is_err() {
            self.refused.fetch_add(1_u64, Relaxed);
        }
        put
    }

    fn try_put_received(self: ArcBorrow<'_, Self>, packet: Skb) -> Result<(), Skb> {
        let mut device = 0;
        // SAFETY: the buffer is live and ours.
        if !unsafe { bindings::lana_skb_hold(packet.as_ptr(), &raw mut device) } {
            return Err(packet);
        }
        let mut content = self.content.lock();
        let is_full = content.waiting.len() >= content.receives;
        if is_full || content.datapath.is_none() || content.slot.is_none() {
            return Err(packet);
        }
        let held = Held {
            packet,
            direction: Direction::Ingress,
            left: D::HOPS,
            device,
            number: 0,
        };
        Self::wait(self, &mut content, time::now(), held).map(drop)
    }

    /// What is due goes on from this place, until the block holds something elsewhere; and so many packets that are received
    /// may wait. Nothing where it is a place of another graph. Process context.
    pub(crate) fn stand(&self, receives: u32, (datapath, slot): (&D, &Slot<D>)) {
        without_softirqs(|| {
            let mut content = self.content.lock();
            if content.is_of(datapath) {
                // INVARIANT: the slot is one of the datapath's graph.
                content.slot = Some(NonNull::from(slot));
                content.receives = receives as usize;
            }
        });
    }

    /// The namespace of its graph, while it is open. Process context.
    pub(super) fn net(&self) -> Option<*mut bindings::net> {
        without_softirqs(|| {
            let datapath = self.content.lock().datapath?;
            // SAFETY: by the type's invariants the datapath lives while the hold is open.
            Some(unsafe { datapath.as_ref() }.net().as_ptr())
        })
    }

    /// Has the block woken at a time; only at the first of several, and [`PAUSE`] after the last one. From softirqs.
    pub(crate) fn wake_at(self: &Arc<Self>, time: u64, (datapath, slot): (&D, &Slot<D>)) {
        let mut content = self.content.lock();
        if content.is_of(datapath) {
            content.slot = Some(NonNull::from(slot));
            let time = time.max(content.woken.saturating_add(PAUSE));
            content.wake = content.wake.min(time);
            Self::arm(self.as_arc_borrow(), &mut content);
        }
    }

    /// Has the block woken soon after the change that is being made: [`HoldOwner::changed`]. Process context.
    pub(crate) fn wake_then(&self, _process: &Process) {
        without_softirqs(|| self.content.lock().wanted = true);
    }

    /// No packet goes on before this time, or the one that was set before if that is later. From softirqs.
    pub(crate) fn pause(&self, until: u64) {
        let mut content = self.content.lock();
        content.gate = content.gate.max(until);
    }

    /// Packets go on by their own times again. From softirqs.
    pub(crate) fn unpause(self: &Arc<Self>) {
        let mut content = self.content.lock();
        content.gate = 0;
        Self::arm(self.as_arc_borrow(), &mut content);
    }

    /// Starts the timer, unless it fires early enough. For who has the lock.
    fn arm(this: ArcBorrow<'_, Self>, content: &mut Content<D>) {
        let next = content.next();
        if next >= content.armed || content.datapath.is_none() {
            return;
        }
        content.armed = next;
        let after = next.saturating_sub(time::now());
        let after = Delta::from_nanos(i64::try_from(after).unwrap_or(i64::MAX));
        // SAFETY: it lives as long as its owner, which cancels the timer, having taken the datapath out under the lock
        // that is held: so the timer is not started after that.
        unsafe { Self::start(core::ptr::from_ref(&*this), after) };
    }

    /// Takes what is due. Reads the clock only where nothing was when it was last read.
    fn take(&self, content: &mut Content<D>, now: &mut u64) -> Option<Due> {
        let next = content.next();
        if next > *now {
            *now = time::now();
            if next > *now {
                return None;
            }
        }
        if content.wake <= *now {
            content.wake = NEVER;
            content.woken = *now;
            return Some(Due::Wake);
        }
        let due = content.waiting.pop()?;
        // The memory of one that has waited is far away, and this one takes its time.
        if let Some(next) = content.waiting.first() {
            next.held.packet.prefetch();
        }
        let bytes = self.bytes().wrapping_sub(due.held.packet.len().into());
        self.bytes.store(bytes, Relaxed);
        self.len.store(content.waiting.len() as u32, Relaxed);
        self.due.store(due.until, Relaxed);
        Some(Due::Packet(due.held))
    }
}

impl<D: Datapath> HrTimerCallback for Hold<D> {
    type Pointer<'a> = Arc<Self>;

    /// In a softirq.
    fn run(this: ArcBorrow<'_, Self>, _: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        let mut now = 0;
        for left in (0..BUDGET).rev() {
            let mut content = this.content.lock();
            content.armed = 0;
            let due = match (content.datapath, content.slot) {
                (Some(datapath), Some(slot)) if left > 0 => this
                    .take(&mut content, &mut now)
                    .map(|due| (due, datapath, slot)),
                _ => None,
            };
            let Some((due, datapath, slot)) = due else {
                // Also for what is still due.
                content.armed = NEVER;
                Self::arm(this, &mut content);
                break;
            };
            drop(content);
            // SAFETY: by the type's invariants the datapath and the slot live until the timer is cancelled, which
            // waits for this function.
            let (datapath, slot) = unsafe { (datapath.as_ref(), slot.as_ref()) };
            rcu::read(|reader| {
                if let Due::Packet(held) = &due {
                    let net = datapath.net().as_ptr();
                    // SAFETY: the buffer is live and ours, the namespace is that of the graph, and this is a
                    // read-side section, in which the packet ends or is held again.
                    unsafe { bindings::lana_skb_resume(held.packet.as_ptr(), net, held.device) };
                }
                // SAFETY: a softirq stays on its CPU to its end.
                datapath.resume(slot, due, reader, unsafe { ThisCpu::new() });
            });
        }
        HrTimerRestart::NoRestart
    }
}
