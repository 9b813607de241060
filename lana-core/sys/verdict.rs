// SPDX-License-Identifier: GPL-2.0

//! A packet with a number: what a verdict is made of.

/// A packet, or none, with a number that says what is to become of it. Small enough for two registers.
///
/// # Invariants
///
/// Where the number is not negative, the packet is there.
#[must_use]
pub(crate) struct Coded<P> {
    packet: Option<P>,
    code: i32,
}

impl<P> Coded<P> {
    /// A packet with any number.
    #[inline]
    pub(crate) fn with(packet: P, code: i32) -> Self {
        // INVARIANT: it is there.
        Self {
            packet: Some(packet),
            code,
        }
    }

    /// No packet, and a negative number.
    #[inline]
    pub(crate) fn without<const CODE: i32>(more: u32) -> Self {
        const { assert!(CODE < 0) };
        // INVARIANT: the number is negative, whatever is in its other bits.
        Self {
            packet: None,
            code: CODE | more as i32,
        }
    }

    /// The packet, where the number is not negative; else what there is. That a number is negative is what compilers
    /// take for the rarer case.
    #[inline(always)]
    pub(crate) fn open(self) -> Result<P, (Option<P>, i32)> {
        if self.code >= 0 {
            // SAFETY: by the type's invariant.
            return Ok(unsafe { self.packet.unwrap_unchecked() });
        }
        Err((self.packet, self.code))
    }
}
