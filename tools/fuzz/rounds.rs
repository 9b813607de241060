// SPDX-License-Identifier: GPL-2.0

//! What the short tests of the tools' parsers share: rounds with random inputs. `LANA_FUZZ_SECONDS` says for how long,
//! `LANA_FUZZ_SEED` repeats a run.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

/// Calls `round` again and again.
pub(crate) fn rounds(mut round: impl FnMut(&mut fastrand::Rng)) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("LANA_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    // Told whatever happens then.
    let _ = writeln!(std::io::stderr(), "LANA_FUZZ_SEED={seed}");
    let end = Instant::now() + Duration::from_secs(number("LANA_FUZZ_SECONDS").unwrap_or(2));
    let mut random = fastrand::Rng::with_seed(seed);
    while Instant::now() < end {
        round(&mut random);
    }
}
