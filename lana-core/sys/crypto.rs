// SPDX-License-Identifier: GPL-2.0

//! Authenticated encryption: AES-GCM by the kernel's library, and the secrets it takes.
//!
//! Synchronous: a call returns when the bytes are encrypted. It allocates nothing and sleeps nowhere.
//!
//! C header: [`include/crypto/aes-gcm.h`](srctree/include/crypto/aes-gcm.h)

use super::{bindings, context::Process};
use core::{hint::black_box, ptr::NonNull};
use kernel::{
    alloc::{flags::__GFP_NOWARN, Flags},
    error::to_result,
    prelude::*,
};

/// A secret key of up to 32 bytes. No code can print it. It stays in one place of memory, and is overwritten there when
/// it goes.
pub struct Secret {
    bytes: KBox<[u8; Self::MOST]>,
    len: usize,
}

impl Secret {
    /// The longest, in bytes.
    pub const MOST: usize = 32;

    fn zeros(flags: Flags) -> Result<Self> {
        Ok(Self {
            bytes: KBox::new([0; Self::MOST], flags)?,
            len: 0,
        })
    }

    /// One that `fill` writes and tells the length of; none where it tells none, or more than there is room for. Sleeps.
    pub fn new(
        fill: impl FnOnce(&mut [u8; Self::MOST]) -> Option<usize>,
        _process: &Process,
    ) -> Result<Option<Self>> {
        let mut secret = Self::zeros(GFP_KERNEL)?;
        let Some(len) = fill(&mut secret.bytes).filter(|len| *len <= Self::MOST) else {
            return Ok(None);
        };
        secret.len = len;
        Ok(Some(secret))
    }

    /// Its bytes.
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// A secret of the same length, made of this one for one purpose: HMAC-SHA256 of the label, cut to that length.
    /// Who has it cannot tell this one from it, nor those for other labels. `ENOMEM` without memory. Any context.
    pub fn derive(&self, label: &[u8]) -> Result<Self> {
        let mut derived = Self::zeros(GFP_ATOMIC | __GFP_NOWARN)?;
        derived.len = self.len;
        let (key, len) = (self.bytes.as_ptr(), self.bytes().len());
        let out = derived.bytes.as_mut_ptr();
        // SAFETY: key and label are readable for as long as is said, and there is room for the 32 bytes of SHA-256.
        unsafe { bindings::lana_hmac(key, len, label.as_ptr(), label.len(), out) };
        Ok(derived)
    }
}

/// In a time that does not tell where they differ.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.bytes.iter().zip(other.bytes.iter());
        let differ = pairs.fold(0, |differ, (one, other)| black_box(differ | (one ^ other)));
        self.len == other.len && differ == 0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // SAFETY: the array is that long, and nobody else's.
        unsafe { bindings::lana_forget(self.bytes.as_mut_ptr().cast(), Self::MOST) };
    }
}

/// Fills `bytes` with such as nobody can foresee. Waits until the kernel has enough entropy, which after a boot can take a
/// second. An error where the process gets a signal meanwhile. Sleeps.
pub fn random(bytes: &mut [u8], _process: &Process) -> Result {
    // SAFETY: the slice is that long, and this context may sleep.
    to_result(unsafe { bindings::lana_random(bytes.as_mut_ptr().cast(), bytes.len()) })
}

/// AES-GCM with a key, and tags of 16 bytes.
///
/// # Invariants
///
/// The pointer is a live `lana_aead` of this value's own, whose key is prepared and does not change.
pub struct Aead(NonNull<bindings::lana_aead>);

// SAFETY: by the invariants it does not change, and any context may free it.
unsafe impl Send for Aead {}
// SAFETY: by the invariants it does not change, so several CPUs may use it at once.
unsafe impl Sync for Aead {}

impl Aead {
    /// How long a tag is, in bytes.
    pub const TAG: usize = bindings::LANA_AEAD_TAG as usize;
    /// How long a nonce is. Two messages under one key must never have the same: who sees two such can tell their
    /// difference, and forge others.
    pub const NONCE: usize = 12;

    /// Whether this kernel has the library: `CONFIG_CRYPTO_LIB_AES_GCM`.
    pub fn is_there() -> bool {
        // SAFETY: no preconditions.
        unsafe { bindings::lana_aead_there() }
    }

    fn make(key: &Secret, may_sleep: bool) -> Option<Self> {
        let bytes = key.bytes();
        // SAFETY: so many bytes are readable, and the caller says what the context allows.
        let aead = unsafe { bindings::lana_aead_new(bytes.as_ptr(), bytes.len(), may_sleep) };
        // INVARIANT: it is new, and prepared with the key.
        NonNull::new(aead).map(Self)
    }

    /// Prepares a key of 16, 24 or 32 bytes. None for another length, without memory, or without the library. Sleeps.
    pub fn new(key: &Secret, _process: &Process) -> Option<Self> {
        Self::make(key, true)
    }

    /// The same in any context: memory is missing more often.
    pub fn new_atomic(key: &Secret) -> Option<Self> {
        Self::make(key, false)
    }

    /// Encrypts `data` where it is, and returns the tag that authenticates it together with `associated`, which stays as
    /// it is. Any context.
    pub fn seal(
        &self,
        nonce: &[u8; Self::NONCE],
        associated: &[u8],
        data: &mut [u8],
    ) -> [u8; Self::TAG] {
        let mut tag = [0; Self::TAG];
        let (ad, ad_len) = (associated.as_ptr(), associated.len());
        let (at, len) = (data.as_mut_ptr(), data.len());
        // SAFETY: by the type's invariants the key is prepared. The slices are as long as is said, and those that are
        // written to are borrowed exclusively; tag and nonce are as long as the key says.
        unsafe {
            let aead = self.0.as_ptr();
            bindings::lana_aead_seal(aead, at, len, tag.as_mut_ptr(), ad, ad_len, nonce.as_ptr());
        }
        tag
    }

    /// Decrypts `data` where it is. False unless the tag is that of these data, `associated` and nonce: then nothing in
    /// `data` is of use. Any context.
    #[must_use]
    pub fn open(
        &self,
        nonce: &[u8; Self::NONCE],
        associated: &[u8],
        data: &mut [u8],
        tag: &[u8; Self::TAG],
    ) -> bool {
        let (ad, ad_len) = (associated.as_ptr(), associated.len());
        let (at, len) = (data.as_mut_ptr(), data.len());
        // SAFETY: by the type's invariants the key is prepared. The slices are as long as is said, and that which is
        // written to is borrowed exclusively; tag and nonce are as long as the key says.
        unsafe {
            let aead = self.0.as_ptr();
            bindings::lana_aead_open(aead, at, len, tag.as_ptr(), ad, ad_len, nonce.as_ptr())
        }
    }
}

impl Drop for Aead {
    fn drop(&mut self) {
        // SAFETY: by the invariants it is ours, and nobody uses it any more. It is overwritten.
        unsafe { bindings::lana_aead_free(self.0.as_ptr()) };
    }
}
