// SPDX-License-Identifier: GPL-2.0

//! The routes: those that have a number each, and a list of any length. Both lead to hops, of which there are few.

use lana::prelude::*;

use super::{
    ports::{self, Hop},
    rule::{self, Rule, To},
    List,
};
use address::{Prefix, PrefixSet, Prefixes};

/// The most routes that have numbers.
const ROUTES: usize = 1024;
/// The most different places that routes lead to.
const HOPS: usize = 2048;

/// What is set, and what packets look up in. The values are places of hops.
pub(crate) struct Routes {
    pub(crate) numbered: List<Numbered>,
    listed: Arc<Listed>,
    pub(crate) table: Prefixes<u16>,
}

/// A route with a number.
#[derive(Clone, Copy)]
pub(crate) struct Numbered {
    pub(crate) number: u16,
    pub(crate) rule: Rule,
}

/// The list.
struct Listed {
    routes: PrefixSet<u16>,
    /// How long its text is.
    size: usize,
}

/// What becomes of the list.
#[derive(Clone, Copy)]
pub(crate) enum Edit {
    Set,
    Add,
    Remove,
}

/// Finds a hop, or makes one. None without room.
fn hop_to(hops: &mut List<Hop>, to: To) -> Result<Option<u16>> {
    if let Some(found) = hops.iter().position(|hop| hop.to == Some(to)) {
        return Ok(Some(found as u16));
    }
    let (hop, free) = (
        Hop {
            to: Some(to),
            router: None,
        },
        hops.iter().position(|hop| hop.to.is_none()),
    );
    if let Some(place) = free.and_then(|free| hops.get_mut(free)) {
        *place = hop;
        return Ok(free.map(|free| free as u16));
    }
    let number = hops.len();
    if number >= HOPS {
        return Ok(None);
    }
    hops.push(hop, GFP_KERNEL)?;
    Ok(Some(number as u16))
}

fn no_room(key: &str) -> Failure {
    fail!(ENOSPC, "{key}: more than {HOPS} different next hops")
}

/// Refuses what no router can have.
fn check(key: &str, rule: &Rule) -> Result<(), Failure> {
    match rule.to {
        To::Port(_, Some(via)) if !NextHop::is_station(&ports::ip(via)) => {
            Err(fail!(EINVAL, "{key}: {via} is not the address of a router"))
        }
        _ => Ok(()),
    }
}

impl Routes {
    pub(crate) fn new() -> Result<Self> {
        let listed = Listed {
            routes: PrefixSet::new(),
            size: 0,
        };
        Ok(Self {
            numbered: List::new(),
            listed: Arc::new(listed, GFP_KERNEL)?,
            table: Prefixes::new(&mut [])?,
        })
    }

    /// These with another route of a number, or without it.
    pub(crate) fn with_route(
        &self,
        key: &str,
        text: &str,
        hops: &mut List<Hop>,
    ) -> Result<Self, Failure> {
        let number = rule::number_of(key);
        let number = number.ok_or_else(|| fail!(EINVAL, "{key}: numbers are from 0 to 65535"))?;
        let rule = match text {
            "" => None,
            text => Some(Rule::parse(text).map_err(|bad| fail!(EINVAL, "{key}: {bad}"))?),
        };
        let mut numbered = List::with_capacity(self.numbered.len().saturating_add(1), GFP_KERNEL)?;
        let others = self.numbered.iter().filter(|one| one.number != number);
        for one in others {
            numbered.push(*one, GFP_KERNEL)?;
        }
        if let Some(rule) = rule {
            let mut others = numbered.iter();
            if let Some(other) = others.find(|other| other.rule.prefix == rule.prefix) {
                let (prefix, other) = (rule.prefix, other.number);
                return Err(fail!(EEXIST, "{key}: route.{other} is for {prefix}, too"));
            }
            check(key, &rule)?;
            if numbered.len() >= ROUTES {
                return Err(fail!(
                    ENOSPC,
                    "{key}: more than {ROUTES} routes with numbers"
                ));
            }
            let at = numbered.partition_point(|one| one.number < number);
            numbered
                .insert_within_capacity(at, Numbered { number, rule })
                .map_err(|_| ENOMEM)?;
        }
        Self::of(key, numbered, self.listed.clone(), hops)
    }

