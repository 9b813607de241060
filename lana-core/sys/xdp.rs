// SPDX-License-Identifier: GPL-2.0

//! The program by which a driver hands us its frames, and what it can be told to do with one. `xdp.c` says how.

use super::{
    bindings,
    netdev::{Device, Rtnl},
};
use crate::{base::error::Failure, fail};
use core::{mem::ManuallyDrop, ptr::NonNull};
use kernel::prelude::*;

/// What a driver is to do with a frame: `enum xdp_action`. As large as a packet, so that one of the two fits into a
/// register.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Action(usize);

impl Action {
    /// It takes the buffer back.
    pub(crate) const DROP: Self = Self(bindings::XDP_DROP as usize);
    /// It makes an skb, which the stack gets.
    pub(crate) const PASS: Self = Self(bindings::XDP_PASS as usize);

    /// By its number.
    #[inline]
    pub(crate) fn from_wire(number: u32) -> Self {
        Self(number as usize)
    }

    /// The number.
    #[inline]
    pub(crate) fn to_wire(self) -> u32 {
        self.0 as u32
    }
}

/// A program of ours that a device's driver runs, and that no hook has taken over yet.
///
/// # Invariants
///
/// The program is live, and our reference to it the value's; so is one to the device.
pub(crate) struct Program {
    prog: NonNull<bindings::bpf_prog>,
    device: Device,
}

impl Program {
    /// Has the driver of a device run one, which passes all to the stack until a hook has it. No graph may be
    /// locked. Sleeps.
    pub(crate) fn attach(_rtnl: &Rtnl, device: Device) -> Result<Self, Failure> {
        let (mut why, mut err) = ([0u8; 128], 0);
        // SAFETY: RTNL is held, the device live; `why` has that many bytes.
        let prog = unsafe {
            let text = why.as_mut_ptr().cast();
            bindings::lana_xdp_attach(device.as_ptr(), text, why.len(), &raw mut err)
        };
        match NonNull::new(prog) {
            // INVARIANT: it is ours.
            Some(prog) => Ok(Self { prog, device }),
            None => {
                let why =
                    CStr::from_bytes_until_nul(&why).map_or("", |why| why.to_str().unwrap_or(""));
                let (name, errno) = (device.name(), Error::from_errno(err));
                Err(match why {
                    "" => fail!(errno, "{name}: its driver takes no XDP program"),
                    why => fail!(errno, "{name}: {why}"),
                })
            }
        }
    }

    /// The program itself.
    pub(super) fn as_nonnull(&self) -> NonNull<bindings::bpf_prog> {
        self.prog
    }

    /// The device.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// A hook has it now, and detaches it.
    pub(crate) fn given(self) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the field is not used any more: the value is not dropped.
        drop(unsafe { core::ptr::read(&raw const this.device) });
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: a program is dropped with RTNL held and no graph locked, as changes do it; it has no hook,
        // and is ours.
        unsafe { bindings::lana_xdp_detach(self.device.as_ptr(), self.prog.as_ptr()) };
    }
}
