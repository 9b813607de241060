// SPDX-License-Identifier: GPL-2.0

//! A graph as a whole. What a file describes and what runs are two of these, made of the same
//! names, so that they can be compared by number.

use indexmap::{IndexMap, IndexSet};
use std::{borrow::Cow, num::NonZeroU32};

/// A name of anything, as its number among the names that occur, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(NonZeroU32);

impl Name {
    /// The number, from 0.
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The names that occur.
#[derive(Debug, Default)]
pub struct Names(IndexSet<Box<str>>);

impl Names {
    /// The name that reads so.
    pub fn name(&mut self, text: &str) -> Name {
        let index = match self.0.get_index_of(text) {
            Some(index) => index,
            None => self.0.insert_full(text.into()).0,
        };
        // More than four billion would not fit in memory.
        let before = u32::try_from(index).unwrap_or(u32::MAX);
        Name(NonZeroU32::MIN.saturating_add(before))
    }

    /// How it reads.
    pub fn text(&self, name: Name) -> &str {
        self.0.get_index(name.index()).map_or("", |text| text)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Two blocks: upper and lower, or subscriber and publisher.
pub type Pair = (Name, Name);

/// Where in its file something is, in bytes.
pub type Place = u32;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One that was made, of this type.
    Made(Name),
    /// One that stands for a device.
    Device(Device),
}

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Who connected it.
    pub subsystem: Name,
    /// What it is called now; the block may have another name.
    pub ifname: Name,
    /// What a virtual one has of its carrier.
    pub share: Option<Share>,
    /// Packets enter a hooked one as frames of its driver: native XDP.
    pub xdp: bool,
}

/// What a virtual device has of its carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share {
    /// The name of the carrier.
    pub carrier: Name,
    /// Its number on that carrier.
    pub id: u8,
}

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The name of the option.
    pub key: Name,
    /// Its value, as the block prints or reads it.
    pub value: Cow<'a, str>,
    /// Where the file says so.
    pub place: Place,
}

/// A block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block<'a> {
    /// What it is.
    pub kind: Kind,
    /// The options that are set.
    pub settings: Vec<Setting<'a>>,
    /// Where the file describes it.
    pub place: Place,
}

impl<'a> Block<'a> {
    /// Sets an option, whatever it was set to before.
    pub fn set(&mut self, new: Setting<'a>) {
        self.settings.retain(|setting| setting.key != new.key);
        self.settings.push(new);
    }

    /// Becomes what `new` is. Options stay that `new` does not set, if it is of the same kind.
    pub fn take(&mut self, new: Block<'a>) {
        if self.kind != new.kind {
            self.settings.clear();
        }
        (self.kind, self.place) = (new.kind, new.place);
        for setting in new.settings {
            self.set(setting);
        }
    }
}

/// Blocks by name.
pub type Blocks<'a> = ByName<Block<'a>>;

/// Things by name, in the order in which they came. Names are numbers, so no hash is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName<T> {
    things: Vec<(Name, T)>,
    /// Where that of each name is, as far as it is known.
    places: Vec<Option<NonZeroU32>>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        ByName {
            things: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl<T> ByName<T> {
    /// How many came before it.
    pub fn place(&self, name: Name) -> Option<usize> {
        let place = self.places.get(name.index()).copied().flatten()?;
        Some(place.get() as usize - 1)
    }

    /// The thing of a name.
    pub fn get(&self, name: Name) -> Option<&T> {
        Some(&self.things.get(self.place(name)?)?.1)
    }

    /// The thing of a name, to change it.
    pub fn get_mut(&mut self, name: Name) -> Option<&mut T> {
        let place = self.place(name)?;
        self.at(place)
    }

    /// The one before which so many came.
    pub fn at(&mut self, place: usize) -> Option<&mut T> {
        Some(&mut self.things.get_mut(place)?.1)
    }

    /// Adds the thing of a name unless there is one. Gives its place.
    pub fn enter(&mut self, name: Name, new: impl FnOnce() -> T) -> usize {
        if let Some(place) = self.place(name) {
            return place;
        }
        let place = self.things.len();
        self.things.push((name, new()));
        let places = self.places.len().max(name.index() + 1);
        self.places.resize(places, None);
        if let Some(entry) = self.places.get_mut(name.index()) {
            *entry = u32::try_from(place + 1).ok().and_then(NonZeroU32::new);
        }
        place
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Name, &T)> {
        self.things.iter().map(|(name, thing)| (*name, thing))
    }

    /// All of them.
    pub fn into_things(self) -> impl Iterator<Item = (Name, T)> {
        self.things.into_iter()
    }

    /// The same with other things.
    pub fn try_map<U, E>(
        self,
        mut each: impl FnMut(Name, T) -> Result<U, E>,
    ) -> Result<ByName<U>, E> {
        let things = self.things.into_iter();
        let things = things.map(|(name, thing)| Ok((name, each(name, thing)?)));
        Ok(ByName {
            things: things.collect::<Result<_, _>>()?,
            places: self.places,
        })
    }
}

/// A binding or a subscription of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bond {
    /// Who is bound to whom.
    pub pair: Pair,
    /// Where the file says so.
    pub place: Place,
}

/// What a file describes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// Blocks and devices.
    pub blocks: Blocks<'a>,
    /// In the order in which to make them: it gives each port its number.
    pub bindings: Vec<Bond>,
    /// Who gets whose events.
    pub subscriptions: Vec<Bond>,
}

impl Target<'_> {
    /// A binding or a subscription of a block that there is not, and the name of that.
    pub fn stray(&self) -> Option<(Bond, Name)> {
        let bonds = self.bindings.iter().chain(&self.subscriptions);
        let unknown = |name: &Name| self.blocks.place(*name).is_none();
        bonds.copied().find_map(|bond| {
            let name = [bond.pair.0, bond.pair.1].into_iter().find(unknown)?;
            Some((bond, name))
        })
    }

    /// Whether it has no block and no device.
    pub fn is_empty(&self) -> bool {
        self.blocks.iter().next().is_none()
    }
}

/// What runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Blocks and devices.
    pub blocks: Blocks<'static>,
    /// Those of one block side by side, in the order of its egress ports. The number counts those
    /// of one block on top of which they are in the order of its ingress ports.
    pub bindings: IndexMap<Pair, u32>,
    /// Who gets whose events.
    pub subscriptions: IndexSet<Pair>,
}

impl Running {
    /// Puts it together from the bindings as the upper blocks and as the lower blocks tell of them,
    /// each block's in the order of its ports. Nothing where they contradict each other.
    pub fn new(
        blocks: Blocks<'static>,
        egress: Vec<Pair>,
        ingress: &[Pair],
        subscriptions: IndexSet<Pair>,
    ) -> Option<Self> {
        if egress.len() != ingress.len() {
            return None;
        }
        let mut bindings: IndexMap<_, _> = egress.into_iter().map(|pair| (pair, 0)).collect();
        // From 1 on: 0 is who was not told of.
        for (number, pair) in (1..).zip(ingress) {
            let place = bindings.get_mut(pair)?;
            if *place != 0 {
                return None;
            }
            *place = number;
        }
        let known = |pair: &Pair| blocks.place(pair.0).and(blocks.place(pair.1)).is_some();
        let all = bindings.len() == ingress.len()
            && bindings.keys().all(known)
            && subscriptions.iter().all(known);
        all.then_some(Running {
            blocks,
            bindings,
            subscriptions,
        })
    }
}
