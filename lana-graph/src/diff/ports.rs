// SPDX-License-Identifier: GPL-2.0

//! Which bindings can stay where they are.
//!
//! Binding two blocks appends a port to each; unbinding takes it out, and the ports behind it move
//! up. So once all that does not stay is unbound and what is missing is bound in the order of the
//! file, the ports of a block are as the file wants them if those that stayed are its first ones, in
//! the right order. At both ends: a binding that cannot stay at one end ends what can stay at the
//! other, behind it. What is left when all of these have been followed is the most that can stay.

use super::Fate;
use crate::model::{Bond, Name, Running};

/// The bindings of the file, at one end of each: those of one block side by side, in their order.
struct Lists {
    bindings: Vec<usize>,
    /// Where each binding is in `bindings`.
    places: Vec<usize>,
    /// Where the list of each name begins in `bindings`.
    starts: Vec<usize>,
    /// Where what can stay of it ends.
    ends: Vec<usize>,
}

#[expect(
    clippy::indexing_slicing,
    reason = "the indices are numbers of bindings and names, which the vectors have an entry for"
)]
impl Lists {
    /// From the block at that end of each binding.
    fn new(blocks: impl Iterator<Item = Name> + Clone, names: usize) -> Self {
        let mut ends = vec![0; names];
        for block in blocks.clone() {
            ends[block.index()] += 1;
        }
        let mut count = 0;
        let begin = |length: &usize| {
            count += length;
            count - length
        };
        let starts: Vec<_> = ends.iter().map(begin).collect();
        ends.clone_from(&starts);
        let (mut bindings, mut places) = (vec![0; count], vec![0; count]);
        for (binding, block) in blocks.enumerate() {
            let end = &mut ends[block.index()];
            bindings[*end] = binding;
            places[binding] = *end;
            *end += 1;
        }
        Lists {
            bindings,
            places,
            starts,
            ends,
        }
    }

    /// The list of each name.
    fn all(&self) -> impl Iterator<Item = &[usize]> {
        let bounds = self.starts.iter().zip(&self.ends);
        bounds.map(|(start, end)| &self.bindings[*start..*end])
    }

    /// Ends the list of a block before one of its bindings. Gives those that are cut off.
    fn cut(&mut self, block: Name, binding: usize) -> &[usize] {
        let end = &mut self.ends[block.index()];
        let before = *end;
        *end = before.min(self.places[binding]);
        &self.bindings[*end..before]
    }
}

/// Takes from the bindings that would stay those that cannot.
pub(super) fn settle(running: &Running, bindings: &[Bond], fates: &mut [Fate], names: usize) {
    let mut uppers = Lists::new(bindings.iter().map(|bond| bond.pair.0), names);
    let mut lowers = Lists::new(bindings.iter().map(|bond| bond.pair.1), names);
    let egress = |was: usize| Some(was);
    let ingress = |was: usize| {
        running
            .bindings
            .get_index(was)
            .map(|(_, place)| *place as usize)
    };

    let gone = fates.iter().enumerate().filter(|(_, fate)| !fate.stays);
    let mut going: Vec<usize> = gone.map(|(binding, _)| binding).collect();
    going.extend(
        uppers
            .all()
            .filter_map(|list| misplaced(list, fates, egress)),
    );
    going.extend(
        lowers
            .all()
            .filter_map(|list| misplaced(list, fates, ingress)),
    );
    while let Some(binding) = going.pop() {
        let Some(Bond { pair, .. }) = bindings.get(binding) else {
            continue;
        };
        let cut = uppers
            .cut(pair.0, binding)
            .iter()
            .chain(lowers.cut(pair.1, binding));
        for binding in cut {
            if let Some(fate) = fates.get_mut(*binding).filter(|fate| fate.stays) {
                fate.stays = false;
                going.push(*binding);
            }
        }
    }
}

/// The first of a block's bindings that runs before one that the file has before it.
fn misplaced(
    list: &[usize],
    fates: &[Fate],
    place: impl Fn(usize) -> Option<usize>,
) -> Option<usize> {
    let mut before = None;
    for binding in list {
        let fate = fates.get(*binding).filter(|fate| fate.stays)?;
        let place = fate.was.and_then(&place);
        if place <= before {
            return Some(*binding);
        }
        before = place;
    }
    None
}
