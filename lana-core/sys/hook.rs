// SPDX-License-Identifier: GPL-2.0

//! Hooked devices: what one receives enters a graph. `hook.c` has the receive handler.
//!
//! The floor above says by [`entrances!`] what packets enter there.

use super::{
    bindings,
    compat::EOPNOTSUPP,
    frame::Frame,
    handle::Handle,
    net::{self, PerNet},
    netdev::{Device, DeviceHandle, DeviceName, Rtnl},
    percpu::ThisCpu,
    queue::List,
    rcu::Reader,
    skb::Skb,
    slot::{Datapath, Entrance, Idp, Slot},
    xdp::Program,
};
use crate::{base::error::Failure, fail};
use core::{ffi::c_void, ptr::NonNull};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, SetOnce,
    },
    types::Opaque,
};

/// The datapath that packets enter by hooked devices and by sockets.
///
/// # Safety
///
/// There is one in the crate: [`entrances!`] implements it.
pub(crate) unsafe trait Entered: Datapath {}

/// A reference to a device that nobody waits for when it is given back, and the handle of it for blocks.
///
/// # Invariants
///
/// Until the handle is ended, `held` is live and its reference the value's.
pub(crate) struct Held {
    held: NonNull<bindings::lana_held>,
    handle: DeviceHandle,
}

// SAFETY: a device may be used and released on any CPU.
unsafe impl Send for Held {}
// SAFETY: the handle is atomic, and what is kept of the device is only given back, once.
unsafe impl Sync for Held {}

impl Held {
    /// Takes a reference. Sleeps.
    pub(crate) fn new(device: &Device) -> Result<Self> {
        // SAFETY: the device lives until a grace period after `end`, by the reference that is given
        // back then; where there is none, nobody gets the handle.
        let handle = unsafe { Handle::new(device.as_nonnull()) }?;
        // SAFETY: the device is live.
        let held = NonNull::new(unsafe { bindings::lana_dev_held(device.as_ptr()) });
        let held = held.ok_or(ENOMEM)?;
        // INVARIANT: that is the reference.
        Ok(Self { held, handle })
    }

    /// The handle.
    pub(crate) fn handle(&self) -> &DeviceHandle {
        &self.handle
    }

    /// A reference to the device, unless it has gone.
    fn device(&self) -> Option<Device> {
        let _reader = rcu::read_lock();
        let dev = self.handle.peek()?;
        // SAFETY: by the handle's invariants the device stays while we read.
        Some(unsafe { Device::from_raw(dev) })
    }

    /// Packets of the device may wait, from now on.
    fn set_batched(&self) {
        let _reader = rcu::read_lock();
        if self.handle.peek().is_some() {
            // SAFETY: by the type's invariants it is live, and given back after a grace period.
            unsafe { (&raw mut (*self.held.as_ptr()).batched).write_volatile(true) };
        }
    }

