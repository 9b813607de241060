// SPDX-License-Identifier: GPL-2.0

//! Lists that rules can look addresses up in.

use lana::prelude::*;

use super::{
    list::{self, Place},
    List,
};
use address::{Prefix, Prefixes};
use headers::Addresses;

/// A list of prefixes, which rules name by its number.
pub(crate) struct Listed {
    pub(crate) number: u16,
    /// In order.
    prefixes: List<(Prefix, ())>,
    table: Prefixes<()>,
}

impl Listed {
    pub(crate) fn parse(key: &str, number: u16, text: &str) -> Result<Self, Failure> {
        let mut prefixes = List::new();
        for prefix in list::parse(text) {
            let prefix = prefix.map_err(|(part, bad)| {
                let part = part.escape_default();
                fail!(EINVAL, "{key}: '{part}' {bad}")
            })?;
            prefixes.push((prefix, ()), GFP_KERNEL)?;
        }
        let table = Prefixes::new(&mut prefixes)?;
        let mut last = None;
        prefixes.retain(|(prefix, ())| last.replace(*prefix) != Some(*prefix));
        Ok(Self {
            number,
            prefixes,
            table,
        })
    }

    #[inline]
    fn has(&self, addresses: Addresses, is_source: bool) -> bool {
        match addresses {
            Addresses::None => false,
            Addresses::V4(source, destination) => {
                let address = if is_source { source } else { destination };
                self.table.find_v4(address).is_some()
            }
            Addresses::V6(source, destination) => {
                let address = if is_source { source } else { destination };
                self.table.find_v6(address).is_some()
            }
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (prefix, ()) in &self.prefixes {
            write!(f, "{comma}{prefix}")?;
            comma = ",";
        }
        Ok(())
    }
}

/// What a rule says of an address by the number of a list.
#[derive(Clone)]
pub(crate) enum Named {
    Nothing,
    /// There is no such list, so no address is in it.
    Empty,
    List(Arc<Listed>),
}

impl Named {
    pub(crate) fn find(place: Option<Place>, lists: &[Arc<Listed>]) -> Self {
        let Some(number) = place.and_then(Place::list) else {
            return Self::Nothing;
        };
        let list = lists.iter().find(|list| list.number == number);
        list.map_or(Self::Empty, |list| Self::List(list.clone()))
    }

    #[inline]
    pub(crate) fn allows(&self, addresses: Addresses, is_source: bool) -> bool {
        match self {
            Self::Nothing => true,
            Self::Empty => false,
            Self::List(list) => list.has(addresses, is_source),
        }
    }
}
