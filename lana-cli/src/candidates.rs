// SPDX-License-Identifier: GPL-2.0

//! What a word of the command line may be, for completions: what there is at that moment.

use crate::natural;
use clap_complete::engine::CompletionCandidate;
use lana_netlink::Connection;
use std::fs;

/// The variable by which a shell's script asks a tool.
pub(crate) const VARIABLE: &str = "LANA_COMPLETE";

fn candidates(names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The blocks of the graph. Where LANA is not loaded, none.
pub fn blocks() -> Vec<CompletionCandidate> {
    let all = Connection::open().and_then(|mut lana| lana.fbs());
    let all = all.map(|dump| dump.items).unwrap_or_default();
    candidates(all.into_iter().filter_map(|fb| fb.name))
}

/// The network devices.
pub fn devices() -> Vec<CompletionCandidate> {
    let entries = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != "lo")
        .collect();
    names.sort_by(|a, b| natural(a, b));
    candidates(names)
}

/// The devices that are hooked.
pub fn hooked() -> Vec<CompletionCandidate> {
    let all = Connection::open().and_then(|mut lana| lana.vlinks());
    let all = all.map(|dump| dump.items).unwrap_or_default();
    candidates(all.into_iter().filter_map(|vlink| vlink.ifname))
}

/// The network namespaces that have names.
pub fn namespaces() -> Vec<CompletionCandidate> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    candidates(entries.filter_map(|entry| entry.file_name().into_string().ok()))
}
