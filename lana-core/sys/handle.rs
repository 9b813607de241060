// SPDX-License-Identifier: GPL-2.0

//! Handles: what a block has of the device or the socket that it stands for. A handle keeps nothing: it is
//! good until its target goes, however long a block keeps it, so no block can hold up what goes.

use super::rcu::Reader;
use core::{
    ptr,
    ptr::NonNull,
    // As in `slot.rs`: read for each packet.
    sync::atomic::{
        AtomicPtr,
        Ordering::{AcqRel, Acquire},
    },
};
use kernel::{prelude::*, sync::Arc, types::ForeignOwnable};

/// A handle of a `T`.
///
/// # Invariants
///
/// The pointer is null, or that of a `T` which lives until a grace period after it has become null.
pub struct Handle<T>(Arc<AtomicPtr<T>>);

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: 'static> Handle<T> {
    /// A handle that is good until [`Handle::end`]. Sleeps.
    ///
    /// # Safety
    ///
    /// The target lives until a grace period after that.
    pub(crate) unsafe fn new(target: NonNull<T>) -> Result<Self> {
        // INVARIANT: by the contract.
        Ok(Self(Arc::new(AtomicPtr::new(target.as_ptr()), GFP_KERNEL)?))
    }

    /// The target, for as long as the reader is one.
    #[inline]
    pub(crate) fn get(&self, _reader: Reader<'_>) -> Option<NonNull<T>> {
        self.peek()
    }

    /// The same for who is in a read-side section, or keeps the target.
    #[inline]
    pub(crate) fn peek(&self) -> Option<NonNull<T>> {
        NonNull::new(self.0.load(Acquire))
    }

    /// Ends it for all who have it. The target, the first time.
    pub(crate) fn end(&self) -> Option<NonNull<T>> {
        NonNull::new(self.0.swap(ptr::null_mut(), AcqRel))
    }

    /// Whether both are the same handle.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// For C to keep.
    pub(crate) fn into_raw(self) -> *mut core::ffi::c_void {
        self.0.into_foreign()
    }

    /// What C has kept.
    ///
    /// # Safety
    ///
    /// `raw` comes from [`Handle::into_raw`] of the same `T`, and is given up.
    pub(crate) unsafe fn from_raw(raw: *mut core::ffi::c_void) -> Self {
        // SAFETY: `into_raw` made it of such an `Arc`, and the caller gives that reference up.
        Self(unsafe { Arc::from_foreign(raw) })
    }
}
