// SPDX-License-Identifier: GPL-2.0

//! `/proc/driver/otst`: what is armed, and taken back when we end.

use anyhow::{Context, Result};
use lana_cli::{denied, word};
use lana_netlink::errno_text;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
};

const FILE: &str = "/proc/driver/otst";

/// The symbols that we have armed and whose calls have not come.
#[derive(Default)]
pub(crate) struct Armed(Vec<String>);

impl Armed {
    /// Arms what a line says, `SYMBOL [$N[=VALUE]]...`.
    pub(crate) fn arm(&mut self, line: &str) -> Result<()> {
        let symbol = symbol(line);
        write(line).map_err(|error| denied(refusal(&error)))?;
        self.0.push(symbol.to_owned());
        Ok(())
    }

    /// The call of a symbol has come, and its probe is gone.
    pub(crate) fn forget(&mut self, symbol: &str) {
        self.0.retain(|other| other != symbol);
    }

    /// Whether it is one of ours.
    pub(crate) fn has(&self, symbol: &str) -> bool {
        self.0.iter().any(|other| other == symbol)
    }

    /// Whether no call is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been called, for people.
    pub(crate) fn missing(&self) -> String {
        self.0.join(", ")
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        for symbol in &self.0 {
            // Its call may have come just now; then there is nothing to take back.
            let _ = write(&format!("-{symbol}"));
        }
    }
}

/// The name in a line.
pub(crate) fn symbol(line: &str) -> &str {
    line.split_ascii_whitespace().next().unwrap_or_default()
}

/// Loads the module unless it is there.
pub(crate) fn load() -> Result<()> {
    if Path::new(FILE).exists() {
        return Ok(());
    }
    let quiet = Command::new("modprobe")
        .args(["-q", "otst"])
        .stderr(Stdio::null())
        .status();
    let loaded = quiet.is_ok_and(|status| status.success());
    if loaded && Path::new(FILE).exists() {
        return Ok(());
    }
    Err(denied(match has_kprobes() {
        Some(false) => "this kernel has no kprobes (CONFIG_KPROBES), as User Mode Linux has none",
        _ => "otst is not loaded (modprobe otst)",
    }))
}

/// Whether the kernel has kprobes, by its symbols; `None` if nobody may see these.
fn has_kprobes() -> Option<bool> {
    let symbols = fs::read_to_string("/proc/kallsyms").ok()?;
    if symbols.is_empty() {
        return None;
    }
    let name = |line: &str| line.split(' ').nth(2) == Some("register_kprobe");
    Some(symbols.lines().any(name))
}

fn write(line: &str) -> io::Result<()> {
    let mut file = File::options().write(true).open(FILE)?;
    file.write_all(line.as_bytes())
}

/// What the kernel means by an error.
fn refusal(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(1 | 13) => {
            "not permitted (needs CAP_SYS_ADMIN, and a kernel that is not locked down)".into()
        }
        Some(2) => "the kernel has no such symbol".into(),
        Some(17) => "it is armed already".into(),
        Some(22) => {
            "it cannot be probed: no function, or one that the kernel keeps probes away from".into()
        }
        _ => errno_text(error),
    }
}

/// Arms all lines, or none.
pub(crate) fn arm<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Armed> {
    let mut armed = Armed::default();
    for line in lines {
        armed.arm(line).with_context(|| word(symbol(line)))?;
    }
    Ok(armed)
}
