// SPDX-License-Identifier: GPL-2.0

//! Network devices: holding one, and taking what it receives.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    batch::Batch, bindings, compat::EOPNOTSUPP, handle::Handle, percpu::ThisCpu, rcu::Reader,
    skb::Packet, slot::Entrance,
};
use crate::{
    engine::{self, Direction},
    error::Failure,
    fail,
    graph::Graph,
    name::{Name, Shown},
    notifier::Kind,
    registry::Idp,
};
use core::{cell::UnsafeCell, ffi::CStr, ptr::NonNull};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, SetOnce,
    },
    types::NotThreadSafe,
};

/// The lock of the network configuration, held. Taken before a graph's lock, never after it, and given
/// back after that.
pub(crate) struct Rtnl {
    /// Whether it is ours to give back.
    owned: bool,
    _not_send: NotThreadSafe,
}

impl Rtnl {
    /// Takes the lock. Sleeps.
    pub(crate) fn lock() -> Self {
        // SAFETY: process context, and no lock is held.
        unsafe { bindings::lana_rtnl_lock() };
        Self {
            owned: true,
            _not_send: NotThreadSafe,
        }
    }

    /// Evidence of the lock for who is called with it.
    ///
    /// # Safety
    ///
    /// The caller's caller holds the lock for as long as the value lives.
    pub(crate) unsafe fn held() -> Self {
        Self {
            owned: false,
            _not_send: NotThreadSafe,
        }
    }
}

impl Rtnl {
    /// Does to devices that were hooked or unhooked what the lock of a device itself is taken for, which
    /// comes before a graph's. No graph is locked. Sleeps.
    pub(super) fn settle(&self) {
        // SAFETY: RTNL is held, and by the callers no graph is locked.
        unsafe { bindings::lana_dev_settle() };
    }
}

impl Drop for Rtnl {
    fn drop(&mut self) {
        self.settle();
        if self.owned {
            // SAFETY: `lock` took it.
            unsafe { bindings::lana_rtnl_unlock() };
        }
    }
}

/// A network device that stays while this value lives.
///
/// # Invariants
///
/// The value owns a reference to a live device.
#[repr(transparent)]
pub(crate) struct Device(NonNull<bindings::net_device>);

// SAFETY: a device may be used and released on any CPU.
unsafe impl Send for Device {}
// SAFETY: a device may be used by several CPUs at once: what is read of it has its own locks, or none is
// needed.
unsafe impl Sync for Device {}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant the reference is ours to give back.
        unsafe { bindings::lana_dev_put(self.as_ptr()) };
    }
}

impl Device {
    /// Another reference.
    pub(crate) fn hold(&self) -> Self {
        // SAFETY: the device is live.
        unsafe { Self::from_raw(self.0) }
    }

    /// The device of a name, or of an alternative one, in the namespace of `graph`.
    pub(crate) fn find(_rtnl: &Rtnl, graph: &Graph, name: &[u8]) -> Result<Self, Failure> {
        let missing = || fail!(ENODEV, "no device '{}' in this namespace", Shown(name));
        let mut text = [0u8; bindings::ALTIFNAMSIZ as usize];
        text.split_last_mut()
            .and_then(|(_nul, room)| room.get_mut(..name.len()))
            .ok_or_else(missing)?
            .copy_from_slice(name);
        // SAFETY: RTNL is held, the namespace outlives its graph, the name ends with NUL.
        let dev = unsafe { bindings::lana_dev_find(graph.net().as_ptr(), text.as_ptr()) };
        let dev = NonNull::new(dev).ok_or_else(missing)?;
        // SAFETY: RTNL keeps the device until the reference is taken.
        Ok(unsafe { Self::from_raw(dev) })
    }

    /// The device of a number in the namespace of `graph`.
    pub(crate) fn find_index(_rtnl: &Rtnl, graph: &Graph, index: u32) -> Result<Self, Failure> {
        let missing = || fail!(ENODEV, "no device of index {} in this namespace", index);
        let number = i32::try_from(index).map_err(|_| missing())?;
        // SAFETY: RTNL is held, and the namespace outlives its graph.
        let dev = unsafe { bindings::lana_dev_find_index(graph.net().as_ptr(), number) };
        let dev = NonNull::new(dev).ok_or_else(missing)?;
        // SAFETY: RTNL keeps the device until the reference is taken.
        Ok(unsafe { Self::from_raw(dev) })
    }

