// SPDX-License-Identifier: GPL-2.0

//! The language of packets: the thesis's of 2011 (`$II0: 0,255,1`, `$P1 { … }`), and netsniff-ng's that grew out of it.
//!
//! A text is parsed ([`parse`]) to packets ([`ast`]), and each is compiled to a [`Template`].

pub mod ast;
mod call;
mod compile;
mod constants;
mod dns;
mod error;
mod headers;
mod parse;
mod protocols;
mod token;
mod value;

pub use compile::Host;
pub use error::{Located, Mistake};
pub use parse::parse;
pub use value::MOST_BYTES;

use crate::template::Template;

/// Parses and compiles a text. Where it says `rnd()`, the bytes are those of `random`; without `sums`, header functions
/// fill in no checksums.
pub fn templates(
    text: &str,
    host: &Host,
    random: &mut fastrand::Rng,
    sums: bool,
) -> Result<Vec<Template>, Mistake> {
    let packets = parse(text)?;
    packets
        .iter()
        .map(|packet| compile::compile(packet, host, random, sums))
        .collect()
}
