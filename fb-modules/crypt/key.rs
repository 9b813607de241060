// SPDX-License-Identifier: GPL-2.0

//! Keys as they are given: hexadecimal digits. No error shows any of them.

/// What is shown in the place of a key.
pub(crate) const HIDDEN: &str = "secret";

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is what stands in a saved graph.
    Hidden,
    /// It has another number of digits, or others than hexadecimal ones.
    Form,
    /// All of its bytes are the same, as zeros.
    Weak,
}

/// Reads a key of 128 or 256 bits: how many bytes it has.
pub(crate) fn read(text: &[u8], to: &mut [u8; 32]) -> Result<usize, Bad> {
    if text == HIDDEN.as_bytes() {
        return Err(Bad::Hidden);
    }
    if !matches!(text.len(), 32 | 64) {
        return Err(Bad::Form);
    }
    let len = text.len() / 2;
    let mut rest = text;
    for to in to.iter_mut().take(len) {
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(Bad::Form);
        let Some(([high, low], behind)) = rest.split_first_chunk() else {
            return Err(Bad::Form);
        };
        *to = (digit(*high)? << 4 | digit(*low)?) as u8;
        rest = behind;
    }
    let mut bytes = to.iter().take(len);
    let first = bytes.next();
    if bytes.all(|byte| Some(byte) == first) {
        return Err(Bad::Weak);
    }
    Ok(len)
}

/// The number of a key.
pub(crate) fn number(text: &str) -> Option<u8> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        let mut to = [0; 32];
        let digits = "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100ab";
        for len in 0..=digits.len() {
            let read = read(&digits.as_bytes()[..len], &mut to);
            match len {
                32 | 64 => assert_eq!(read, Ok(len / 2)),
                _ => assert_eq!(read, Err(Bad::Form)),
            }
        }
        assert_eq!(to[15..18], [0xff, 0xff, 0xee]);
    }

    #[test]
    fn bad() {
        let mut to = [0; 32];
        assert_eq!(read(b"secret", &mut to), Err(Bad::Hidden));
        assert_eq!(
            read(b"0011223344556677 899aabbccddeeff", &mut to),
            Err(Bad::Form)
        );
        assert_eq!(read(&[b'0'; 32], &mut to), Err(Bad::Weak));
        assert_eq!(read(&[b'a'; 64], &mut to), Err(Bad::Weak));
        assert_eq!(read("ää".repeat(8).as_bytes(), &mut to), Err(Bad::Form));
    }

    #[test]
    fn numbers() {
        assert_eq!([number("0"), number("255")], [Some(0), Some(255)]);
        for bad in ["", "256", "-1", "+1", "01", " 1", "x"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