    /// Takes a reference to a device.
    ///
    /// # Safety
    ///
    /// The device stays until it is taken.
    pub(crate) unsafe fn from_raw(dev: NonNull<bindings::net_device>) -> Self {
        // SAFETY: the device stays until the reference is taken, as the caller says.
        unsafe { bindings::lana_dev_hold(dev.as_ptr()) };
        // INVARIANT: that is the reference.
        Self(dev)
    }

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

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }

    /// Number of the device in its namespace.
    pub(crate) fn index(&self) -> u32 {
        // SAFETY: the device is live.
        unsafe { (*self.as_ptr()).ifindex as u32 }
    }

    /// Name of the device at this moment.
    pub(crate) fn ifname(&self) -> DeviceName {
        let mut name = [0; bindings::IFNAMSIZ as usize];
        // SAFETY: the device is live, and the array as long as it has to be.
        unsafe { bindings::lana_dev_name(self.as_ptr(), name.as_mut_ptr()) };
        DeviceName(name)
    }

    /// The same for people; `?` stands for what a block's name cannot have.
    pub(crate) fn name(&self) -> Name {
        Name::like(self.ifname().as_bytes())
    }

    /// The same name for a block.
    pub(crate) fn block_name(&self) -> Result<Name, Failure> {
        Name::new(self.ifname().as_bytes())
            .map_err(|_| fail!(EINVAL, "no block can be called {}: name it", self.name()))
    }

    /// Whether frames on it begin with an Ethernet header.
    pub(crate) fn is_ethernet(&self) -> bool {
        // SAFETY: the device is live.
        unsafe { bindings::lana_dev_is_ethernet(self.as_ptr()) }
    }

    /// Whether it can send: it is up, and has a carrier.
    pub(crate) fn is_up(&self) -> bool {
        // SAFETY: the device is live.
        unsafe { bindings::lana_dev_is_up(self.as_ptr()) }
    }

    /// Whether both are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The failure to take what the device receives since somebody else does.
    pub(crate) fn taken(&self, _rtnl: &Rtnl) -> Failure {
        // SAFETY: RTNL is held, and the device live; the texts are literals.
        let owner = unsafe { CStr::from_char_ptr(bindings::lana_dev_owner(self.as_ptr())) };
        let owner = owner.to_str().unwrap_or("taken");
        fail!(EBUSY, "{} is {}", self.name(), owner)
    }
}

/// Name of a device: up to 15 bytes, whichever, but for NUL, space, `/` and `:`.
#[derive(Clone, Copy, Default)]
pub struct DeviceName([u8; bindings::IFNAMSIZ as usize]);

impl DeviceName {
    /// The bytes, as they are.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|&b| b == 0).next().unwrap_or_default()
    }
}

/// A device as the block has it that stands for it: [`Packet::transmit`] sends by it, until it goes.
pub type DeviceHandle = Handle<bindings::net_device>;

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
        let handle = unsafe { Handle::new(device.0) }?;
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
/// The graph outlives the value: its registry owns it.
#[repr(C)]
struct Target {
    /// What C reads.
    hook: UnsafeCell<bindings::lana_hook>,
    graph: NonNull<Graph>,
    entrance: Entrance,
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
    detached: Atomic<u32>,
    /// Packets of it may wait.
    batched: Atomic<u32>,
}

// SAFETY: the target is only read, and what it points to may be used on any CPU.
unsafe impl Send for Hook {}
// SAFETY: the target is only read, and the other fields are atomic.
unsafe impl Sync for Hook {}

