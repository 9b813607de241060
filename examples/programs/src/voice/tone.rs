// SPDX-License-Identifier: GPL-2.0

//! A sound that an encoder takes for speech: a voice's overtones, in syllables, with pauses.

use super::wav::Wav;
use std::f32::consts::TAU;

/// Syllables in a second.
const SYLLABLES: f32 = 4.0;
/// Overtones, and where among their frequencies the mouth resounds.
const OVERTONES: u16 = 20;
const FORMANTS: [f32; 2] = [600.0, 1700.0];

/// Makes so many seconds of it.
pub fn tone(seconds: u16, rate: u32, channels: u16) -> Wav {
    // Samples are counted within a second, which all of the sound repeats in.
    let second: Vec<i16> = (0..rate)
        .flat_map(|n| {
            let value = sample(voice(time(n, rate)));
            vec![value; channels.into()]
        })
        .collect();
    Wav {
        rate,
        channels,
        samples: second.repeat(seconds.into()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates are exact")]
fn time(sample: u32, rate: u32) -> f32 {
    sample as f32 / rate as f32
}

/// The sound at a time within its second, from -1 to 1.
fn voice(time: f32) -> f32 {
    // The last syllable of a second is silent.
    let syllable = time * SYLLABLES;
    let loudness = if syllable < SYLLABLES - 1.0 {
        (syllable.fract() * TAU / 2.0).sin().powi(2)
    } else {
        0.0
    };
    // A voice that goes up and down between 110 and 130 Hz.
    let phase = 120.0 * time + 10.0 / TAU * (time * TAU).sin();
    let overtones = (1..=OVERTONES).map(f32::from).map(|n| {
        let resonance = FORMANTS.map(|formant| (-((120.0 * n - formant) / 200.0).powi(2)).exp());
        (phase * n * TAU).sin() * (0.1 / n + 0.1 * resonance.iter().sum::<f32>())
    });
    loudness * overtones.sum::<f32>().clamp(-1.0, 1.0)
}

/// A sample of 16 bits for a number from -1 to 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers too large become the largest"
)]
fn sample(number: f32) -> i16 {
    (number * 32_768.0) as i16
}
