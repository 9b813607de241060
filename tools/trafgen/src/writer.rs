// SPDX-License-Identifier: GPL-2.0

//! Writes frames: templates in turn, each with what changes in it.

use crate::template::{Patch, Template};
use fastrand::Rng;

/// The packets of a CPU, as they are sent.
pub struct Writer {
    templates: Vec<Template>,
    random: Rng,
    turn: usize,
    shuffled: bool,
}

impl Writer {
    /// Of these packets; in random order if `shuffled`.
    pub fn new(templates: Vec<Template>, random: Rng, shuffled: bool) -> Self {
        Writer {
            templates,
            random,
            turn: 0,
            shuffled,
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// Bytes of the longest frame.
    pub fn longest(&self) -> usize {
        let lengths = self.templates.iter().map(|template| template.bytes.len());
        lengths.max().unwrap_or_default()
    }

    /// Whose turn it is: the number of the template.
    #[inline]
    pub fn turn(&mut self) -> usize {
        if self.shuffled {
            return self.random.usize(..self.templates.len().max(1));
        }
        let now = self.turn;
        self.turn = if now + 1 < self.templates.len() {
            now + 1
        } else {
            0
        };
        now
    }

    /// How long after the one before it the next packet was captured.
    pub fn gap(&self) -> std::time::Duration {
        let next = self.templates.get(self.turn);
        next.map_or(std::time::Duration::ZERO, |template| template.gap)
    }

    /// The template of that number.
    pub fn template(&self, number: usize) -> Option<&Template> {
        self.templates.get(number)
    }

    /// Writes the next frame of a template, if there is room: its length. Where `kept` says so, the place holds an
    /// older frame of this template, of which only what changes is written.
    #[inline]
    pub fn write(&mut self, number: usize, place: &mut [u8], kept: bool) -> usize {
        let Some(template) = self.templates.get_mut(number) else {
            return 0;
        };
        let length = template.bytes.len();
        let Some(frame) = place.get_mut(..length) else {
            return 0;
        };
        if !kept {
            frame.copy_from_slice(&template.bytes);
        }
        for patch in &mut template.patches {
            match patch {
                Patch::Count { place, counter } => place.write(frame, counter.count()),
                Patch::Bytes { offset, length } => {
                    if let Some(bytes) = frame.get_mut(*offset..*offset + *length) {
                        self.random.fill(bytes);
                    }
                }
                Patch::Random { place, min, max } => {
                    place.write(frame, self.random.u64(*min..=*max));
                }
                Patch::Sum(sum) => sum.write(frame),
            }
        }
        length
    }
}
