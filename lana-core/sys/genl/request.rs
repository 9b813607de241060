// SPDX-License-Identifier: GPL-2.0

//! Requests, and the operations in them.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use super::{
    super::{
        bindings,
        net::{self, Registered},
    },
    attrs::{note, text, Attrs, TABLE},
    message::Message,
};
use crate::{base::error::Failure, fail};
use core::{ffi::c_int, marker::PhantomData, ptr, ptr::NonNull};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// An operation that changes the graph: a request of its own, or a part of a transaction.
pub(crate) struct Operation<'a> {
    /// Which one, as `LANA_A_OP_*`.
    pub(crate) kind: u32,
    pub(crate) attrs: Attrs<'a>,
}

/// The highest attribute of an operation.
fn operation_max(kind: u32) -> u32 {
    match kind {
        bindings::LANA_A_OP_FB_NEW | bindings::LANA_A_OP_FB_DEL | bindings::LANA_A_OP_FB_SET => {
            bindings::LANA_A_FB_OPTION
        }
        bindings::LANA_A_OP_BIND | bindings::LANA_A_OP_UNBIND => bindings::LANA_A_BINDING_MAX,
        bindings::LANA_A_OP_SUBSCRIBE | bindings::LANA_A_OP_UNSUBSCRIBE => {
            bindings::LANA_A_SUBSCRIPTION_MAX
        }
        bindings::LANA_A_OP_REPLACE => bindings::LANA_A_REPLACEMENT_MAX,
        _ => bindings::LANA_A_VLINK_MAX,
    }
}

/// A request that is being served.
///
/// # Invariants
///
/// `skb` and `info` are what the kernel called the operation with, and the call goes on for `'a`. The
/// array of attributes goes up to `max`, the highest that the operation accepts.
pub(crate) struct Request<'a> {
    info: &'a bindings::genl_info,
    skb: NonNull<bindings::sk_buff>,
    max: u32,
    /// The one operation that it is, or none for a transaction.
    operation: Option<u32>,
}

