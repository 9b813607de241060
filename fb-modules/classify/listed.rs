// SPDX-License-Identifier: GPL-2.0

//! Lists that rules can look addresses up in.

use lana::prelude::*;

use super::list::{self, Place};
use address::{PrefixSet, Prefixes};
use headers::Addresses;

/// A list of prefixes, which rules name by its number.
pub(crate) struct Listed {
    pub(crate) number: u16,
    prefixes: PrefixSet,
    /// How long their text is.
    size: usize,
    table: Prefixes<()>,
}

/// What becomes of a list.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Edit {
    Set,
    Add,
    Remove,
}

impl Edit {
    /// Takes a key such as `prefixes.3+` apart.
    pub(crate) fn of(key: &str) -> (Self, &str) {
        match (key.strip_suffix('+'), key.strip_suffix('-')) {
            (Some(list), _) => (Self::Add, list),
            (_, Some(list)) => (Self::Remove, list),
            _ => (Self::Set, key),
        }
    }
}

impl Listed {
    /// The list that one becomes. None if it has no prefixes.
    #[inline(never)]
    pub(crate) fn edited(
        key: &str,
        number: u16,
        edit: Edit,
        old: Option<&Self>,
        text: &str,
    ) -> Result<Option<Self>, Failure> {
        let mut prefixes = PrefixSet::new();
        for prefix in list::parse(text) {
            let prefix = prefix.map_err(|(part, bad)| {
                let part = part.escape_default();
                fail!(EINVAL, "{key}: '{part}' {bad}")
            })?;
            let is_missing = || old.is_none_or(|old| !old.prefixes.has(prefix));
            if edit == Edit::Remove && is_missing() {
                return Err(fail!(ENOENT, "{key}: '{prefix}' is not in the list"));
            }
            prefixes.push(prefix, ())?;
        }
        // All have the same value.
        let _ = prefixes.sort();
        let prefixes = match (edit, old) {
            (Edit::Add, Some(old)) => old.prefixes.with(&prefixes)?,
            (Edit::Remove, Some(old)) => old.prefixes.without(&prefixes)?,
            _ => prefixes,
        };
        if prefixes.count() == 0 {
            return Ok(None);
        }
        let table = prefixes.table()?;
        let mut list = Self {
            number,
            prefixes,
            size: 0,
            table,
        };
        list.size = list.measure();
        Ok(Some(list))
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

impl Elements for Listed {
    fn count(&self) -> usize {
        self.prefixes.count()
    }

    fn size(&self) -> usize {
        self.size
    }

    fn write(&self, number: usize, to: &mut dyn fmt::Write) -> fmt::Result {
        match self.prefixes.get(number) {
            Some((prefix, ())) => write!(to, "{prefix}"),
            None => Err(fmt::Error),
        }
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
