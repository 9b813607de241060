// SPDX-License-Identifier: GPL-2.0

//! The tables of a file, what their keys stand for, and when a table may be spoken of again.

use super::key;
use crate::model::{Bond, ByName, Name, Names, Place, Setting};

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Root,
    Blocks,
    Devices,
    /// A block or device, by its number among all of them.
    Item(usize),
    /// Its options.
    Options(usize),
}

/// An array of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Bindings,
    Subscriptions,
}

impl List {
    /// What the pairs of it are.
    pub(super) fn form(self) -> &'static str {
        match self {
            List::Bindings => "[UPPER, LOWER]",
            List::Subscriptions => "[SUBSCRIBER, PUBLISHER]",
        }
    }
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Table(Table),
    List(List),
    /// A string of a block or device.
    Text(usize, Text),
    /// The id of a device.
    Id(usize),
    /// Whether native XDP is to be used for a device.
    Xdp(usize),
}

/// What is wrong where something else stands; without a key it is a name that is wanted.
pub(super) fn wanted(slot: Option<Slot>) -> String {
    match slot {
        Some(Slot::Table(_)) => "a table is wanted here".to_owned(),
        Some(Slot::List(list)) => format!("an array of {} is wanted here", list.form()),
        Some(Slot::Id(_)) => "an integer from 0 to 255 is wanted here".to_owned(),
        Some(Slot::Xdp(_)) => "true or false is wanted here".to_owned(),
        Some(Slot::Text(..)) | None => "a string is wanted here".to_owned(),
    }
}

/// What a string is, of a block or device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// The type of a block, or the subsystem of a device.
    Kind,
    Ifname,
    Carrier,
    /// An option's value.
    Value(Name),
}

/// How a table came to be. It can be defined once; TOML says by what means it can be added to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Origin {
    /// Not yet.
    #[default]
    None,
    /// On the way to a table inside of it.
    Implied,
    /// On the way to a key inside of it.
    Dotted,
    /// By a header.
    Header,
    /// In braces.
    Inline,
}

/// The value of [`key::XDP`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Xdp {
    pub(super) on: bool,
    pub(super) place: Place,
}

/// A block or device, as far as it has been read.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) device: bool,
    pub(super) place: Place,
    /// The type or the subsystem.
    pub(super) kind: Option<Name>,
    pub(super) ifname: Option<Name>,
    pub(super) carrier: Option<Name>,
    pub(super) id: Option<u8>,
    pub(super) xdp: Option<Xdp>,
    pub(super) settings: Vec<Setting<'a>>,
    origin: Origin,
    options: Origin,
}

/// What has been read.
#[derive(Debug, Default)]
pub(super) struct Drafts<'a> {
    pub(super) items: ByName<Draft<'a>>,
    pub(super) bindings: Option<Vec<Bond>>,
    pub(super) subscriptions: Option<Vec<Bond>>,
    blocks: Origin,
    devices: Origin,
}

const AGAIN: &str = "it is defined already";

impl Drafts<'_> {
    /// What a key of a table stands for.
    pub(super) fn slot(
        &mut self,
        table: Table,
        text: &str,
        place: Place,
        names: &mut Names,
    ) -> Result<Slot, String> {
        let unknown =
            |known: &[&str]| Err(format!("unknown key '{text}': not {}", known.join(", ")));
        match table {
            Table::Root => match text {
                key::BLOCKS => Ok(Slot::Table(Table::Blocks)),
                key::DEVICES => Ok(Slot::Table(Table::Devices)),
                key::BINDINGS => Ok(Slot::List(List::Bindings)),
                key::SUBSCRIPTIONS => Ok(Slot::List(List::Subscriptions)),
                _ => unknown(&[key::BINDINGS, key::SUBSCRIPTIONS, key::DEVICES, key::BLOCKS]),
            },
            Table::Blocks | Table::Devices => {
                let device = table == Table::Devices;
                let new = || Draft::new(device, place);
                let item = self.items.enter(names.name(text), new);
                if self.is_device(item) != device {
                    return Err(format!("'{text}' is both a block and a device"));
                }
                Ok(Slot::Table(Table::Item(item)))
            }
            Table::Item(item) => match (self.is_device(item), text) {
                (_, key::OPTIONS) => Ok(Slot::Table(Table::Options(item))),
                (false, key::TYPE) | (true, key::SUBSYSTEM) => Ok(Slot::Text(item, Text::Kind)),
                (true, key::IFNAME) => Ok(Slot::Text(item, Text::Ifname)),
                (true, key::CARRIER) => Ok(Slot::Text(item, Text::Carrier)),
                (true, key::ID) => Ok(Slot::Id(item)),
                (true, key::XDP) => Ok(Slot::Xdp(item)),
                (false, _) => unknown(&[key::TYPE, key::OPTIONS]),
                (true, _) => unknown(&[
                    key::SUBSYSTEM,
                    key::IFNAME,
                    key::CARRIER,
                    key::ID,
                    key::XDP,
                    key::OPTIONS,
                ]),
            },
            Table::Options(item) => Ok(Slot::Text(item, Text::Value(names.name(text)))),
        }
    }

    fn is_device(&mut self, item: usize) -> bool {
        self.items.at(item).is_some_and(|draft| draft.device)
    }

    fn origin(&mut self, table: Table) -> Option<&mut Origin> {
        match table {
            Table::Root => None,
            Table::Blocks => Some(&mut self.blocks),
            Table::Devices => Some(&mut self.devices),
            Table::Item(item) => self.items.at(item).map(|draft| &mut draft.origin),
            Table::Options(item) => self.items.at(item).map(|draft| &mut draft.options),
        }
    }

    /// A table comes to be as `origin` says, if it may.
    pub(super) fn define(&mut self, table: Table, origin: Origin) -> Result<(), String> {
        let Some(present) = self.origin(table) else {
            return Ok(());
        };
        *present = match (origin, *present) {
            (Origin::Implied, Origin::None) => Origin::Implied,
            (Origin::Implied, Origin::Implied | Origin::Dotted | Origin::Header) => return Ok(()),
            (Origin::Header, Origin::None | Origin::Implied) => Origin::Header,
            (Origin::Dotted, Origin::None | Origin::Implied | Origin::Dotted) => Origin::Dotted,
            (Origin::Inline, Origin::None) => Origin::Inline,
            _ => return Err(AGAIN.to_owned()),
        };
        Ok(())
    }
}

/// A key that stands for no table gets its value.
pub(super) fn set<T>(present: &mut Option<T>, value: T) -> Result<(), String> {
    if present.is_some() {
        return Err(AGAIN.to_owned());
    }
    *present = Some(value);
    Ok(())
}

impl<'a> Draft<'a> {
    fn new(device: bool, place: Place) -> Self {
        Draft {
            device,
            place,
            kind: None,
            ifname: None,
            carrier: None,
            id: None,
            xdp: None,
            settings: Vec::new(),
            origin: Origin::None,
            options: Origin::None,
        }
    }

    /// An option gets its value.
    pub(super) fn configure(&mut self, setting: Setting<'a>) -> Result<(), String> {
        if self.settings.iter().any(|other| other.key == setting.key) {
            return Err(AGAIN.to_owned());
        }
        self.settings.push(setting);
        Ok(())
    }
}
