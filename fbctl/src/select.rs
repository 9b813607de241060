// SPDX-License-Identifier: GPL-2.0

//! Which blocks a command is about: names, and filters such as `type=bpf`.

use crate::types;
use anyhow::Result;
use lana_cli::{usage, Session};
use lana_netlink::{Connection, Error, Fb};
use std::{collections::HashSet, convert::Infallible, str::FromStr};

/// A word of the command line that says which blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The block of this name; in `top`, those whose names have this part.
    Name(String),
    /// Those of this type.
    Type(String),
    /// Those that are bound to this block, above it or below.
    BoundTo(String),
}

impl FromStr for Wanted {
    type Err = Infallible;

    // A block's name can have any sign, so whatever is no filter is a name.
    fn from_str(word: &str) -> Result<Self, Infallible> {
        let value = |key| word.strip_prefix(key).map(str::to_owned);
        Ok(if let Some(kind) = value("type=") {
            Wanted::Type(kind)
        } else if let Some(name) = value("bound-to=") {
            Wanted::BoundTo(name)
        } else {
            Wanted::Name(word.to_owned())
        })
    }
}

impl Wanted {
    /// As the user has written it.
    pub(crate) fn text(&self) -> String {
        match self {
            Wanted::Name(name) => name.clone(),
            Wanted::Type(kind) => format!("type={kind}"),
            Wanted::BoundTo(name) => format!("bound-to={name}"),
        }
    }
}

/// What the words select: a block that has one of the names, and one of the types, and is bound to one of the
/// blocks; of what there are words for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) names: Vec<String>,
    types: Vec<String>,
    bound_to: Vec<String>,
}

impl Selection {
    pub(crate) fn new(words: &[Wanted]) -> Self {
        let mut selection = Selection::default();
        for word in words {
            let (to, text) = match word {
                Wanted::Name(name) => (&mut selection.names, name),
                Wanted::Type(kind) => (&mut selection.types, kind),
                Wanted::BoundTo(name) => (&mut selection.bound_to, name),
            };
            if !to.contains(text) {
                to.push(text.clone());
            }
        }
        selection
    }

    /// From words that blanks part.
    pub(crate) fn parse(text: &str) -> Self {
        let words = text.split_whitespace().map(str::parse);
        Self::new(&words.flatten().collect::<Vec<_>>())
    }

    /// The words again.
    pub(crate) fn text(&self) -> String {
        let filters = |key, values: &[String]| -> Vec<String> {
            values
                .iter()
                .map(|value| format!("{key}={value}"))
                .collect()
        };
        let filters = [
            filters("type", &self.types),
            filters("bound-to", &self.bound_to),
        ];
        [self.names.clone(), filters.concat()].concat().join(" ")
    }

    pub(crate) fn is_all(&self) -> bool {
        *self == Selection::default()
    }

    fn has_filters(&self) -> bool {
        !self.types.is_empty() || !self.bound_to.is_empty()
    }

    /// Whether its filters let a block pass. `peers` are what the blocks of `bound-to=` are bound to.
    pub(crate) fn passes(&self, name: &str, kind: &str, peers: &HashSet<String>) -> bool {
        (self.types.is_empty() || self.types.iter().any(|one| one == kind))
            && (self.bound_to.is_empty() || peers.contains(name))
    }

    /// What the blocks of `bound-to=` are bound to. A block's own ports tell all of it, however many there are.
    pub(crate) fn peers(&self, lana: &mut Connection) -> Result<HashSet<String>, Error> {
        let mut peers = HashSet::new();
        for name in &self.bound_to {
            let fb = lana.fb(name)?;
            peers.extend(fb.port.into_iter().filter_map(|port| port.peer_name));
        }
        Ok(peers)
    }

    /// Whether there are such types.
    pub(crate) fn check_types(&self, session: &mut Session) -> Result<()> {
        if self.types.is_empty() {
            return Ok(());
        }
        let known: Vec<_> = types::all(session)?
            .into_iter()
            .filter_map(|kind| kind.name)
            .collect();
        match self.types.iter().find(|kind| !known.contains(kind)) {
            Some(kind) => Err(types::unknown(kind, &known)),
            None => Ok(()),
        }
    }

    /// The blocks: those with names in the order of these, all others by IDP.
    pub(crate) fn blocks(&self, session: &mut Session) -> Result<Vec<Fb>> {
        self.check_types(session)?;
        let mut fbs = Vec::new();
        for name in &self.names {
            fbs.push(
                session
                    .lana()?
                    .fb(name)
                    .map_err(|error| about(name, error))?,
            );
        }
        if self.names.is_empty() {
            fbs = session.all(Connection::fbs)?;
        }
        if self.has_filters() {
            let peers = self.peers(session.lana()?)?;
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            fbs.retain(|fb| self.passes(&text(&fb.name), &text(&fb.r#type), &peers));
        }
        Ok(fbs)
    }
}

/// Where a name looks like a filter, and no block is called so, it was meant to be one.
pub(crate) fn about(name: &str, error: Error) -> anyhow::Error {
    match name.split_once('=') {
        Some((key, _)) if matches!(error, Error::Refused(_)) => usage(format!(
            "'{key}=' is no filter, and no block is called '{name}'; the filters are type=TYPE and bound-to=NAME"
        )),
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(words: &str) -> Selection {
        let selection = Selection::parse(words);
        assert_eq!(Selection::parse(&selection.text()), selection);
        selection
    }

    #[test]
    fn words_are_names_or_filters() {
        let all = selection("a type=bpf x=y type=tee bound-to=a a");
        assert_eq!(all.names, ["a", "x=y"]);
        assert_eq!(all.types, ["bpf", "tee"]);
        assert_eq!(all.bound_to, ["a"]);
        assert!(selection("").is_all() && !all.is_all());
    }

    #[test]
    fn filters_of_a_kind_add_up_and_of_two_kinds_narrow() {
        let peers: HashSet<_> = ["f".to_owned(), "g".to_owned()].into();
        let passes = |words, name, kind| selection(words).passes(name, kind, &peers);
        assert!(passes("", "x", "bpf"));
        assert!(passes("type=bpf type=tee", "x", "tee"));
        assert!(!passes("type=bpf type=tee", "x", "counter"));
        assert!(passes("bound-to=t", "f", "bpf"));
        assert!(!passes("bound-to=t", "x", "bpf"));
        assert!(!passes("bound-to=t type=tee", "f", "bpf"));
    }

    #[test]
    fn what_looks_like_a_filter_is_told() {
        let text = about("typ=bpf", refused()).to_string();
        assert!(text.starts_with("'typ=' is no filter"), "{text}");
        assert_eq!(about("q", refused()).to_string(), "no block");
    }

    fn refused() -> Error {
        let refusal = lana_netlink::Refusal {
            errno: 2,
            message: Some("no block".into()),
            attribute: None,
            missing: None,
            accepts: None,
            change: None,
            advice: None,
        };
        refusal.into()
    }
}
