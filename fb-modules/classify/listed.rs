// SPDX-License-Identifier: GPL-2.0

//! Lists that rules can look addresses and ports up in.

use lana::prelude::*;

use super::{
    list::{self, Wanted},
    rule::{self, Range, Rule},
    List,
};
use address::{PrefixSet, Prefixes};
use headers::{Addresses, Parsed};

/// What a list is of. Each kind has numbers of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ports,
    Prefixes,
}

impl Kind {
    /// That of an option's name.
    pub(crate) fn of(key: &str) -> Option<Self> {
        match key.split_once('.') {
            Some(("ports", _)) => Some(Self::Ports),
            Some(("prefixes", _)) => Some(Self::Prefixes),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Prefixes => "prefixes",
        }
    }
}

/// A list, which rules name by its number.
pub(crate) struct Listed {
    pub(crate) kind: Kind,
    pub(crate) number: u16,
    /// How long its text is.
    size: usize,
    members: Members,
}

enum Members {
    Ports {
        ranges: List<Range>,
        bits: List<u64>,
    },
    Prefixes {
        set: PrefixSet,
        table: Prefixes<()>,
    },
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

/// Makes a set of what it has and another one has.
fn combine(words: &mut [u64], others: &[u64], with: impl Fn(u64, u64) -> u64) {
    for (word, other) in words.iter_mut().zip(others) {
        *word = with(*word, *other);
    }
}

/// As many can be named at once. More of them would be there twice.
const MOST_PORTS: usize = 1 << 16;

impl Members {
    /// Those that there are after a change. None if there are none.
    #[inline(never)]
    fn prefixes(
        key: &str,
        edit: Edit,
        old: Option<&PrefixSet>,
        text: &str,
    ) -> Result<Option<Self>, Failure> {
        let mut set = PrefixSet::new();
        for prefix in list::parse(text) {
            let prefix = prefix.map_err(|(part, bad)| {
                let part = part.escape_default();
                fail!(EINVAL, "{key}: '{part}' {bad}")
            })?;
            if edit == Edit::Remove && old.is_none_or(|old| !old.has(prefix)) {
                return Err(fail!(ENOENT, "{key}: '{prefix}' is not in the list"));
            }
            set.push(prefix, ())?;
        }
        // All have the same value.
        let _ = set.sort();
        let set = match (edit, old) {
            (Edit::Add, Some(old)) => old.with(&set)?,
            (Edit::Remove, Some(old)) => old.without(&set)?,
            _ => set,
        };
        if set.count() == 0 {
            return Ok(None);
        }
        let table = set.table()?;
        Ok(Some(Self::Prefixes { set, table }))
    }

    /// The same of ports.
    #[inline(never)]
    fn ports(
        key: &str,
        edit: Edit,
        old: Option<&[u64]>,
        text: &str,
    ) -> Result<Option<Self>, Failure> {
        let mut bits = List::from_elem(0, list::WORDS, GFP_KERNEL)?;
        for (count, range) in list::parse_ports(text).enumerate() {
            let range = range.map_err(|part| {
                let part = part.escape_default();
                fail!(EINVAL, "{key}: '{part}' is not PORT or FIRST-LAST")
            })?;
            if count == MOST_PORTS {
                return Err(fail!(ENOSPC, "{key}: more than {MOST_PORTS} ports"));
            }
            list::insert(&mut bits, range);
        }
        let old = old.unwrap_or_default();
        if edit == Edit::Remove {
            let mut missing = List::from_elem(0, list::WORDS, GFP_KERNEL)?;
            combine(&mut missing, &bits, |_, listed| listed);
            combine(&mut missing, old, |listed, old| listed & !old);
            let missing = list::ranges(&missing).next();
            if let Some((first, last)) = missing {
                let range = rule::Span(first, last);
                return Err(fail!(ENOENT, "{key}: '{range}' is not in the list"));
            }
        }
        match edit {
            Edit::Set => (),
            Edit::Add => combine(&mut bits, old, |listed, old| listed | old),
            Edit::Remove => combine(&mut bits, old, |listed, old| old & !listed),
        }
        let mut ranges = List::new();
        for range in list::ranges(&bits) {
            ranges.push(range, GFP_KERNEL)?;
        }
        Ok((!ranges.is_empty()).then_some(Self::Ports { ranges, bits }))
    }
}

impl Listed {
    /// The list that one becomes. None if nothing is in it.
    pub(crate) fn edited(
        key: &str,
        (kind, number): (Kind, u16),
        edit: Edit,
        old: Option<&Self>,
        text: &str,
    ) -> Result<Option<Self>, Failure> {
        let old = old.map(|old| &old.members);
        let members = match (kind, old) {
            (Kind::Ports, Some(Members::Ports { bits, .. })) => {
                Members::ports(key, edit, Some(bits), text)
            }
            (Kind::Ports, _) => Members::ports(key, edit, None, text),
            (Kind::Prefixes, Some(Members::Prefixes { set, .. })) => {
                Members::prefixes(key, edit, Some(set), text)
            }
            (Kind::Prefixes, _) => Members::prefixes(key, edit, None, text),
        };
        let Some(members) = members? else {
            return Ok(None);
        };
        let mut list = Self {
            kind,
            number,
            size: 0,
            members,
        };
        list.size = list.measure();
        Ok(Some(list))
    }

