// SPDX-License-Identifier: GPL-2.0

//! `fbctl save`: writes what runs as a file for `fbctl apply`.

use crate::{document, model::Names, order::order, running};
use anyhow::{Context, Result};
use lana_cli::{usage, Session};
use lana_netlink::{errno_text, Error};
use std::{fs, path::Path};

pub(crate) fn run(session: &mut Session, path: Option<&Path>) -> Result<()> {
    let mut names = Names::default();
    let running = running::read(session.lana()?, &mut names)?;
    let order = order(&running, &names).ok_or(Error::Unsettled)?;
    let text = document::write(&running, &order, &names);
    match path.filter(|path| *path != Path::new("-")) {
        None => session.out.text(&text),
        Some(path) => fs::write(path, text)
            .map_err(|error| usage(errno_text(&error)))
            .with_context(|| path.display().to_string()),
    }
}
