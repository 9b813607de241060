// SPDX-License-Identifier: GPL-2.0

//! What makes a running graph one that a file describes.

mod change;
mod follow;
mod ports;
mod value;

pub use change::{Change, Values};

use crate::model::{
    Block, Bond, Device, Kind, Name, Names, Pair, Place, Running, Setting, Share, Target,
};
use change::{How, Was, What};
use follow::follow;
use std::collections::HashMap;

/// What becomes of a binding or a subscription of the file.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// Its number among those that run.
    was: Option<usize>,
    /// It stays as it is.
    stays: bool,
}

/// The changes, in an order in which they can be made: first goes what goes.
pub fn changes<'t>(
    running: &Running,
    target: &'t Target<'_>,
    names: &mut Names,
) -> Result<Vec<Change<'t>>, (Place, String)> {
    let stays = |name: Name| match (running.blocks.get(name), target.blocks.get(name)) {
        (Some(now), Some(then)) => now.kind == then.kind,
        _ => false,
    };
    let fates = |bonds: &[Bond], number: &dyn Fn(&Pair) -> Option<usize>| -> Vec<Fate> {
        let fate = |bond: &Bond| {
            let was = number(&bond.pair);
            let stays = was.is_some() && stays(bond.pair.0) && stays(bond.pair.1);
            Fate { was, stays }
        };
        bonds.iter().map(fate).collect()
    };
    let number = |pair: &Pair| running.bindings.get_index_of(pair);
    let mut bindings = fates(&target.bindings, &number);
    ports::settle(running, &target.bindings, &mut bindings, names.len());
    let number = |pair: &Pair| running.subscriptions.get_index_of(pair);
    let subscriptions = fates(&target.subscriptions, &number);

    let mut all = Vec::new();
    all.extend(off(running.bindings.keys(), &bindings, What::Binding));
    all.extend(off(
        running.subscriptions.iter(),
        &subscriptions,
        What::Subscription,
    ));
    let mut going = Going::default();
    for (name, block) in running.blocks.iter().filter(|(name, _)| !stays(*name)) {
        going.note(block.kind);
        all.push(Change::new(How::Remove, whole(name, block.kind), None));
    }
    for (name, block) in target.blocks.iter().filter(|(name, _)| !stays(*name)) {
        check(block, &going, names)?;
        let what = whole(name, block.kind);
        all.push(Change::new(How::Add, what, Some(block.place)));
    }
    for (name, block) in target.blocks.iter() {
        let now = running.blocks.get(name).filter(|_| stays(name));
        let now = now.map_or(&[][..], |block| &block.settings);
        let now = follow(name, now, &running.bindings, &target.bindings, stays, names);
        let kind = match block.kind {
            Kind::Made(kind) => kind,
            Kind::Device(device) => device.subsystem,
        };
        let same = |key, one: &str, other: &str| {
            value::same(names.text(kind), names.text(key), one, other)
        };
        let options = Options {
            name,
            stays: stays(name),
        };
        options.set(&mut all, &now, &block.settings, same);
    }
    all.extend(on(&target.bindings, &bindings, What::Binding));
    all.extend(on(
        &target.subscriptions,
        &subscriptions,
        What::Subscription,
    ));
    Ok(all)
}

fn whole(name: Name, kind: Kind) -> What<'static> {
    match kind {
        Kind::Made(kind) => What::Block { name, kind },
        Kind::Device(device) => What::Device { name, device },
    }
}

/// The devices that go. The kernel removes virtual ones at the end of the transaction: up to then
/// nobody else can have their names and ids. It unhooks hooked ones then, too: one that is hooked again
/// before keeps its hook, so its mode (XDP or not) cannot change.
#[derive(Default)]
struct Going {
    hooked: HashMap<Name, Device>,
    by_name: HashMap<Name, Device>,
    by_share: HashMap<Share, Device>,
}

impl Going {
    /// A block goes.
    fn note(&mut self, kind: Kind) {
        if let Kind::Device(device) = kind {
            if let Some(share) = device.share {
                self.by_name.insert(device.ifname, device);
                self.by_share.insert(share, device);
            } else {
                self.hooked.insert(device.ifname, device);
            }
        }
    }

