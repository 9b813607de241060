// SPDX-License-Identifier: GPL-2.0

//! A graph in several files, as in `/etc/lana`: each is a part of it, with blocks and bindings of its own.

use crate::{
    diff::{changes, Change},
    document::{self, Mistake},
    expression,
    model::{Names, Place, Target},
    running,
};
use anyhow::{Context, Result};
use lana_cli::{usage, without_bom};
use lana_netlink::{errno_text, Connection};
use std::{
    fs, io, mem,
    path::{Path, PathBuf},
};

/// A file.
#[derive(Debug)]
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// What `bytes` say. A byte order mark at the beginning is left out.
    pub fn new(name: String, bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = bytes.iter().take(error.valid_up_to());
            let line = 1 + good.filter(|&&byte| byte == b'\n').count();
            let text = "it is not UTF-8".to_owned();
            Mistake { line, text }.of(&name)
        })?;
        let text = without_bom(text).to_owned();
        Ok(Source { name, text })
    }
}

/// Reads a file, or all files of a folder.
pub fn sources(path: &Path) -> Result<Vec<Source>> {
    let wrong = |error: io::Error| usage(errno_text(&error));
    let name = || path.display().to_string();
    if !path.is_dir() {
        let bytes = fs::read(path).map_err(wrong).with_context(name)?;
        return Ok(vec![Source::new(name(), &bytes)?]);
    }
    let paths = of(path).map_err(wrong).with_context(name)?;
    let sources = paths.iter().map(|path| {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(wrong).with_context(|| name.clone());
        Source::new(name, &bytes?)
    });
    sources.collect()
}

/// Files that are one graph. A place counts the bytes of those before.
pub struct Files<'a>(pub &'a [Source]);

/// The files of a folder, in the order of their names.
fn of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "toml") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl<'a> Files<'a> {
    /// The graph that they describe together, or what is wrong in which.
    pub fn read(&self, names: &mut Names) -> Result<Target<'a>, (String, Mistake)> {
        self.read_by(document::read, names)
    }

    /// What they add to another graph: bindings may be between blocks of that.
    pub fn part(&self, names: &mut Names) -> Result<Target<'a>, (String, Mistake)> {
        self.read_by(document::part, names)
    }

    fn read_by(
        &self,
        read: impl Fn(&'a str, &mut Names) -> Result<Target<'a>, Mistake>,
        names: &mut Names,
    ) -> Result<Target<'a>, (String, Mistake)> {
        let mut whole = Target::default();
        let mut base: Place = 0;
        for source in self.0 {
            let wrong = |mistake| (source.name.clone(), mistake);
            if document::is_cut_off(&source.text) {
                let text = format!("it is cut off: the line '{}' is missing", document::END);
                let line = source.text.lines().count();
                return Err(wrong(Mistake { line, text }));
            }
            let part = read(&source.text, names).map_err(wrong)?;
            for (name, mut block) in part.blocks.into_things() {
                if let Some(other) = whole.blocks.get(name) {
                    let (other, line) = self.at(other.place);
                    let text = format!("'{}' stands in {other}:{line}, too", names.text(name));
                    return Err(wrong(Mistake::new(&source.text, block.place, text)));
                }
                block.place = block.place.saturating_add(base);
                for setting in &mut block.settings {
                    let (key, value) = (names.text(setting.key), mem::take(&mut setting.value));
                    setting.value = expression::compiled(key, value).map_err(|error| {
                        let text = format!("{key}: {error:#}");
                        wrong(Mistake::new(&source.text, setting.place, text))
                    })?;
                    setting.place = setting.place.saturating_add(base);
                }
                whole.blocks.enter(name, || block);
            }
            for (bonds, all) in [
                (part.bindings, &mut whole.bindings),
                (part.subscriptions, &mut whole.subscriptions),
            ] {
                all.extend(bonds.into_iter().map(|mut bond| {
                    bond.place = bond.place.saturating_add(base);
                    bond
                }));
            }
            base = base.saturating_add(length(source));
        }
        Ok(whole)
    }

    /// The file and the line of a place.
    pub fn at(&self, place: Place) -> (&str, usize) {
        let mut place = place;
        for source in self.0 {
            if place < length(source) {
                return (&source.name, document::line(&source.text, place));
            }
            place -= length(source);
        }
        self.0.last().map_or(("", 1), |last| {
            (&last.name, document::line(&last.text, Place::MAX))
        })
    }

    /// What is to change of what runs for `target`, which was read from these files.
    pub fn compare<'t>(
        &self,
        lana: &mut Connection,
        target: &'t Target<'_>,
        names: &mut Names,
    ) -> Result<Vec<Change<'t>>> {
        let running = running::read(lana, names)?;
        let wrong = |(place, text): (Place, String)| {
            let (name, line) = self.at(place);
            Mistake { line, text }.of(name)
        };
        changes(&running, target, names).map_err(wrong)
    }

    /// Where a change comes from: a line of a file, if one asks for it. `name` is what all files are called.
    pub fn origin(&self, name: &str, change: &Change<'_>, names: &Names) -> String {
        let what = change.describe(names);
        match change.place {
            _ if name.is_empty() => what,
            Some(place) => {
                let (name, line) = self.at(place);
                format!("{name}:{line}: {what}")
            }
            None => format!("{name}: {what}"),
        }
    }
}

fn length(source: &Source) -> Place {
    Place::try_from(source.text.len() + 1).unwrap_or(Place::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, text: &str) -> Source {
        let (name, text) = (name.to_owned(), text.to_owned());
        Source { name, text }
    }

    #[test]
    fn parts_make_a_whole() {
        let parts = [
            source("a", "[blocks.x]\ntype = \"tee\"\n[blocks.y]\ntype = \"tee\"\n"),
            source("b", "bindings = [[\"u\", \"v\"]]\n[blocks.u]\ntype = \"tee\"\n[blocks.v]\ntype = \"tee\"\noptions.k = \"1\"\n"),
        ];
        let files = Files(&parts);
        let mut names = Names::default();
        let whole = files.read(&mut names).unwrap();
        let places: Vec<_> = whole
            .blocks
            .iter()
            .map(|(name, block)| (names.text(name), files.at(block.place)))
            .collect();
        assert_eq!(
            places,
            [
                ("x", ("a", 1)),
                ("y", ("a", 3)),
                ("u", ("b", 2)),
                ("v", ("b", 4))
            ]
        );
        assert_eq!(files.at(whole.bindings[0].place), ("b", 1));
        assert_eq!(files.at(Place::MAX).0, "b");
    }

    #[test]
    fn a_block_stands_in_one() {
        let text = "[blocks.x]\ntype = \"tee\"\n";
        let parts = [source("a", text), source("b", &format!("\n{text}"))];
        let (name, mistake) = Files(&parts).read(&mut Names::default()).unwrap_err();
        assert_eq!((name.as_str(), mistake.line), ("b", 2));
        assert_eq!(mistake.text, "'x' stands in a:1, too");
    }
}
