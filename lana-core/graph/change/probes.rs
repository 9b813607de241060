// SPDX-License-Identifier: GPL-2.0

//! Probes begin and end with a version of the wiring, as all else does.

use super::Change;
use crate::{
    base::error::Failure,
    fail,
    packet::probe::{Probe, Probes, PROBES},
    sys::{slot::Idp, watch},
};
use kernel::{prelude::*, sync::Arc};

impl Change<'_> {
    /// Begins a probe, in the place of another one for the same socket. Sleeps.
    pub(crate) fn probe(&mut self, probe: Probe, portid: u32) -> Result<(), Failure> {
        let old = &self.state()?.probes;
        let mut probes = Probes::new();
        for probe in old.iter().flat_map(|old| old.iter()) {
            if !probe.is_of(portid) && !probe.is_closed() {
                probes.push(probe.clone(), GFP_KERNEL)?;
            }
        }
        if probes.len() == PROBES {
            return Err(fail!(EBUSY, "there are {} probes already", PROBES));
        }
        probes.push(Arc::new(probe, GFP_KERNEL)?, GFP_KERNEL)?;
        self.set_probes(Some(Arc::new(probes, GFP_KERNEL)?))
    }

    /// Ends the probes that see nothing any more; and heeds whether hops are watched. Sleeps.
    pub(crate) fn end_probes(&mut self) -> Result<(), Failure> {
        let old = &self.state()?.probes;
        let mut all = old.iter().flat_map(|old| old.iter());
        let ended = all.any(|probe| probe.is_closed());
        let mut probes = Probes::new();
        for probe in old.iter().flat_map(|old| old.iter()) {
            if !probe.is_closed() {
                probes.push(probe.clone(), GFP_KERNEL)?;
            }
        }
        // Hops are watched where there are probes, be it none.
        let some = !probes.is_empty() || watch::hops();
        if !ended && some == old.is_some() {
            return Ok(());
        }
        let probes = some.then(|| Arc::new(probes, GFP_KERNEL)).transpose()?;
        self.set_probes(probes)
    }

    /// All entrances say whether there are probes.
    fn set_probes(&mut self, probes: Option<Arc<Probes>>) -> Result<(), Failure> {
        let state = self.state()?;
        if probes.is_some() != state.probes.is_some() {
            let mut entrances: KVec<Idp> = KVec::new();
            for (idp, face) in state.registry.iter() {
                if face.stands_for().is_some() {
                    entrances.push(idp, GFP_KERNEL)?;
                }
            }
            for idp in entrances {
                state.registry.stage(idp)?;
            }
        }
        self.probes = Some(probes);
        Ok(())
    }
}