    /// Gives the reference back once no packet is on its way by the handle. Waits for nothing; once.
    fn end(&self) {
        if self.handle.end().is_some() {
            // SAFETY: the handle was not ended before, so that the reference was ours to give back.
            unsafe { bindings::lana_dev_put_held(self.held.as_ptr()) };
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the receive handler reads of a hooked device.
///
/// # Invariants
///
/// `datapath` is the one that is [`Entered`], `slot` one of its slots; they outlive the value, as the
/// registry of a graph owns it.
#[repr(C)]
struct Target {
    /// What C reads.
    hook: Opaque<bindings::lana_hook>,
    datapath: NonNull<c_void>,
    slot: NonNull<c_void>,
    idp: Idp,
    subsystem: &'static str,
    /// Of the device, in Mbit/s, as it was when that changed last; 0 where it is not known.
    speed: Atomic<u32>,
    held: Held,
    /// Its name, once it has gone.
    name: SetOnce<DeviceName>,
}

/// A device whose frames go to a block. The registry keeps it beside the block's instance, and
/// drops it with RTNL held, unless the device has gone.
///
/// # Invariants
///
/// The device's receive handler is ours, with `target` as its data, until it is detached; then the
/// value lives until a grace period after that.
pub(crate) struct Hook {
    target: KBox<Target>,
    /// Somebody has taken the receive handler away.
    detached: Atomic<bool>,
    /// Packets of it may wait.
    batched: Atomic<bool>,
    /// The driver's program, where frames enter. Detached with the hook, later than this is dropped.
    program: Option<NonNull<bindings::bpf_prog>>,
}

// SAFETY: the target is only read, and what it points to may be used on any CPU.
unsafe impl Send for Hook {}
// SAFETY: the target is only read, and the other fields are atomic.
unsafe impl Sync for Hook {}

impl Target {
    /// The datapath, and the slot where packets enter it.
    #[inline(always)]
    fn entrance<P: Entered>(&self) -> (&P, &Slot<P>) {
        // SAFETY: by the type's invariants, as there is no other `P`.
        unsafe { (self.datapath.cast().as_ref(), self.slot.cast().as_ref()) }
    }
}

impl Device {
    /// The subsystem that has hooked the device, and the IDP of the block that stands for it.
    pub(crate) fn hooked(&self, _rtnl: &Rtnl) -> Option<(&'static str, Idp)> {
        // SAFETY: RTNL is held, and the device live.
        let target = unsafe {
            bindings::lana_dev_hooked(self.as_ptr())
                .cast::<Target>()
                .as_ref()
        };
        target.map(|target| (target.subsystem, target.idp))
    }
}

impl Hook {
    /// Takes what `device` receives, which is that of `held`, for the block behind `idp` of the graph of a
    /// datapath, whose slot is given, in the name of a subsystem: with a program frames, else skbs. The hook has the program from then on: see
    /// [`Program::given`]. Sleeps.
    pub(crate) fn new<P: Entered>(
        rtnl: &Rtnl,
        device: &Device,
        held: Held,
        datapath: &P,
        (subsystem, idp): (&'static str, Idp),
        entrance: Entrance<P>,
        program: Option<&Program>,
    ) -> Result<Self, Failure> {
        if !device.is_ethernet() {
            return Err(fail!(
                EOPNOTSUPP,
                "{} is not an Ethernet device",
                device.name()
            ));
        }
        let mut hook: bindings::lana_hook = pin_init::zeroed();
        hook.gone.idp = idp;
        let target = KBox::new(
            Target {
                hook: Opaque::new(hook),
                datapath: NonNull::from(datapath).cast(),
                slot: entrance.as_ptr().cast(),
                idp,
                subsystem,
                speed: Atomic::new(0),
                held,
                name: SetOnce::new(),
            },
            GFP_KERNEL,
        )?;
        let data = (&raw const *target).cast_mut().cast();
        let prog = program.map(Program::as_nonnull);
        let raw = prog.map_or(core::ptr::null_mut(), NonNull::as_ptr);
        // SAFETY: RTNL is held; the data lives in the value that unregisters it; the program is the device's,
        // and given up by the caller unless this fails.
        match to_result(unsafe { bindings::lana_dev_hook(device.as_ptr(), data, raw) }) {
            // INVARIANT: the handler was registered with the target.
            Ok(()) => Ok(Self {
                target,
                detached: Atomic::new(false),
                batched: Atomic::new(false),
                program: prog,
            }),
            Err(e) if e == EBUSY => Err(device.taken(rtnl)),
            Err(e) => Err(fail!(e, "{} takes no receive handler", device.name())),
        }
    }

    /// Whether what the device receives is collected, and goes on in batches. For who changes the
    /// graph, one at a time.
    pub(crate) fn set_batch(&self, batch: bool) {
        if batch {
            self.batched.store(true, Relaxed);
            self.target.held.set_batched();
        }
        // SAFETY: the hook lives, and one at a time writes the value.
        unsafe { bindings::lana_hook_set_batch(self.target.hook.get(), batch) };
    }

    /// Whether frames enter, before skbs are made for them.
    pub(crate) fn takes_frames(&self) -> bool {
        self.program.is_some()
    }

    /// Whether none do any more, as somebody has replaced the driver's program.
    pub(crate) fn is_displaced(&self) -> bool {
        let hook = self.target.hook.get();
        // SAFETY: the pointer is valid for reads, and C writes the value with `WRITE_ONCE()`.
        unsafe { (&raw const (*hook).displaced).read_volatile() }
    }

    /// The device, unless it has gone.
    pub(crate) fn device(&self) -> Option<Device> {
        self.target.held.device()
    }

    /// Its name, or the last that it had.
    pub(crate) fn ifname(&self) -> DeviceName {
        let now = self.device().map(|device| device.ifname());
        // It is told before the device goes.
        now.or_else(|| self.target.name.as_ref().copied())
            .unwrap_or_default()
    }

    /// The handle for its block.
    pub(crate) fn handle(&self) -> &DeviceHandle {
        self.target.held.handle()
    }

    /// Its speed in Mbit/s, 0 where that is not known.
    pub(crate) fn speed(&self) -> u32 {
        self.target.speed.load(Relaxed)
    }

    /// The vlink subsystem that hooked it.
    pub(crate) fn subsystem(&self) -> &'static str {
        self.target.subsystem
    }

    /// Lets the device go, for who then waits for a grace period before the value is dropped and before
    /// RTNL is given back.
    pub(crate) fn detach(&self, _rtnl: &Rtnl) {
        if self.is_attached() {
            if let Some(device) = self.device() {
                // SAFETY: RTNL is held, the device live, and the handler ours.
                unsafe { bindings::lana_dev_detach(device.as_ptr(), self.target.hook.get()) };
            }
            self.detached.store(true, Relaxed);
        }
    }

    /// Whether the receive handler is ours: not once it was detached, or the device has gone.
    fn is_attached(&self) -> bool {
        !self.detached.load(Relaxed) && self.target.name.as_ref().is_none()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if let Some(device) = self.device().filter(|_| self.is_attached()) {
            // SAFETY: RTNL is held wherever the hook of a device is dropped that has not gone; the handler
            // is ours. When the call returns, no CPU is in the handler, so that the target may go.
            unsafe { bindings::lana_dev_unhook(device.as_ptr(), self.target.hook.get()) };
        }
        if self.batched.load(Relaxed) {
            // SAFETY: process context. When the call returns, nothing waits that came by this target:
            // by the type's invariants nobody adds to that any more.
            unsafe { bindings::lana_batch_flush() };
        }
    }
}

/// A frame from a hooked device. What the receive handler is to answer, who finds a packet that was not
/// taken at `pskb`, unless that is null.
///
/// # Safety
///
/// Called by the receive handler: `hook` is a hooked device's [`Target`], `skb` a packet, and
/// one reference to it is given to us; `cpu_offset` is where this CPU's data are; `pskb` is null, or
/// the handler's.
#[inline(always)]
pub(crate) unsafe fn receive<P: Entered>(
    hook: *const bindings::lana_hook,
    skb: NonNull<bindings::sk_buff>,
    entries: u16,
    cpu_offset: usize,
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: `hook` is the first field of a `Target`, which lives until no CPU is in the handler.
    let (datapath, slot) = unsafe { &*hook.cast::<Target>() }.entrance::<P>();
    // SAFETY: receive handlers run in an RCU read-side section with bottom halves off.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::at(cpu_offset)) };
    // SAFETY: the handler's reference is given to us.
    let packet = unsafe { Skb::from_raw(skb) };
    match datapath.receive(slot, packet, entries, reader, cpu) {
        None => bindings::RX_HANDLER_CONSUMED,
        // SAFETY: the packet is ours and given up; `pskb` is what the contract says.
        Some(packet) => unsafe { bindings::lana_give_back(pskb, packet.into_raw()) },
    }
}

/// A frame from a hooked device, before an skb is made for it. What the driver is to do with it.
///
/// # Safety
///
/// Called by the function of the device's program: `hook` is its [`Target`], `xdp` a buffer that has been
/// received and that nobody else uses until we have answered; `cpu_offset` is where this CPU's data are.
#[inline(always)]
pub(crate) unsafe fn receive_frame<P: Entered>(
    hook: *const bindings::lana_hook,
    xdp: NonNull<bindings::xdp_buff>,
    cpu_offset: usize,
) -> u32 {
    // SAFETY: `hook` is the first field of a `Target`, which lives until no CPU is in the function.
    let (datapath, slot) = unsafe { &*hook.cast::<Target>() }.entrance::<P>();
    // SAFETY: drivers call programs by NAPI, with bottom halves off: a read-side section.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::at(cpu_offset)) };
    // SAFETY: the buffer is as the invariants of frames say.
    let frame = unsafe { Frame::from_raw(xdp) };
    let action = datapath.receive_frame(slot, frame, reader, cpu);
    action.to_wire()
}

/// The same of a packet that is in several buffers, or that has left graphs so often before.
///
/// # Safety
///
/// As for [`receive_frame`].
pub(crate) unsafe fn receive_parts<P: Entered>(
    hook: *const bindings::lana_hook,
    xdp: NonNull<bindings::xdp_buff>,
    entries: u16,
    cpu_offset: usize,
) -> u32 {
    // SAFETY: `hook` is the first field of a `Target`, which lives until no CPU is in the function.
    let (datapath, slot) = unsafe { &*hook.cast::<Target>() }.entrance::<P>();
    // SAFETY: drivers call programs by NAPI, with bottom halves off: a read-side section.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::at(cpu_offset)) };
    // SAFETY: the first buffer is as the invariants of frames say.
    let frame = unsafe { Frame::from_raw(xdp) };
    let action = datapath.receive_parts(slot, frame, entries, reader, cpu);
    action.to_wire()
}

/// Packets that a hooked device has received before. Takes them all.
///
/// # Safety
///
/// Called in an RCU read-side section with bottom halves off: `hook` is a [`Target`] of a device that is
/// hooked, or was and has waited for nobody since; `list` begins a list, linked by `next`, of
/// `LANA_BATCH` packets at most, which are given to us and not shared; `cpu_offset` is where this
/// CPU's data are.
#[inline(always)]
pub(crate) unsafe fn receive_batch<P: Entered>(
    hook: *const bindings::lana_hook,
    list: *mut bindings::sk_buff,
    cpu_offset: usize,
) {
    // SAFETY: `hook` is the first field of a `Target`, which lives until what came by it does not wait any
    // more.
    let (datapath, slot) = unsafe { &*hook.cast::<Target>() }.entrance::<P>();
    // SAFETY: the caller is in a read-side section with bottom halves off, and says where the data of this
    // CPU are.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::at(cpu_offset)) };
    // SAFETY: the list is given to us.
    let packets = unsafe { List::from_raw(list) };
    datapath.receive_batch(slot, packets, reader, cpu);
}

/// A hooked device is being unregistered, or is leaving the namespace, and has no receive handler any
/// more. It goes now, whatever becomes of its block: that goes when the graph is locked next.
///
/// # Safety
///
/// Called by the notifier, with RTNL held, with what the device was hooked with.
pub(crate) unsafe fn gone<P: Entered>(hook: *mut bindings::lana_hook) {
    // SAFETY: `hook` is the first field of a `Target`, which stays until the graph hears of it.
    let target = unsafe { &*hook.cast::<Target>() };
    if let Some(device) = target.held.device() {
        target.name.populate(device.ifname());
    }
    target.held.end();
    let net = target.entrance::<P>().0.net();
    // SAFETY: the registry keeps the target for the block of this IDP; it is not looked at any more here.
    unsafe { net.gone(&raw mut (*hook).gone) };
}

/// What is told of the devices that a graph has hooked.
pub(crate) trait DeviceEvents: PerNet {
    /// Something has happened to the device of a block: `LANA_EVENT_KIND_*`, or what is none of these.
    /// RTNL is held, and the lock of the device itself. Sleeps.
    fn device_event(&self, kind: u32, idp: Idp);
}

/// Something else has happened to a hooked device.
///
/// # Safety
///
/// Called by the notifier, with RTNL held and the lock of the device itself, with what the device was
/// hooked with, and the device.
pub(crate) unsafe fn event<P: Entered, G: DeviceEvents + net::Registered>(
    hook: *const c_void,
    dev: *mut bindings::net_device,
    kind: u32,
) {
    // SAFETY: `hook` is the first field of a `Target`; RTNL, which is held, keeps the device hooked.
    let target = unsafe { &*hook.cast::<Target>() };
    let kind = if kind == bindings::LANA_DEV_ADDRESS {
        u32::MAX
    } else {
        // SAFETY: RTNL is held, and the lock of the device, which is live.
        let speed = unsafe { bindings::lana_dev_speed(dev) };
        target.speed.store(speed, Relaxed);
        kind
    };
    let net = target.entrance::<P>().0.net().as_ptr();
    // SAFETY: a datapath's namespace lives, and its graph ends when no device of it is left.
    if let Some(graph) = unsafe { net::graph_of::<G>(net) } {
        graph.device_event(kind, target.idp);
    }
}

/// What packets enter by hooked devices and by sockets: a [`Datapath`]. Said once in the crate, as it
/// defines the functions that C calls.
macro_rules! entrances {
    ($datapath:ty) => {
        // SAFETY: another one would define the same functions.
        unsafe impl $crate::sys::hook::Entered for $datapath {}

        /// # Safety
        ///
        /// See [`receive`]($crate::sys::hook::receive).
        #[no_mangle]
        unsafe extern "C" fn lana_receive(
            hook: *const $crate::sys::bindings::lana_hook,
            skb: ::core::ptr::NonNull<$crate::sys::bindings::sk_buff>,
            entries: u16,
            cpu_offset: usize,
            pskb: *mut *mut $crate::sys::bindings::sk_buff,
        ) -> $crate::sys::bindings::rx_handler_result_t {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::hook::receive::<$datapath>(hook, skb, entries, cpu_offset, pskb) }
        }

        /// # Safety
        ///
        /// See [`receive_frame`]($crate::sys::hook::receive_frame).
        #[no_mangle]
        unsafe extern "C" fn lana_receive_frame(
            hook: *const $crate::sys::bindings::lana_hook,
            xdp: ::core::ptr::NonNull<$crate::sys::bindings::xdp_buff>,
            cpu_offset: usize,
        ) -> u32 {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::hook::receive_frame::<$datapath>(hook, xdp, cpu_offset) }
        }

        /// # Safety
        ///
        /// See [`receive_parts`]($crate::sys::hook::receive_parts).
        #[no_mangle]
        unsafe extern "C" fn lana_receive_parts(
            hook: *const $crate::sys::bindings::lana_hook,
            xdp: ::core::ptr::NonNull<$crate::sys::bindings::xdp_buff>,
            entries: u16,
            cpu_offset: usize,
        ) -> u32 {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::hook::receive_parts::<$datapath>(hook, xdp, entries, cpu_offset) }
        }

        /// # Safety
        ///
        /// See [`receive_batch`]($crate::sys::hook::receive_batch).
        #[no_mangle]
        unsafe extern "C" fn lana_receive_batch(
            hook: *const $crate::sys::bindings::lana_hook,
            list: *mut $crate::sys::bindings::sk_buff,
            cpu_offset: usize,
        ) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::hook::receive_batch::<$datapath>(hook, list, cpu_offset) }
        }

        /// # Safety
        ///
        /// See [`gone`]($crate::sys::hook::gone).
        #[no_mangle]
        unsafe extern "C" fn lana_dev_gone(hook: *mut $crate::sys::bindings::lana_hook) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::hook::gone::<$datapath>(hook) }
        }

        /// # Safety
        ///
        /// See [`send`]($crate::sys::sock::send).
        #[no_mangle]
        unsafe extern "C" fn lana_sock_send(
            datapath: *mut ::core::ffi::c_void,
            slot: *const ::core::ffi::c_void,
            skb: ::core::ptr::NonNull<$crate::sys::bindings::sk_buff>,
        ) -> ::core::ffi::c_int {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::sock::send::<$datapath>(datapath, slot, skb) }
        }
    };
}
pub(crate) use entrances;

/// Which graph is told of hooked devices, by [`DeviceEvents`]. Said once in the crate, as it defines a
/// function that C calls.
macro_rules! device_events {
    ($datapath:ty, $graph:ty) => {
        /// # Safety
        ///
        /// See [`event`]($crate::sys::hook::event).
        #[no_mangle]
        unsafe extern "C" fn lana_dev_event(
            hook: *const ::core::ffi::c_void,
            dev: *mut $crate::sys::bindings::net_device,
            kind: u32,
        ) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::hook::event::<$datapath, $graph>(hook, dev, kind) }
        }
    };
}
pub(crate) use device_events;