    /// These with another list.
    pub(crate) fn with_list(
        &self,
        key: &str,
        edit: Edit,
        text: &str,
        hops: &mut List<Hop>,
    ) -> Result<Self, Failure> {
        let old = &self.listed.routes;
        let routes = match edit {
            Edit::Set => read(key, text, hops)?,
            Edit::Add => old.with(&read(key, text, hops)?)?,
            Edit::Remove => old.without(&read_prefixes(key, text, old)?)?,
        };
        let mut listed = Listed { routes, size: 0 };
        listed.size = Shown(&listed, hops).measure();
        let mut numbered = List::with_capacity(self.numbered.len(), GFP_KERNEL)?;
        for one in &self.numbered {
            numbered.push(*one, GFP_KERNEL)?;
        }
        Self::of(key, numbered, Arc::new(listed, GFP_KERNEL)?, hops)
    }

    /// Makes the table, and frees hops that no route leads to any more.
    fn of(
        key: &str,
        numbered: List<Numbered>,
        listed: Arc<Listed>,
        hops: &mut List<Hop>,
    ) -> Result<Self, Failure> {
        let mut own = PrefixSet::new();
        for Numbered { rule, .. } in &numbered {
            let place = hop_to(hops, rule.to)?.ok_or_else(|| no_room(key))?;
            own.push(rule.prefix, place)?;
        }
        own.sort().map_err(|_| EEXIST)?;
        let mut used = List::with_capacity(hops.len(), GFP_KERNEL)?;
        for _ in hops.iter() {
            used.push(false, GFP_KERNEL)?;
        }
        for (_, place) in Iterator::chain(own.iter(), listed.routes.iter()) {
            if let Some(used) = used.get_mut(usize::from(place)) {
                *used = true;
            }
        }
        for (hop, _) in hops.iter_mut().zip(&used).filter(|(_, used)| !**used) {
            (hop.to, hop.router) = (None, None);
        }
        // Of a prefix that has both, the route with the number counts.
        let table = match listed.routes.count() {
            0 => own.table()?,
            _ => listed.routes.with(&own)?.table()?,
        };
        Ok(Self {
            numbered,
            listed,
            table,
        })
    }

    /// Shows the list.
    pub(crate) fn put_list(&self, key: &str, hops: &[Hop], to: &mut dyn Options) {
        if self.listed.routes.count() > 0 {
            to.put_list(key, &Shown(&self.listed, hops));
        }
    }
}

/// Reads a list of routes.
fn read(key: &str, text: &str, hops: &mut List<Hop>) -> Result<PrefixSet<u16>, Failure> {
    let mut routes = PrefixSet::new();
    for part in rule::parts(text) {
        let rule = Rule::parse(part).map_err(|bad| match bad {
            rule::Bad::Form => {
                let end = part.char_indices().nth(24).map_or(part.len(), |(at, _)| at);
                let part = part.get(..end).unwrap_or_default().escape_default();
                fail!(
                    EINVAL,
                    "{key}: '{part}' is not PREFIX [via ADDRESS] -> PORT"
                )
            }
            bad => fail!(EINVAL, "{key}: {bad}"),
        })?;
        check(key, &rule)?;
        let place = hop_to(hops, rule.to)?.ok_or_else(|| no_room(key))?;
        routes.push(rule.prefix, place)?;
    }
    let twice = |prefix| fail!(EEXIST, "{key}: there are two routes for {prefix}");
    routes.sort().map_err(twice)?;
    Ok(routes)
}

/// Reads a list of prefixes, of which each has a route.
fn read_prefixes(key: &str, text: &str, of: &PrefixSet<u16>) -> Result<PrefixSet, Failure> {
    let mut prefixes = PrefixSet::new();
    for part in rule::parts(text).flat_map(str::split_whitespace) {
        let prefix = Prefix::parse(part).map_err(|bad| {
            let part = part.escape_default();
            fail!(EINVAL, "{key}: '{part}' {bad}")
        })?;
        if !of.has(prefix) {
            return Err(fail!(ENOENT, "{key}: '{prefix}' is not in the list"));
        }
        prefixes.push(prefix, ())?;
    }
    // All have the same value.
    let _ = prefixes.sort();
    Ok(prefixes)
}

/// The list as it is shown.
struct Shown<'a>(&'a Listed, &'a [Hop]);

impl Elements for Shown<'_> {
    fn count(&self) -> usize {
        self.0.routes.count()
    }

    fn size(&self) -> usize {
        self.0.size
    }

    fn write(&self, number: usize, to: &mut dyn fmt::Write) -> fmt::Result {
        let Some((prefix, place)) = self.0.routes.get(number) else {
            return Err(fmt::Error);
        };
        let hop = self.1.get(usize::from(place)).and_then(|hop| hop.to);
        match hop {
            Some(hop) => write!(to, "{prefix} {hop}"),
            None => Err(fmt::Error),
        }
    }
}
