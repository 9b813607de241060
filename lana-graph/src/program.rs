// SPDX-License-Identifier: GPL-2.0

//! Programs of the block `bpf`, of which some are longer than a message can carry.

/// The block's own reader.
#[path = "../../fb-modules/bpf/text.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the block also prints them"))]
mod text;

use anyhow::Result;
use lana_cli::usage;
use std::borrow::Cow;
pub(crate) use text::Quad;

/// The most bytes of an option; `option-max` of the specification.
const OPTION_MAX: usize = 65_000;

/// The instructions of a program.
pub(crate) fn instructions(program: &str) -> Option<Vec<Quad>> {
    let mut all = Vec::new();
    let push = |quad| {
        all.push(quad);
        true
    };
    text::parse(program.as_bytes(), push).ok()?;
    Some(all)
}

/// The value of an option in a form that a message can carry, if it is too long and a program.
pub fn fitting(value: Cow<'_, str>) -> Cow<'_, str> {
    if value.len() <= OPTION_MAX {
        return value;
    }
    let Some(quads) = instructions(&value) else {
        return value;
    };
    let mut packed = String::new();
    match text::pack(&mut packed, quads.into_iter()) {
        Ok(()) => packed.into(),
        Err(_) => value,
    }
}

/// The instructions of a program as the kernel has them: an array of `struct sock_filter`.
pub fn sock_filters(program: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    text::parse(program.as_bytes(), |(code, jt, jf, k)| {
        bytes.extend(code.to_ne_bytes());
        bytes.extend([jt, jf]);
        bytes.extend(k.to_ne_bytes());
        true
    })
    .map_err(|bad| usage(bad.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_programs_are_packed() {
        let long = "{ 0x15, 0, 1, 0x00000800 },\n".repeat(3000);
        let packed = fitting(long.as_str().into());
        assert!(packed.len() <= OPTION_MAX);
        assert_eq!(instructions(&packed), instructions(&long));
        for kept in ["{ 0x6, 0, 0, 0 },".to_owned(), "x".repeat(70_000)] {
            assert_eq!(fitting(kept.as_str().into()), kept);
        }
    }
}
