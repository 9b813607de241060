// SPDX-License-Identifier: GPL-2.0

//! What lanad has to know when it is started again: which rules held, and whether somebody holds the graph. A file, which is
//! replaced whole, so it is either the old one or the new one wherever lanad is killed.

use crate::channel::Kept;
use anyhow::{Context, Result};
use lana_cli::{history, usage};
use lana_netlink::errno_text;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Of each rule, whether it holds.
    #[serde(default)]
    pub rules: BTreeMap<String, bool>,
    /// Who holds the graph.
    #[serde(default)]
    pub hold: Option<Hold>,
    /// Channels, by name.
    #[serde(default)]
    pub channels: BTreeMap<String, Kept>,
}

/// The graph is not to be repaired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Until when, in microseconds since 1970.
    pub until: Option<u64>,
    /// Why.
    pub why: String,
}

impl State {
    /// How long somebody still holds the graph, if that ends by itself.
    pub fn held_for(&self) -> Option<Duration> {
        let until = self.hold.as_ref()?.until?;
        Some(Duration::from_micros(until.saturating_sub(history::now())))
    }

    /// Whether somebody has held the graph, and that has ended by itself.
    pub fn ends_hold(&mut self) -> bool {
        let ends = self.hold.is_some() && !self.is_held();
        if ends {
            self.hold = None;
        }
        ends
    }

    /// Whether somebody holds the graph now.
    pub fn is_held(&self) -> bool {
        let over = |hold: &Hold| hold.until.is_some_and(|until| until <= history::now());
        self.hold.as_ref().is_some_and(|hold| !over(hold))
    }
}

/// Where it is.
#[derive(Debug, Clone)]
pub struct Store(PathBuf);

impl Store {
    /// In this folder, which is made if it is not there.
    pub fn open(folder: &Path) -> Result<Self> {
        let made = fs::create_dir_all(folder).map_err(|error| usage(errno_text(&error)));
        made.with_context(|| folder.display().to_string())?;
        Ok(Store(folder.join("lanad.state")))
    }

    /// What was kept. Nothing if there is no file, or one that nobody can read.
    pub fn read(&self) -> State {
        let bytes = fs::read(&self.0).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps something else.
    pub fn write(&self, state: &State) -> Result<()> {
        let beside = self.0.with_extension("new");
        let write = || -> std::io::Result<()> {
            fs::write(&beside, serde_json::to_vec(state)?)?;
            fs::rename(&beside, &self.0)
        };
        let done = write().map_err(|error| usage(errno_text(&error)));
        done.with_context(|| self.0.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back() {
        let folder = std::env::temp_dir().join(format!("lanad-state-{}", std::process::id()));
        let store = Store::open(&folder).unwrap();
        assert_eq!(store.read(), State::default());
        let hold = Hold {
            until: Some(1),
            why: "x".into(),
        };
        let state = State {
            rules: [("a".to_owned(), true)].into(),
            hold: Some(hold),
            ..State::default()
        };
        store.write(&state).unwrap();
        assert_eq!(store.read(), state);
        assert!(!state.is_held(), "1970 is over");
        assert_eq!(state.held_for(), Some(Duration::ZERO));
        let mut state = state;
        assert!(state.ends_hold());
        assert!(!state.ends_hold(), "it has ended");
        fs::write(folder.join("lanad.state"), b"{").unwrap();
        assert_eq!(store.read(), State::default());
        fs::remove_dir_all(folder).unwrap();
    }
}
