// SPDX-License-Identifier: GPL-2.0

//! Numbers, strings and TLVs in the bytes of a message. Nothing here panics, whatever the bytes are.

/// Set in the type of a TLV that a receiver must know: it refuses a message with an unknown one.
pub const MUST_KNOW: u16 = 0x8000;

/// Reads from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A string behind its length in one byte: printable ASCII.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.u8()?;
        let text = std::str::from_utf8(self.bytes(length.into())?).ok()?;
        is_text(text).then_some(text)
    }

    /// The type and the value of the next TLV.
    pub(crate) fn tlv(&mut self) -> Option<(u16, Reader<'a>)> {
        let kind = self.u16()?;
        let length = self.u16()?;
        Some((kind, Reader(self.bytes(length.into())?)))
    }

    /// `value`, if nothing follows it.
    pub(crate) fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

/// Whether a string may be in a message: up to 255 bytes of printable ASCII.
pub(crate) fn is_text(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Cuts a string to what may be in a message; `?` stands for what is not printable ASCII.
pub(crate) fn to_text(text: &str) -> String {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    text.chars().map(printable).take(200).collect()
}

/// Appends a string behind its length. Callers have checked it with [`is_text`]; what is longer is cut.
pub(crate) fn put_text(to: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    to.push(length);
    to.extend(text.bytes().take(length.into()));
}

/// Appends a TLV.
pub(crate) fn put(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    to.extend(kind.to_be_bytes());
    to.extend(length.to_be_bytes());
    to.extend(value.iter().take(length.into()));
}
