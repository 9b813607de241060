// SPDX-License-Identifier: GPL-2.0

//! Network namespaces: each owns a graph, which the floor above gives by [`per_net!`].
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::{bindings, slot::Idp};
use crate::base::error::Failure;
use core::{ffi::c_void, pin::Pin, ptr, ptr::NonNull};
use kernel::{error::to_result, prelude::*, types::ForeignOwnable};

/// A network namespace.
///
/// # Invariants
///
/// The namespace outlives the value: only its graph keeps one, and dies with it.
pub(crate) struct Net(NonNull<bindings::net>);

// SAFETY: a namespace may be used on any CPU.
unsafe impl Send for Net {}
// SAFETY: a namespace may be used by several CPUs at once: what is asked of it has its own locks.
unsafe impl Sync for Net {}

impl Net {
    pub(crate) fn as_ptr(&self) -> *mut bindings::net {
        self.0.as_ptr()
    }

    /// Has [`PerNet::alarm`] called soon. Any context.
    #[cold]
    pub(crate) fn alarm(&self) {
        // SAFETY: the namespace is live, and its graph does not end before the work does.
        unsafe { bindings::lana_net_alarm(self.as_ptr()) };
    }
}

impl Net {
    /// Something has gone: who locks the graph next sees to its block. Any context; waits for nobody.
    ///
    /// # Safety
    ///
    /// `gone` is in what the registry keeps for the block that has this IDP, which is removed by
    /// [`Net::remove_gone`] only; and is given once.
    pub(crate) unsafe fn gone(&self, gone: *mut bindings::lana_gone) {
        // SAFETY: the namespace is live, `gone` stays until its block is removed, and is on no list yet.
        unsafe { bindings::lana_net_gone(self.as_ptr(), gone, false) };
    }

    /// Whether something has gone that the graph has not heard of.
    pub(crate) fn any_gone(&self) -> bool {
        // SAFETY: the namespace is live.
        unsafe { bindings::lana_net_any_gone(self.as_ptr()) }
    }

    /// Has `remove` remove the blocks of what has gone: all, or else, when it fails, none, which is then
    /// tried again in a moment. It is given their IDPs, and asks for none once it has removed them. For
    /// who holds the graph's lock.
    pub(crate) fn remove_gone(
        &self,
        remove: impl FnOnce(&mut dyn Iterator<Item = Idp>) -> Result<(), Failure>,
    ) {
        // SAFETY: the namespace is live.
        let first = unsafe { bindings::lana_net_take_gone(self.as_ptr()) };
        // SAFETY: null ends the list, and the registry keeps what the others are in.
        let after = |gone| unsafe { bindings::lana_gone_next(gone) };
        let mut next = first;
        let mut idps = core::iter::from_fn(|| {
            // SAFETY: null ends the list; what is on it stays, as `remove` has not removed its block yet.
            let idp = unsafe { next.as_ref() }?.idp;
            next = after(next);
            Some(idp)
        });
        if remove(&mut idps).is_ok() {
            return;
        }
        let mut next = first;
        while !next.is_null() {
            let gone = next;
            next = after(gone);
            // SAFETY: the namespace is live, and the registry still keeps it, as none was removed.
            unsafe { bindings::lana_net_gone(self.as_ptr(), gone, true) };
        }
    }

    /// Has [`PerNet::chores`] called: soon, or in a moment. Any context.
    pub(crate) fn chores(&self, later: bool) {
        // SAFETY: the namespace is live, and its graph does not end before the work does.
        unsafe { bindings::lana_net_chores(self.as_ptr(), later) };
    }
}

/// What each namespace owns one of.
pub(crate) trait PerNet: Sized + Send + Sync + 'static {
    /// A namespace begins. Sleeps.
    fn new(net: Net) -> Result<Pin<KBox<Self>>>;
    /// It ends: nobody uses this any more but procfs and the alarm. Sleeps.
    fn clear(&self);
    /// The alarm was raised a moment ago. Sleeps.
    fn alarm(&self);
    /// Something was put off. Sleeps.
    fn chores(&self);
}

/// That which is registered.
///
/// # Safety
///
/// There is one in the crate: [`per_net!`] implements it.
pub(crate) unsafe trait Registered: PerNet {}

/// The graph of a namespace, if it has one (by now, or still).
///
/// # Safety
///
/// The namespace lives for `'a`, and the registration of namespaces with it.
pub(crate) unsafe fn graph_of<'a, G: Registered>(net: *mut bindings::net) -> Option<&'a G> {
    // SAFETY: the namespace lives for `'a`, as the caller says; what is stored there is null or a graph.
    unsafe { graph(bindings::lana_net_get(net)) }
}

