// SPDX-License-Identifier: GPL-2.0

//! Virtual devices: Ethernet devices that share a carrier, each with an EtherType of its own.
//!
//! `vdev.c` is the device. C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    bindings,
    genl::attrs,
    net::{self, Net},
    netdev::{Device, Rtnl},
};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
    },
    fail,
};
use core::{ffi::c_int, ptr::NonNull};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    str::CString,
};

/// Names of the devices that a carrier can have: `0xac00` and one of these is their EtherType.
pub(crate) type Id = u8;

/// A virtual device that is not registered.
///
/// # Invariants
///
/// The device was made by `lana_vdev_new()` or for the kind of link, and is not registered.
pub(crate) struct Unregistered {
    dev: NonNull<bindings::net_device>,
    /// Whether it is ours to free.
    owned: bool,
}

impl Unregistered {
    /// Makes a device of a name in a namespace. Sleeps.
    pub(crate) fn new(net: &Net, name: &[u8]) -> Result<Self, Failure> {
        let bad = |why| fail!(EINVAL, "device name '{}' {}", Shown(name), why);
        let text = Name::new(name).map_err(bad)?;
        if name.len() >= bindings::IFNAMSIZ as usize {
            return Err(fail!(EINVAL, "device name '{}' is too long", text));
        }
        // The kernel takes it for a pattern, and the device would have another name than was asked for.
        if name.contains(&b'%') {
            return Err(fail!(EINVAL, "device name '{}' has a '%'", text));
        }
        let text = CString::try_from_fmt(fmt!("{}", text.as_str()))?;
        // SAFETY: the namespace is live, and the name ends with NUL.
        let dev = unsafe { bindings::lana_vdev_new(net.as_ptr(), text.as_char_ptr()) };
        Ok(Self {
            dev: NonNull::new(dev).ok_or(ENOMEM)?,
            owned: true,
        })
    }

    /// Registers the device on a carrier, where nobody has the id. Sleeps.
    pub(crate) fn register(mut self, _rtnl: &Rtnl, carrier: &Device, id: Id) -> Result<Device> {
        let dev = self.dev.as_ptr();
        // SAFETY: RTNL is held, both devices are live, and by the type's invariants.
        to_result(unsafe { bindings::lana_vdev_register(dev, carrier.as_ptr(), id) })?;
        // Whoever unregisters it frees it.
        self.owned = false;
        // SAFETY: RTNL keeps the device, which is registered, until the reference is taken.
        Ok(unsafe { Device::from_raw(self.dev) })
    }
}

impl Drop for Unregistered {
    fn drop(&mut self) {
        if self.owned {
            // SAFETY: by the type's invariants; a registration that failed half way is known to it.
            unsafe { bindings::free_netdev(self.dev.as_ptr()) };
        }
    }
}

impl Device {
    /// What a virtual device has of its own.
    fn vdev(&self) -> Option<NonNull<bindings::lana_vdev>> {
        // SAFETY: the device is live.
        NonNull::new(unsafe { bindings::lana_vdev_of(self.as_ptr()) }.cast_mut())
    }

    /// Whether the device is a virtual one.
    pub(crate) fn is_virtual(&self) -> bool {
        self.vdev().is_some()
    }

    /// The carrier of a virtual device, and its id there.
    pub(crate) fn carrier(&self) -> Option<(Device, Id)> {
        let vdev = self.vdev()?.as_ptr();
        // SAFETY: the device is live and registered, so both fields stay as they are, and it keeps its
        // carrier for as long as there are references to it.
        unsafe {
            let carrier = NonNull::new((*vdev).carrier)?;
            Some((Device::from_raw(carrier), (*vdev).id))
        }
    }

