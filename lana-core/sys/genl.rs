// SPDX-License-Identifier: GPL-2.0

//! Generic netlink: the family, and the entry points that the generated table of operations names. What
//! the operations do, the floor above says by [`operations!`].
//!
//! C headers: [`include/net/genetlink.h`](srctree/include/net/genetlink.h),
//! `netlink-gen.h` (generated)

pub(crate) mod attrs;
pub(crate) mod dump;
pub(crate) mod message;
pub(crate) mod request;

use self::{dump::Dump, request::Request};
use super::{
    bindings,
    net::{self, Registered},
};
use crate::base::error::Failure;
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// The registered family; dropping it ends all requests first.
pub(crate) struct Family(());

impl Family {
    /// Registers the family. Requests come from then on. Sleeps.
    pub(crate) fn register() -> Result<Self> {
        // SAFETY: the family's table names the functions of `operations!`.
        to_result(unsafe { bindings::lana_genl_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        // SAFETY: a value is only made where it has been registered, and there is no copy of it.
        unsafe { bindings::lana_genl_unregister() };
    }
}

/// What the operations do. All may sleep.
pub(crate) trait Operations {
    /// What a namespace has.
    type Graph: Registered;
    /// One that changes the graph, or a transaction of them.
    fn change(request: &Request<'_>) -> Result<(), Failure>;
    /// `fb-get` by name.
    fn fb_get(request: &Request<'_>) -> Result<(), Failure>;
    /// `probe`.
    fn probe(request: &Request<'_>) -> Result<(), Failure>;
    /// The socket of a probe was closed.
    fn probe_closed(graph: &Self::Graph, portid: u32);
    /// Dump of `fb-get`.
    fn fb_get_dump(dump: &mut Dump<'_>) -> Result;
    /// Dump of `option-get`.
    fn option_get_dump(dump: &mut Dump<'_>) -> Result;
    /// Dump of `type-get`.
    fn type_get_dump(dump: &mut Dump<'_>) -> Result;
    /// Dump of `ppe-get`.
    fn ppe_get_dump(dump: &mut Dump<'_>) -> Result;
    /// Dump of `vlink-get`.
    fn vlink_get_dump(dump: &mut Dump<'_>) -> Result;
}

/// What the operations do: an [`Operations`]. Said once in the crate, as it defines the functions that the
/// family's table names.
macro_rules! operations {
    ($operations:ty) => {
        $crate::sys::genl::operations! { @get $operations,
            lana_nl_fb_get_doit up to LANA_A_FB_NAME => fb_get,
            lana_nl_probe_doit up to LANA_A_PROBE_LOST => probe,
        }
        $crate::sys::genl::operations! { @change $operations,
            lana_nl_fb_new_doit up to LANA_A_FB_TYPE => Some(LANA_A_OP_FB_NEW),
            lana_nl_fb_del_doit up to LANA_A_FB_NAME => Some(LANA_A_OP_FB_DEL),
            lana_nl_fb_set_doit up to LANA_A_FB_OPTION => Some(LANA_A_OP_FB_SET),
            lana_nl_bind_doit up to LANA_A_BINDING_LOWER => Some(LANA_A_OP_BIND),
            lana_nl_unbind_doit up to LANA_A_BINDING_LOWER => Some(LANA_A_OP_UNBIND),
            lana_nl_subscribe_doit up to LANA_A_SUBSCRIPTION_PUBLISHER
                => Some(LANA_A_OP_SUBSCRIBE),
            lana_nl_unsubscribe_doit up to LANA_A_SUBSCRIPTION_PUBLISHER
                => Some(LANA_A_OP_UNSUBSCRIBE),
            lana_nl_replace_doit up to LANA_A_REPLACEMENT_DROP_STATE => Some(LANA_A_OP_REPLACE),
            lana_nl_vlink_hook_doit up to LANA_A_VLINK_XDP => Some(LANA_A_OP_VLINK_HOOK),
            lana_nl_vlink_new_doit up to LANA_A_VLINK_FB => Some(LANA_A_OP_VLINK_NEW),
            lana_nl_vlink_del_doit up to LANA_A_VLINK_FB => Some(LANA_A_OP_VLINK_DEL),
            lana_nl_vlink_unhook_doit up to LANA_A_VLINK_FB => Some(LANA_A_OP_VLINK_UNHOOK),
            lana_nl_transact_doit up to LANA_A_TRANSACTION_OP => None,
        }
        $crate::sys::genl::operations! { @dump $operations,
            lana_nl_fb_get_dumpit => fb_get_dump,
            lana_nl_option_get_dumpit => option_get_dump,
            lana_nl_type_get_dumpit => type_get_dump,
            lana_nl_ppe_get_dumpit => ppe_get_dump,
            lana_nl_vlink_get_dumpit => vlink_get_dump,
        }

        /// # Safety
        ///
        /// See [`probe_closed`]($crate::sys::genl::probe_closed).
        #[no_mangle]
        unsafe extern "C" fn lana_probe_closed(net: *mut $crate::sys::bindings::net, portid: u32) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::genl::probe_closed::<$operations>(net, portid) }
        }
    };
    (@get $operations:ty, $($symbol:ident up to $max:ident => $function:ident,)*) => {
        $($crate::sys::genl::operations! { @doit
            $symbol, $max, None, <$operations as $crate::sys::genl::Operations>::$function
        })*
    };
    (@change $operations:ty, $($symbol:ident up to $max:ident => $option:ident $(($kind:ident))?,)*) => {
        $($crate::sys::genl::operations! { @doit
            $symbol, $max, $option $(($crate::sys::bindings::$kind))?,
            <$operations as $crate::sys::genl::Operations>::change
        })*
    };
    (@doit $symbol:ident, $max:ident, $operation:expr, $serve:expr) => {
        /// # Safety
        ///
        /// Called by the kernel for a request.
        #[no_mangle]
        unsafe extern "C" fn $symbol(
            skb: *mut $crate::sys::bindings::sk_buff,
            info: *mut $crate::sys::bindings::genl_info,
        ) -> ::core::ffi::c_int {
            let max = $crate::sys::bindings::$max;
            // SAFETY: the kernel calls this for a request, as `serve` wants it.
            unsafe { $crate::sys::genl::request::serve(skb, info, max, $operation, $serve) }
        }
    };
    (@dump $operations:ty, $($symbol:ident => $function:ident,)*) => {
        $(
            /// # Safety
            ///
            /// Called by the kernel for a dump.
            #[no_mangle]
            unsafe extern "C" fn $symbol(
                skb: *mut $crate::sys::bindings::sk_buff,
                cb: *mut $crate::sys::bindings::netlink_callback,
            ) -> ::core::ffi::c_int {
                let dump = <$operations as $crate::sys::genl::Operations>::$function;
                // SAFETY: the kernel calls this for a dump, as `serve_dump` wants it.
                unsafe { $crate::sys::genl::dump::serve_dump(skb, cb, dump) }
            }
        )*
    };
}
pub(crate) use operations;

/// How many probes there are, in all namespaces.
static PROBES: Atomic<i32> = Atomic::new(0);

/// Counts a probe that is there from now on, or no more: while none is, closed sockets are of no interest.
pub(crate) fn count_probe(there: bool) {
    PROBES.add(if there { 1 } else { -1 }, Relaxed);
}

/// A socket of netlink was closed. Process context.
///
/// # Safety
///
/// Called with a live namespace, while the family is registered.
pub(crate) unsafe fn probe_closed<O: Operations>(net: *mut bindings::net, portid: u32) {
    if PROBES.load(Relaxed) == 0 {
        return;
    }
    // SAFETY: the namespace lives during the call, and graphs go after the family.
    if let Some(graph) = unsafe { net::graph_of(net) } {
        O::probe_closed(graph, portid);
    }
}