/// Graphs for all namespaces that are and that come; dropping it ends them all.
pub(crate) struct Registration(());

impl Registration {
    /// Registers with the namespaces and for what becomes of devices. Sleeps.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: the callbacks are those of `per_net!`, `entrances!` and `device_events!`.
        to_result(unsafe { bindings::lana_net_register() })?;
        Ok(Self(()))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: registered in `new`.
        unsafe { bindings::lana_net_unregister() };
    }
}

/// Visits the graphs of all namespaces. Sleeps; no graph may be locked.
pub(crate) fn for_each<G: Registered>(mut visit: impl FnMut(&G)) {
    let mut visit = |graph: *mut c_void| {
        // SAFETY: a graph lives as long as its namespace is on the list; null is none.
        if let Some(graph) = unsafe { self::graph(graph) } {
            visit(graph);
        }
    };
    let mut visit: &mut dyn FnMut(*mut c_void) = &mut visit;
    // SAFETY: `lana_graph_visit` gets back what is given here.
    unsafe { bindings::lana_net_for_each((&raw mut visit).cast()) };
}

/// # Safety
///
/// Called by `lana_net_for_each()` in [`for_each`], which gives the data.
#[no_mangle]
unsafe extern "C" fn lana_graph_visit(graph: *mut c_void, data: *mut c_void) {
    // SAFETY: `data` is what `for_each` gave: a reference to its closure.
    unsafe { (*data.cast::<&mut dyn FnMut(*mut c_void)>())(graph) };
}

/// A namespace begins: makes its graph, or returns null when there is no memory.
///
/// # Safety
///
/// Called with a live namespace, which keeps the graph until [`graph_free`].
pub(crate) unsafe fn graph_new<G: Registered>(net: *mut bindings::net) -> *mut c_void {
    let Some(net) = NonNull::new(net) else {
        return ptr::null_mut();
    };
    // INVARIANT: the graph is freed before the namespace.
    G::new(Net(net)).map_or(ptr::null_mut(), ForeignOwnable::into_foreign)
}

/// The graph that C has, unless it has none.
///
/// # Safety
///
/// `graph` is null or comes from [`graph_new`], and lives for `'a`.
pub(crate) unsafe fn graph<'a, G: Registered>(graph: *mut c_void) -> Option<&'a G> {
    let graph = NonNull::new(graph)?;
    // SAFETY: `graph` comes from `graph_new`, as the caller says, and there is no other `G`.
    Some(unsafe { <Pin<KBox<G>>>::borrow(graph.as_ptr()) }.get_ref())
}

/// Frees a graph.
///
/// # Safety
///
/// `graph` is null or comes from [`graph_new`], was cleared, and nobody uses it any more.
pub(crate) unsafe fn graph_free<G: Registered>(graph: *mut c_void) {
    // SAFETY: `graph` is null or comes from `graph_new`, and nobody uses it any more.
    drop(unsafe { <Pin<KBox<G>>>::try_from_foreign(graph) });
}

/// What namespaces own: a [`PerNet`]. Said once in the crate, as it defines the functions that C calls.
macro_rules! per_net {
    ($graph:ty) => {
        // SAFETY: another one would define the same functions.
        unsafe impl $crate::sys::net::Registered for $graph {}

        /// # Safety
        ///
        /// See [`graph_new`]($crate::sys::net::graph_new).
        #[no_mangle]
        unsafe extern "C" fn lana_graph_new(
            net: *mut $crate::sys::bindings::net,
        ) -> *mut ::core::ffi::c_void {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::net::graph_new::<$graph>(net) }
        }

        $crate::sys::net::per_net!(@ $graph, lana_graph_clear, clear);
        $crate::sys::net::per_net!(@ $graph, lana_graph_alarm, alarm);
        $crate::sys::net::per_net!(@ $graph, lana_graph_chores, chores);

        /// # Safety
        ///
        /// See [`graph_free`]($crate::sys::net::graph_free).
        #[no_mangle]
        unsafe extern "C" fn lana_graph_free(graph: *mut ::core::ffi::c_void) {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::net::graph_free::<$graph>(graph) }
        }
    };
    (@ $graph:ty, $symbol:ident, $function:ident) => {
        /// # Safety
        ///
        /// `graph` is null or comes from `lana_graph_new()`, and lives.
        #[no_mangle]
        unsafe extern "C" fn $symbol(graph: *mut ::core::ffi::c_void) {
            // SAFETY: the contract is the same.
            if let Some(graph) = unsafe { $crate::sys::net::graph::<$graph>(graph) } {
                $crate::sys::net::PerNet::$function(graph);
            }
        }
    };
}
pub(crate) use per_net;