impl<'a> Request<'a> {
    /// The attributes of the request.
    pub(crate) fn attrs(&self) -> Attrs<'a> {
        let mut table = [ptr::null_mut(); TABLE];
        let count = (self.max as usize).saturating_add(1);
        for (attr, to) in table.iter_mut().enumerate().take(count) {
            // SAFETY: by the type's invariants the array goes as far.
            *to = unsafe { *self.info.attrs.add(attr) };
        }
        // INVARIANT: by the type's invariants.
        Attrs {
            table,
            nest: ptr::null(),
            extack: self.info.extack,
            _message: PhantomData,
        }
    }

    /// Notes why the request failed as a whole.
    pub(crate) fn note(&self, failure: &Failure) {
        // SAFETY: by the type's invariants the extended ack is null or live.
        unsafe { note(self.info.extack, failure, ptr::null()) };
    }

    /// Does something for each operation of the request, in their order. The first failure ends
    /// it, and is noted with the operation at fault.
    pub(crate) fn each_operation(
        &self,
        mut f: impl FnMut(&Operation<'a>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut each = |operation: &Operation<'a>| {
            f(operation).inspect_err(|failure| operation.attrs.note(failure))
        };
        if let Some(kind) = self.operation {
            let attrs = self.attrs();
            return each(&Operation { kind, attrs });
        }
        let info = ptr::from_ref(self.info);
        let mut nest: *const bindings::nlattr = ptr::null();
        loop {
            let attr = bindings::LANA_A_TRANSACTION_OP as u16;
            // SAFETY: the request is live; `nest` is null or an attribute of it.
            nest = unsafe { bindings::lana_genl_attr(info, nest, attr) };
            if nest.is_null() {
                return Ok(());
            }
            // SAFETY: the policy says that it is a nest.
            let inner = unsafe { bindings::lana_nla_only(nest) };
            let Some(inner) = NonNull::new(inner.cast_mut()) else {
                let failure = fail!(EINVAL, "an operation is exactly one attribute");
                let attrs = Attrs {
                    nest,
                    ..self.attrs()
                };
                attrs.note(&failure);
                return Err(failure);
            };
            // SAFETY: the attribute is live, and its type is without flags once they are masked.
            let kind = u32::from(unsafe { (*inner.as_ptr()).nla_type }) & 0x3fff;
            // SAFETY: a part of the request, and by the policy a nest.
            let attrs = unsafe { Attrs::within(inner, operation_max(kind), self.info.extack) };
            each(&Operation { kind, attrs })?;
        }
    }

    /// Does something for each attribute of a type that may be there more than once, which is a text.
    pub(crate) fn each_text(
        &self,
        attr: u32,
        mut f: impl FnMut(&'a [u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let info = ptr::from_ref(self.info);
        let mut found: *const bindings::nlattr = ptr::null();
        loop {
            // SAFETY: the request is live; `found` is null or an attribute of it.
            found = unsafe { bindings::lana_genl_attr(info, found, attr as u16) };
            let Some(at) = NonNull::new(found.cast_mut()) else {
                return Ok(());
            };
            // SAFETY: a part of the request, which the kernel has checked.
            f(unsafe { text(at) })?;
        }
    }

    /// Where an answer that comes later is to be sent: the socket, and the number of the request.
    pub(crate) fn sender(&self) -> (u32, u32) {
        (self.info.snd_portid, self.info.snd_seq)
    }

    /// The graph of the namespace that the request came from.
    pub(crate) fn graph<G: Registered>(&self) -> Result<&'a G> {
        // SAFETY: the socket keeps the namespace, and the family goes before the graphs do.
        unsafe {
            let net = bindings::lana_genl_net(ptr::from_ref(self.info).cast_mut());
            net::graph_of(net)
        }
        .ok_or(ENODEV)
    }

    /// Whether who asks may see how blocks are configured.
    pub(crate) fn is_admin(&self) -> bool {
        // SAFETY: by the type's invariants the request is live.
        unsafe {
            bindings::netlink_net_capable(self.skb.as_ptr(), bindings::CAP_NET_ADMIN as c_int)
        }
    }

    /// Answers with a message, as long as it needs to be.
    pub(crate) fn reply(
        &self,
        cmd: u32,
        mut fill: impl FnMut(&mut Message) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        const MAX: usize = 1 << 20;
        let mut size = 4096;
        loop {
            let mut msg = Message::new(size)?;
            let head = msg.begin(self.info.snd_portid, self.info.snd_seq, 0, cmd)?;
            match fill(&mut msg) {
                Ok(()) => {
                    msg.end(head);
                    let skb = msg.into_raw();
                    let info = ptr::from_ref(self.info).cast_mut();
                    // SAFETY: the message is complete and given away.
                    to_result(unsafe { bindings::lana_genl_reply(skb, info) })?;
                    return Ok(());
                }
                Err(e) if e.error == EMSGSIZE && size < MAX => size = size.saturating_mul(2),
                Err(e) => return Err(e),
            }
        }
    }
}

/// # Safety
///
/// Called by the kernel for a request; `max` is the highest attribute that the operation accepts.
pub(crate) unsafe fn serve(
    skb: *mut bindings::sk_buff,
    info: *mut bindings::genl_info,
    max: u32,
    operation: Option<u32>,
    serve: fn(&Request<'_>) -> Result<(), Failure>,
) -> c_int {
    from_result(|| {
        let skb = NonNull::new(skb).ok_or(EINVAL)?;
        // SAFETY: the kernel gives a live `info` for as long as the call takes.
        let info = unsafe { &*info };
        // INVARIANT: the call goes on until we return.
        serve(&Request {
            info,
            skb,
            max,
            operation,
        })?;
        Ok(0)
    })
}