impl Hook {
    /// Takes what `device` receives, which is that of `held`, for the block behind `idp` of `graph`,
    /// whose slot is given. Sleeps.
    pub(crate) fn new(
        rtnl: &Rtnl,
        device: &Device,
        held: Held,
        graph: &Graph,
        idp: Idp,
        entrance: Entrance,
        subsystem: &'static str,
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
                hook: UnsafeCell::new(hook),
                graph: NonNull::from(graph),
                entrance,
                idp,
                subsystem,
                speed: Atomic::new(0),
                held,
                name: SetOnce::new(),
            },
            GFP_KERNEL,
        )?;
        let data = (&raw const *target).cast_mut().cast();
        // SAFETY: RTNL is held; the data lives in the value that unregisters it.
        match to_result(unsafe { bindings::lana_dev_hook(device.as_ptr(), data) }) {
            // INVARIANT: the handler was registered with the target.
            Ok(()) => Ok(Self {
                target,
                detached: Atomic::new(0),
                batched: Atomic::new(0),
            }),
            Err(e) if e == EBUSY => Err(device.taken(rtnl)),
            Err(e) => Err(fail!(e, "{} takes no receive handler", device.name())),
        }
    }

    /// Whether what the device receives is collected, and goes on in batches. For who changes the
    /// graph, one at a time.
    pub(crate) fn set_batch(&self, batch: bool) {
        if batch {
            self.batched.store(1, Relaxed);
            self.target.held.set_batched();
        }
        let hook = self.target.hook.get();
        // SAFETY: the pointer is valid for writes; the handler reads the value with `READ_ONCE()`.
        unsafe { (&raw mut (*hook).batch).write_volatile(batch) };
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
            self.detached.store(1, Relaxed);
        }
    }

    /// Whether the receive handler is ours: not once it was detached, or the device has gone.
    fn is_attached(&self) -> bool {
        self.detached.load(Relaxed) == 0 && self.target.name.as_ref().is_none()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if let Some(device) = self.device().filter(|_| self.is_attached()) {
            // SAFETY: RTNL is held wherever the hook of a device is dropped that has not gone; the handler
            // is ours. When the call returns, no CPU is in the handler, so that the target may go.
            unsafe { bindings::lana_dev_unhook(device.as_ptr(), self.target.hook.get()) };
        }
        if self.batched.load(Relaxed) != 0 {
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
#[no_mangle]
unsafe extern "C" fn lana_receive(
    hook: *const bindings::lana_hook,
    skb: NonNull<bindings::sk_buff>,
    entries: u16,
    cpu_offset: usize,
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: `hook` is the first field of a `Target`, which lives until no CPU is in the handler.
    let target = unsafe { &*hook.cast::<Target>() };
    // SAFETY: by the target's invariants the graph lives as long.
    let graph = unsafe { target.graph.as_ref() };
    // SAFETY: receive handlers run in an RCU read-side section with bottom halves off.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::at(cpu_offset)) };
    // SAFETY: the handler's reference is given to us.
    let packet = unsafe { Packet::from_raw(skb) };
    let (slot, way) = (target.entrance.slot(), Direction::Ingress);
    match engine::enter(graph, slot, way, packet, entries, reader, cpu) {
        None => bindings::RX_HANDLER_CONSUMED,
        // SAFETY: the packet is ours and given up; `pskb` is what the contract says.
        Some(packet) => unsafe { bindings::lana_give_back(pskb, packet.into_raw()) },
    }
}

/// Frames that a hooked device has received before. Takes them all.
///
/// # Safety
///
/// Called in an RCU read-side section with bottom halves off: `hook` is a [`Target`] of a device that is
/// hooked, or was and has waited for nobody since; `list` begins a list, linked by `next`, of
/// `LANA_BATCH` packets at most, which are given to us and not shared; `cpu_offset` is where this
/// CPU's data are.
#[no_mangle]
unsafe extern "C" fn lana_receive_batch(
    hook: *const bindings::lana_hook,
    list: *mut bindings::sk_buff,
    cpu_offset: usize,
) {
    // SAFETY: `hook` is the first field of a `Target`, which lives until what came by it does not wait any
    // more.
    let target = unsafe { &*hook.cast::<Target>() };
    // SAFETY: by the target's invariants the graph lives as long.
    let graph = unsafe { target.graph.as_ref() };
    // SAFETY: the caller is in a read-side section with bottom halves off, and says where the data of this
    // CPU are.
    let (reader, cpu) = unsafe { (Reader::new(), ThisCpu::at(cpu_offset)) };
    let mut batch = Batch::new();
    // SAFETY: the list is given to us, and its packets are not shared.
    unsafe { batch.fill(list) };
    engine::enter_batch(graph, target.entrance.slot(), &mut batch, reader, cpu);
    // Unhooked in a change that is committed.
    // SAFETY: the packets are ours and given up.
    batch.drain(|packet| unsafe { bindings::lana_batch_lost(packet.into_raw()) });
}

/// A hooked device is being unregistered, or is leaving the namespace, and has no receive handler any
/// more. It goes now, whatever becomes of its block: that goes when the graph is locked next.
///
/// # Safety
///
/// Called by the notifier, with RTNL held, with what the device was hooked with.
#[no_mangle]
unsafe extern "C" fn lana_dev_gone(hook: *mut bindings::lana_hook) {
    // SAFETY: `hook` is the first field of a `Target`, which stays until the graph hears of it.
    let target = unsafe { &*hook.cast::<Target>() };
    if let Some(device) = target.held.device() {
        target.name.populate(device.ifname());
    }
    target.held.end();
    // SAFETY: the graph outlives the target.
    let net = unsafe { target.graph.as_ref() }.net();
    // SAFETY: the registry keeps the target for the block of this IDP; it is not looked at any more here.
    unsafe { net.gone(&raw mut (*hook).gone) };
}

/// Something else has happened to a hooked device.
///
/// # Safety
///
/// Called by the notifier, with RTNL held and the lock of the device itself, with what the device was
/// hooked with, and the device.
#[no_mangle]
unsafe extern "C" fn lana_dev_event(
    hook: *const kernel::ffi::c_void,
    dev: *mut bindings::net_device,
    kind: u32,
) {
    // SAFETY: `hook` is the first field of a `Target`; RTNL, which is held, keeps the device hooked.
    let (graph, idp) = unsafe {
        let target = &*hook.cast::<Target>();
        target.speed.store(bindings::lana_dev_speed(dev), Relaxed);
        (target.graph.as_ref(), target.idp)
    };
    let kind = match kind {
        bindings::LANA_EVENT_KIND_DEVICE_UP => Some(Kind::DeviceUp),
        bindings::LANA_EVENT_KIND_DEVICE_DOWN => Some(Kind::DeviceDown),
        bindings::LANA_EVENT_KIND_DEVICE_RENAMED => Some(Kind::DeviceRenamed),
        _ => None,
    };
    graph.device_event(kind, idp);
}
