// SPDX-License-Identifier: GPL-2.0

//! Gives up the rights of root, once there is nothing left that needs them.

use anyhow::Result;
use lana_cli::{kernel, usage};
use rustix::{
    process::{Gid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use std::fs;

/// The number of a user or a group: as it is, or by its name in a file such as `/etc/passwd`.
fn number(name: &str, file: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let text = fs::read_to_string(file).unwrap_or_default();
    let entry = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    });
    entry.ok_or_else(|| usage(format!("{name} is not in {file}")))
}

/// Becomes this user and this group. Threads that start from now on are theirs.
pub fn drop_to(user: Option<&str>, group: Option<&str>) -> Result<()> {
    let user = user.map(|name| number(name, "/etc/passwd")).transpose()?;
    let group = group.map(|name| number(name, "/etc/group")).transpose()?;
    if let Some(group) = group {
        let group = Gid::from_raw(group);
        set_thread_groups(&[group])
            .and_then(|()| set_thread_res_gid(group, group, group))
            .map_err(|error| kernel("--group", &error.into()))?;
    }
    if let Some(user) = user {
        let user = Uid::from_raw(user);
        set_thread_res_uid(user, user, user).map_err(|error| kernel("--user", &error.into()))?;
    }
    Ok(())
}
