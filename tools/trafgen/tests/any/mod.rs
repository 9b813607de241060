// SPDX-License-Identifier: GPL-2.0

//! Any bytes, as a configuration: what `tests/fuzz.rs` and `cargo fuzz` call.

use trafgen::{
    language::{self, Host},
    writer::Writer,
};

/// Parses a text, and writes the packets that it says.
pub(crate) fn any(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut random = fastrand::Rng::with_seed(1);
    match language::templates(&text, &Host::default(), &mut random, true) {
        Ok(templates) => {
            let mut writer = Writer::new(templates, random, false);
            let mut place = vec![0; writer.longest()];
            for round in 0..4 {
                if !writer.is_empty() {
                    let next = writer.turn();
                    writer.write(next, &mut place, round == 3);
                }
            }
        }
        Err(mistake) => {
            assert!(
                mistake.at <= text.len() && !mistake.what.is_empty(),
                "{mistake:?}"
            );
            let located = mistake.located("x", &text);
            assert!(located.to_string().lines().count() == 1, "{located}");
            located.picture();
        }
    }
}