    #[inline]
    fn has_address(&self, addresses: Addresses, is_source: bool) -> bool {
        let Members::Prefixes { table, .. } = &self.members else {
            return false;
        };
        match addresses {
            Addresses::None => false,
            Addresses::V4(source, destination) => {
                let address = if is_source { source } else { destination };
                table.find_v4(address).is_some()
            }
            Addresses::V6(source, destination) => {
                let address = if is_source { source } else { destination };
                table.find_v6(address).is_some()
            }
        }
    }

    #[inline]
    fn has_port(&self, port: u16) -> bool {
        match &self.members {
            Members::Ports { bits, .. } => list::has(bits, port),
            Members::Prefixes { .. } => false,
        }
    }
}

impl Elements for Listed {
    fn count(&self) -> usize {
        match &self.members {
            Members::Ports { ranges, .. } => ranges.len(),
            Members::Prefixes { set, .. } => set.count(),
        }
    }

    fn size(&self) -> usize {
        self.size
    }

    fn write(&self, number: usize, to: &mut dyn fmt::Write) -> fmt::Result {
        match &self.members {
            Members::Ports { ranges, .. } => match ranges.get(number) {
                Some(&(first, last)) => write!(to, "{}", rule::Span(first, last)),
                None => Err(fmt::Error),
            },
            Members::Prefixes { set, .. } => match set.get(number) {
                Some((prefix, ())) => write!(to, "{prefix}"),
                None => Err(fmt::Error),
            },
        }
    }
}

/// What a rule says by the number of a list.
#[derive(Clone)]
enum Named {
    Nothing,
    /// There is no such list, so nothing is in it.
    Empty,
    List(Arc<Listed>),
}

impl Named {
    fn find(number: Option<u16>, kind: Kind, lists: &[Arc<Listed>]) -> Self {
        let Some(number) = number else {
            return Self::Nothing;
        };
        let id = (kind, number);
        let list = lists.iter().find(|list| (list.kind, list.number) == id);
        list.map_or(Self::Empty, |list| Self::List(list.clone()))
    }

    #[inline]
    fn allows(&self, is_in: impl FnOnce(&Listed) -> bool) -> bool {
        match self {
            Self::Nothing => true,
            Self::Empty => false,
            Self::List(list) => is_in(list),
        }
    }
}

/// The lists that a rule names.
#[derive(Clone)]
pub(crate) struct Names {
    /// Whether there is any.
    any: bool,
    addresses: [Named; 2],
    ports: [Named; 2],
}

impl Names {
    pub(crate) const NONE: Self = Self {
        any: false,
        addresses: [const { Named::Nothing }; 2],
        ports: [const { Named::Nothing }; 2],
    };

    pub(crate) fn find(rule: &Rule, lists: &[Arc<Listed>]) -> Self {
        let [sport, dport] = [rule.sport, rule.dport].map(|one| one.and_then(Wanted::list));
        let [src, dst] = [rule.src, rule.dst].map(|one| one.and_then(Wanted::list));
        Self {
            any: [src, dst, sport, dport].iter().any(Option::is_some),
            addresses: [src, dst].map(|list| Named::find(list, Kind::Prefixes, lists)),
            ports: [sport, dport].map(|list| Named::find(list, Kind::Ports, lists)),
        }
    }

    /// Whether what the headers have is in the lists.
    #[inline]
    pub(crate) fn allow(&self, packet: &Parsed) -> bool {
        !self.any || self.have(packet)
    }

    fn have(&self, packet: &Parsed) -> bool {
        let [source, destination] = &self.addresses;
        let [sport, dport] = &self.ports;
        let ports = packet.ports;
        source.allows(|list| list.has_address(packet.addresses, true))
            && destination.allows(|list| list.has_address(packet.addresses, false))
            && dport.allows(|list| ports.is_some_and(|(_, port)| list.has_port(port)))
            && sport.allows(|list| ports.is_some_and(|(port, _)| list.has_port(port)))
    }
}