    /// The one whose name or id a new device is to have.
    fn in_the_way_of(&self, device: Device) -> Option<&Device> {
        let by_share = || self.by_share.get(&device.share?);
        self.by_name.get(&device.ifname).or_else(by_share)
    }

    /// The same device as it is hooked now, if it is to be hooked in the other mode.
    fn other_mode(&self, device: Device) -> Option<&Device> {
        let hooked = self.hooked.get(&device.ifname)?;
        (device.share.is_none() && hooked.xdp != device.xdp).then_some(hooked)
    }
}

/// No virtual device may be in the way of one that is connected now, and no hooked one may change its
/// mode.
fn check(block: &Block<'_>, going: &Going, names: &Names) -> Result<(), (Place, String)> {
    let Kind::Device(device) = block.kind else {
        return Ok(());
    };
    if let Some(Device {
        subsystem,
        ifname,
        share: Some(Share { carrier, id }),
        ..
    }) = going.in_the_way_of(device)
    {
        let (ifname, carrier) = (names.text(*ifname), names.text(*carrier));
        let text = format!(
            "{ifname} exists on carrier {carrier} with id {id}: remove it first (vlink {} rm {ifname})",
            names.text(*subsystem)
        );
        return Err((block.place, text));
    }
    if let Some(hooked) = going.other_mode(device) {
        let ifname = names.text(hooked.ifname);
        let text = format!(
            "{ifname} is hooked {} xdp: unhook it first (vlink {} unhook {ifname})",
            if hooked.xdp { "with" } else { "without" },
            names.text(hooked.subsystem)
        );
        return Err((block.place, text));
    }
    Ok(())
}

/// Takes off what does not stay of what runs.
fn off<'a, 't>(
    now: impl ExactSizeIterator<Item = &'a Pair>,
    fates: &[Fate],
    what: fn(Pair) -> What<'t>,
) -> impl Iterator<Item = Change<'t>> {
    let mut hows = vec![Some(How::Remove); now.len()];
    for Fate { was, stays } in fates {
        if let Some(how) = was.and_then(|was| hows.get_mut(was)) {
            *how = (!stays).then_some(How::Suspend);
        }
    }
    let change =
        move |(pair, how): (&Pair, Option<How>)| Some(Change::new(how?, what(*pair), None));
    now.zip(hows).filter_map(change)
}

/// Makes what of the file does not run, or did not stay.
fn on<'a, 't: 'a>(
    then: &'a [Bond],
    fates: &'a [Fate],
    what: fn(Pair) -> What<'t>,
) -> impl Iterator<Item = Change<'t>> + 'a {
    let missing = then.iter().zip(fates).filter(|(_, fate)| !fate.stays);
    missing.map(move |(bond, fate)| {
        let how = if fate.was.is_some() {
            How::Change
        } else {
            How::Add
        };
        Change::new(how, what(bond.pair), Some(bond.place))
    })
}

/// The options of a block.
#[derive(Clone, Copy)]
struct Options {
    name: Name,
    /// The block is there already.
    stays: bool,
}

impl Options {
    /// Sets them. Without a value it is as if they were not mentioned: each goes back to its default. What is
    /// `same` stays.
    fn set<'t>(
        self,
        all: &mut Vec<Change<'t>>,
        now: &[Setting<'_>],
        then: &'t [Setting<'_>],
        same: impl Fn(Name, &str, &str) -> bool,
    ) {
        let name = self.name;
        let has_value = |setting: &&Setting<'_>| !setting.value.trim_end().is_empty();
        for Setting { key, value, .. } in now.iter().filter(has_value) {
            let stays = then.iter().filter(has_value).any(|then| then.key == *key);
            if !stays && !same(*key, value, "") {
                let was = Was::Set(value.to_string());
                let (key, value) = (*key, "");
                all.push(Change::option(What::Option { name, key, value }, was, None));
            }
        }
        for Setting { key, value, place } in then.iter().filter(has_value) {
            let (key, value, place) = (*key, value.as_ref(), Some(*place));
            let now = now.iter().filter(has_value).find(|now| now.key == key);
            if same(key, now.map_or("", |now| &now.value), value) {
                continue;
            }
            let was = match now {
                Some(now) => Was::Set(now.value.to_string()),
                None if self.stays => Was::Unset,
                None => Was::Nothing,
            };
            let what = What::Option { name, key, value };
            all.push(Change::option(what, was, place));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
