// SPDX-License-Identifier: GPL-2.0

//! Dumps, which the kernel asks for message by message.
//!
//! C header: [`include/linux/netlink.h`](srctree/include/linux/netlink.h)

use super::{
    super::{
        bindings,
        net::{self, Registered},
    },
    attrs::{Attrs, TABLE},
    message::Message,
};
use core::{ffi::c_int, marker::PhantomData, ptr, ptr::NonNull};
use kernel::{error::from_result, prelude::*};

/// A dump that is being written, in several calls. The cursor says where it stands.
///
/// # Invariants
///
/// The callback is what the kernel called the operation with, and the call goes on for `'a`.
pub(crate) struct Dump<'a> {
    cb: &'a mut bindings::netlink_callback,
    msg: Message,
}

impl<'a> Dump<'a> {
    /// The graph of the namespace that the request came from.
    pub(crate) fn graph<G: Registered>(&self) -> Result<&'a G> {
        // SAFETY: the socket keeps the namespace, and the family goes before the graphs do.
        unsafe {
            let cb = ptr::from_ref(&*self.cb).cast_mut();
            net::graph_of(bindings::lana_genl_dump_net(cb))
        }
        .ok_or(ENODEV)
    }

    /// The attributes of the request, up to `max`, which is the highest that the operation accepts.
    pub(crate) fn attrs(&mut self, max: u32) -> Attrs<'a> {
        let mut table = [ptr::null_mut(); TABLE];
        // SAFETY: the callback is that of an operation with a policy.
        let attrs = unsafe { bindings::lana_genl_dump_attrs(self.cb) };
        if !attrs.is_null() {
            let count = (max as usize).saturating_add(1);
            for (attr, to) in table.iter_mut().enumerate().take(count) {
                // SAFETY: the array goes as far, as the caller says what the operation accepts.
                *to = unsafe { *attrs.add(attr) };
            }
        }
        // INVARIANT: netlink keeps the request as long as the dump goes on.
        Attrs {
            table,
            nest: ptr::null(),
            extack: self.cb.extack,
            _message: PhantomData,
        }
    }

    /// Whether who asks may see how blocks are configured.
    pub(crate) fn is_admin(&self) -> bool {
        // SAFETY: the request lives as long as the callback.
        unsafe { bindings::netlink_net_capable(self.cb.skb, bindings::CAP_NET_ADMIN as c_int) }
    }

    /// Where the dump stands; 0 at first.
    pub(crate) fn cursor(&self) -> u64 {
        // SAFETY: netlink keeps 48 bytes, aligned for pointers and zero at first, for a dump
        // between its calls.
        unsafe { (&raw const self.cb.__bindgen_anon_1).cast::<u64>().read() }
    }

    /// Moves on.
    pub(crate) fn set_cursor(&mut self, cursor: u64) {
        // SAFETY: netlink keeps 48 bytes, aligned for pointers, for a dump between its calls; nobody else writes to
        // them while the callback is ours.
        unsafe {
            (&raw mut self.cb.__bindgen_anon_1)
                .cast::<u64>()
                .write(cursor)
        };
    }

    /// Says which state of things the messages from here on show. When it is another one than that
    /// of those before, they are marked as of an interrupted dump.
    pub(crate) fn set_generation(&mut self, generation: u32) {
        self.cb.seq = generation;
    }

    /// Whether this call has written no message yet.
    pub(crate) fn is_empty(&self) -> bool {
        // SAFETY: the buffer is live.
        unsafe { (*self.msg.skb.as_ptr()).len == 0 }
    }

    /// Writes a message; false when it does not fit any more.
    pub(crate) fn message(
        &mut self,
        cmd: u32,
        fill: impl FnOnce(&mut Message) -> Result,
    ) -> Result<bool> {
        const NLM_F_MULTI: u32 = 2;
        // SAFETY: the request lives as long as the callback.
        let (seq, portid) = unsafe {
            let portid = bindings::lana_genl_dump_portid(self.cb);
            ((*self.cb.nlh).nlmsg_seq, portid)
        };
        let head = match self.msg.begin(portid, seq, NLM_F_MULTI, cmd) {
            Ok(head) => head,
            Err(_) => return Ok(false),
        };
        match fill(&mut self.msg) {
            Ok(()) => {
                // SAFETY: the callback is live, and the message was begun in this buffer.
                unsafe { bindings::lana_genl_dump_check(self.cb, head.0.as_ptr()) };
                self.msg.end(head);
                Ok(true)
            }
            Err(e) => {
                self.msg.cancel(head);
                if e == EMSGSIZE {
                    Ok(false)
                } else {
                    Err(e)
                }
            }
        }
    }
}

/// # Safety
///
/// Called by the kernel for a dump.
pub(crate) unsafe fn serve_dump(
    skb: *mut bindings::sk_buff,
    cb: *mut bindings::netlink_callback,
    operation: fn(&mut Dump<'_>) -> Result,
) -> c_int {
    from_result(|| {
        let skb = NonNull::new(skb).ok_or(EINVAL)?;
        // SAFETY: the kernel gives a live `cb`, to this call alone.
        let cb = unsafe { &mut *cb };
        // INVARIANT: the call goes on until we return; the buffer is the kernel's.
        let mut dump = Dump {
            cb,
            msg: Message { skb, owned: false },
        };
        operation(&mut dump)?;
        // SAFETY: the buffer is live. Its length asks for another call, none ends the dump.
        Ok(unsafe { (*skb.as_ptr()).len as c_int })
    })
}
