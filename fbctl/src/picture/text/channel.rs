// SPDX-License-Identifier: GPL-2.0

//! What is between two layers: lines that come from below in one column and go on above in another.

use super::canvas::Canvas;

/// A line's way through a channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// The line's number.
    pub(super) line: usize,
    /// It begins at a box.
    pub(super) first: bool,
    /// It ends at a box.
    pub(super) last: bool,
    /// The columns in which it comes and goes.
    pub(super) below: usize,
    pub(super) above: usize,
    /// The height at which it comes.
    pub(super) from: f64,
    /// The row, counted from above, in which it goes to the side.
    pub(super) track: usize,
}

/// The lines between two heights of the layout.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) steps: Vec<Step>,
}

impl Channel {
    pub(super) fn new(top: f64, bottom: f64) -> Self {
        Channel {
            top,
            bottom,
            steps: Vec::new(),
        }
    }

    /// How many rows there are for lines that go to the side.
    pub(super) fn tracks(&self) -> usize {
        let bent = self.steps.iter().filter(|step| step.bent());
        bent.map(|step| step.track + 1).max().unwrap_or(0)
    }

    /// Gives each line that bends a track of its own where it would meet another one, so that those that fan out do
    /// not cross.
    pub(super) fn assign_tracks(&mut self) {
        // The innermost of a fan first, which is highest.
        self.steps.sort_by_key(|step| {
            let left = step.above < step.below;
            let inner = if left {
                usize::MAX - step.below
            } else {
                step.below
            };
            (left, inner, step.above, step.line)
        });
        let mut order = Vec::with_capacity(self.steps.len());
        let mut seen = vec![false; self.steps.len()];
        for number in 0..self.steps.len() {
            self.visit(number, &mut seen, &mut order);
        }
        let mut placed: Vec<Step> = Vec::with_capacity(order.len());
        for number in order {
            let Some(step) = self.steps.get_mut(number).filter(|step| step.bent()) else {
                continue;
            };
            let met = placed.iter().filter(|other| other.meets(step));
            step.track = met.map(|other| other.track + 1).max().unwrap_or(0);
            placed.push(*step);
        }
    }

    /// Who goes up in the column in which this one comes is to turn off above it.
    fn visit(&self, number: usize, seen: &mut [bool], order: &mut Vec<usize>) {
        let mut waiting = vec![(number, false)];
        while let Some((number, done)) = waiting.pop() {
            if done {
                order.push(number);
                continue;
            }
            let Some(seen) = seen.get_mut(number).filter(|seen| !**seen) else {
                continue;
            };
            *seen = true;
            waiting.push((number, true));
            let Some(step) = self.steps.get(number) else {
                continue;
            };
            let first = self.steps.iter().enumerate().filter(|(_, other)| {
                step.bent() && other.bent() && other.above == step.below && *other != step
            });
            waiting.extend(first.map(|(other, _)| (other, false)));
        }
    }

    /// Draws it into the rows from `top` to before `bottom`.
    pub(super) fn draw(&self, canvas: &mut Canvas, top: usize, bottom: usize) {
        let first = bottom.saturating_sub(self.tracks().max(1));
        for step in &self.steps {
            if step.bent() {
                let row = first + step.track;
                canvas.upright(step.below, row + 1, bottom);
                canvas.upright(step.above, top, row);
                canvas.across(row, step.below, step.above);
            } else {
                canvas.upright(step.below, top, bottom);
            }
        }
    }
}

impl Step {
    fn bent(&self) -> bool {
        self.below != self.above
    }

    /// In the same row they would touch.
    fn meets(&self, other: &Step) -> bool {
        let ends = |step: &Step| (step.below.min(step.above), step.below.max(step.above));
        let (a, b) = (ends(self), ends(other));
        a.0 <= b.1 && b.0 <= a.1
    }
}