    /// The virtual device of an id on this carrier.
    pub(crate) fn carried(&self, _rtnl: &Rtnl, id: Id) -> Option<Device> {
        // SAFETY: RTNL is held, and keeps what is found until the reference is taken.
        unsafe {
            let dev = bindings::lana_carrier_vdev(self.as_ptr(), id);
            Some(Device::from_raw(NonNull::new(dev)?))
        }
    }

    /// Unregisters virtual devices. No graph is locked, and no block stands for them. Sleeps.
    pub(crate) fn unregister(devices: KVec<Self>, rtnl: &Rtnl) {
        // What their blocks asked of them goes before they do.
        rtnl.settle();
        // SAFETY: RTNL is held; the devices are registered ones, by the callers, and each a pointer.
        unsafe { bindings::lana_vdev_unregister(devices.as_ptr().cast(), devices.len()) };
    }
}

/// The kind of link by which other tools make virtual devices, of which there is one: the list of types sees to
/// that. Dropping it ends it.
pub(crate) struct Links(());

impl Links {
    /// Registers the kind. Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: what it calls is the function of `links!`.
        to_result(unsafe { bindings::lana_link_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // SAFETY: a value is only made where it has been registered, and there is no copy of it.
        unsafe { bindings::lana_link_unregister() };
    }
}

/// What makes virtual devices that other tools ask for.
pub(crate) trait NewLink {
    /// What namespaces own.
    type Graph: net::Registered;

    /// Registers a device, with its block, under an id or under any. RTNL is held. Sleeps.
    fn new_link(
        graph: &Self::Graph,
        rtnl: Rtnl,
        device: Unregistered,
        carrier: Device,
        id: Option<Id>,
    ) -> Result<(), Failure>;
}

/// A device is made by rtnetlink: registers it, with its block. A negative id is for any.
///
/// # Safety
///
/// Called with RTNL held, with a device that is not registered and stays the caller's when this
/// fails, and with a device that is to be the carrier. The extended ack is null or live.
pub(crate) unsafe fn new_link<L: NewLink>(
    net: *mut bindings::net,
    dev: *mut bindings::net_device,
    carrier: *mut bindings::net_device,
    id: c_int,
    extack: *mut bindings::netlink_ext_ack,
) -> c_int {
    let make = || -> Result<(), Failure> {
        // SAFETY: rtnetlink calls this with RTNL held.
        let rtnl = unsafe { Rtnl::held() };
        let dev = Unregistered {
            dev: NonNull::new(dev).ok_or(EINVAL)?,
            owned: false,
        };
        let carrier = NonNull::new(carrier).ok_or(ENODEV)?;
        // SAFETY: RTNL keeps the carrier until the reference is taken.
        let carrier = unsafe { Device::from_raw(carrier) };
        // SAFETY: the device is to be in the namespace, which the caller keeps.
        let graph = unsafe { net::graph_of(net) }.ok_or(ENODEV)?;
        L::new_link(graph, rtnl, dev, carrier, Id::try_from(id).ok())
    };
    from_result(|| {
        // SAFETY: rtnetlink gives `extack`, null or live; there is no culprit.
        make().inspect_err(|failure| unsafe { attrs::note(extack, failure, core::ptr::null()) })?;
        Ok(0)
    })
}

/// What makes virtual devices that other tools ask for: a [`NewLink`]. Said once in the crate, as it
/// defines the function that C calls.
macro_rules! links {
    ($links:ty) => {
        /// # Safety
        ///
        /// See [`new_link`]($crate::sys::vdev::new_link).
        #[no_mangle]
        unsafe extern "C" fn lana_link_new(
            net: *mut $crate::sys::bindings::net,
            dev: *mut $crate::sys::bindings::net_device,
            carrier: *mut $crate::sys::bindings::net_device,
            id: ::core::ffi::c_int,
            extack: *mut $crate::sys::bindings::netlink_ext_ack,
        ) -> ::core::ffi::c_int {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::vdev::new_link::<$links>(net, dev, carrier, id, extack) }
        }
    };
}
pub(crate) use links;
