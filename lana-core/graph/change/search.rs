// SPDX-License-Identifier: GPL-2.0

//! Searches along bindings: for circles, and for what a port leads to.

use super::{EGRESS, INGRESS};
use crate::{
    base::error::Failure,
    fail,
    graph::{registry::Registry, State},
    sys::{bindings, compat::ELOOP, slot::Idp},
};
use core::fmt;
use kernel::prelude::*;

impl State {
    /// Whether putting `up` on top of `low` would let packets go round in a circle: it would if
    /// `low` is above `up` already. A block that stands for a device or a socket ends all ways.
    ///
    /// Searches upwards from `up` and downwards from `low` by turns, and knows that there is no
    /// circle as soon as one of the two has nowhere left to go: where one end is new, at once,
    /// however large the graph is at the other.
    pub(super) fn check_loop(&self, up: Idp, low: Idp) -> Result<(), Failure> {
        let registry = &self.registry;
        let mut upwards = Search::new(registry, up, INGRESS)?;
        let mut downwards = Search::new(registry, low, EGRESS)?;
        let mut sure = false;
        loop {
            match upwards.step(registry, low)? {
                Step::On => (),
                Step::End => return Ok(()),
                Step::Found => break,
            }
            if !sure {
                match downwards.step(registry, up)? {
                    Step::On => (),
                    Step::End => return Ok(()),
                    Step::Found => sure = true,
                }
            }
        }
        let path = Path(registry, &upwards, up);
        Err(fail!(ELOOP, "a loop: {}", path).at(bindings::LANA_A_BINDING_LOWER))
    }
}

/// A search along bindings, in one direction.
pub(super) struct Search {
    direction: usize,
    mark: u64,
    /// What has been reached, each with the index of what it was reached from.
    pub(super) reached: KVVec<(Idp, usize)>,
    /// The first of these that has not been looked at.
    next: usize,
}

pub(super) enum Step {
    On,
    End,
    Found,
}

impl Search {
    pub(super) fn new(registry: &Registry, from: Idp, direction: usize) -> Result<Self> {
        let mut search = Self {
            direction,
            mark: registry.new_mark(),
            reached: KVVec::new(),
            next: 0,
        };
        search.reach(registry, from, 0)?;
        Ok(search)
    }

    fn reach(&mut self, registry: &Registry, idp: Idp, from: usize) -> Result {
        if !registry.set_mark(idp, self.mark) {
            self.reached.push((idp, from), GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Looks at one more block, and at those next to it.
    pub(super) fn step(&mut self, registry: &Registry, goal: Idp) -> Result<Step> {
        let Some(&(idp, _)) = self.reached.get(self.next) else {
            return Ok(Step::End);
        };
        let at = self.next;
        self.next = at.wrapping_add(1);
        for index in 0.. {
            let peer = registry
                .face(idp)
                .filter(|face| face.stands_for().is_none())
                .and_then(|face| face.ports.get(self.direction)?.get(index).copied());
            match peer {
                Some(peer) if peer == goal => {
                    self.reached.push((peer, at), GFP_KERNEL)?;
                    return Ok(Step::Found);
                }
                Some(peer) => self.reach(registry, peer, at)?,
                None => break,
            }
        }
        Ok(Step::On)
    }
}

/// The circle that a search upwards has found, each block on top of the next.
struct Path<'a>(&'a Registry, &'a Search, Idp);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(registry, search, top) = self;
        let name = |idp| {
            registry
                .face(idp)
                .map_or("?", |f| f.instance.name().as_str())
        };
        f.write_str(name(*top))?;
        // From the goal, which was reached last, back to where the search began.
        let mut at = search.reached.len().wrapping_sub(1);
        while let Some(&(idp, from)) = search.reached.get(at) {
            write!(f, " on {}", name(idp))?;
            if at == 0 {
                break;
            }
            at = from;
        }
        Ok(())
    }
}
