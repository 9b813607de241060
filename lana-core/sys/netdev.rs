// SPDX-License-Identifier: GPL-2.0

//! Network devices: finding one, holding one, and what there is to say of it.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{bindings, handle::Handle, net::Net};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
    },
    fail,
};
use core::{ffi::CStr, ptr::NonNull};
use kernel::{prelude::*, types::NotThreadSafe};

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
        unsafe { bindings::rtnl_lock() };
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
            unsafe { bindings::rtnl_unlock() };
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

    /// The device of a name, or of an alternative one, in a namespace.
    pub(crate) fn find(_rtnl: &Rtnl, net: &Net, name: &[u8]) -> Result<Self, Failure> {
        let missing = || fail!(ENODEV, "no device '{}' in this namespace", Shown(name));
        let mut text = [0u8; bindings::ALTIFNAMSIZ as usize];
        text.split_last_mut()
            .and_then(|(_nul, room)| room.get_mut(..name.len()))
            .ok_or_else(missing)?
            .copy_from_slice(name);
        // SAFETY: RTNL is held, the namespace is live, the name ends with NUL.
        let dev = unsafe { bindings::__dev_get_by_name(net.as_ptr(), text.as_ptr()) };
        let dev = NonNull::new(dev).ok_or_else(missing)?;
        // SAFETY: RTNL keeps the device until the reference is taken.
        Ok(unsafe { Self::from_raw(dev) })
    }

    /// The device of a number in a namespace.
    pub(crate) fn find_index(_rtnl: &Rtnl, net: &Net, index: u32) -> Result<Self, Failure> {
        let missing = || fail!(ENODEV, "no device of index {} in this namespace", index);
        let number = i32::try_from(index).map_err(|_| missing())?;
        // SAFETY: RTNL is held, and the namespace is live.
        let dev = unsafe { bindings::__dev_get_by_index(net.as_ptr(), number) };
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

    pub(super) fn as_nonnull(&self) -> NonNull<bindings::net_device> {
        self.0
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

    /// Its Ethernet address at this moment.
    pub(crate) fn address(&self) -> [u8; 6] {
        let mut address = [0; 6];
        // SAFETY: the device is live, and the array as long as an address.
        unsafe { bindings::lana_dev_address(self.as_ptr(), address.as_mut_ptr()) };
        address
    }

    /// The longest network packet that it takes, in bytes.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: the device is live; writers of the MTU hold RTNL, and any value that is read is one it has had.
        unsafe { bindings::lana_dev_mtu(self.as_ptr()) }
    }

    /// Whether frames on it begin with an Ethernet header, and it is not the loopback.
    pub(crate) fn is_ethernet(&self) -> bool {
        // SAFETY: the device is live.
        u32::from(unsafe { (*self.as_ptr()).type_ }) == bindings::ARPHRD_ETHER
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

/// A device as the block has it that stands for it: [`Packet::transmit`](crate::prelude::Packet::transmit) sends by it, until it goes.
pub type DeviceHandle = Handle<bindings::net_device>;
