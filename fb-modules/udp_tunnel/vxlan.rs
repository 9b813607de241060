// SPDX-License-Identifier: GPL-2.0

//! The header of VXLAN (RFC 7348, section 5), as a receiver reads it. Knows nothing of the kernel: the tests run on the host.

/// How long it is.
pub(crate) const LEN: u32 = 8;
/// The largest network identifier.
pub(crate) const VNI_MAX: u32 = 0xff_ffff;

/// The flag that says that there is a network identifier.
const VNI_FLAG: u8 = 0x08;

/// The network identifier of a header. None where it is short, has no such number, or has flags of extensions, which would
/// have the payload be something else than a frame. The other reserved bits are ignored.
pub(crate) fn vni(header: &[u8]) -> Option<u32> {
    match *header {
        [VNI_FLAG, _, _, _, a, b, c, _, ..] => Some(u32::from_be_bytes([0, a, b, c])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(vni(&[8, 0, 0, 0, 0, 0, 7, 0]), Some(7));
        assert_eq!(vni(&[8, 1, 2, 3, 0xff, 0xff, 0xff, 4, 5]), Some(VNI_MAX));
        assert_eq!(vni(&[8, 0, 0, 0, 0, 0, 7]), None);
        assert_eq!(vni(&[]), None);
        for flags in [0, 0x0c, 0x88, 0xf7] {
            assert_eq!(vni(&[flags, 0, 0, 0, 0, 0, 7, 0]), None, "{flags:#x}");
        }
    }
}
