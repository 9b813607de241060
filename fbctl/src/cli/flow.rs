// SPDX-License-Identifier: GPL-2.0

//! What `flows` takes, and the keys of its screen.

use super::watched;
use crate::flows::{self, Filter};
use clap::Args;
use std::time::Duration;

pub(crate) const FLOW_KEYS: &str = "\
Keys:
  ?, h           show the keys
  q, Esc         quit
  p, space       pause or continue
  s              sort by the next column
  P B T Y A I    by packets/s, bits/s, packets, bytes, age, idle
  S D            by source, destination
  r              reverse the order
  /              filter: words such as src=192.0.2.0/24 port=53;
                 Enter applies it, Esc cancels
  arrows, page up and down, home, end: scroll";

/// The same in short.
pub(crate) const FLOW_KEYS_IN_SHORT: [&str; 6] = [
    "? h keys   q Esc quit   p space pause",
    "arrows, page up and down, home, end: scroll",
    "P packets/s  B bits/s  T packets  Y bytes  A age  I idle",
    "S source  D destination",
    "s sort by the next column   r reverse",
    "/ filter: words such as src=192.0.2.0/24 port=53",
];

/// What the help of `flows` ends with.
pub(super) fn help() -> String {
    let filters = flows::KEYS.map(|(key, about)| format!("  {key:<8}{about}"));
    format!(
        "Filters:\n{}\n  A flow is shown if it matches one filter of each kind given.\n\n{FLOW_KEYS}",
        filters.join("\n")
    )
}

#[derive(Debug, Args)]
pub(crate) struct FlowsHow {
    /// Show only flows that match these filters, with blanks in between. The same as KEY=VALUE without --filter
    #[arg(long, value_name = "FILTERS")]
    pub(crate) filter: Vec<Filter>,
    /// Sort by this column [default: packets, or rate with --watch]
    #[arg(short = 'o', long, value_name = "COLUMN", value_enum)]
    pub(crate) sort: Option<flows::Sort>,
    /// Reverse the order
    #[arg(short, long)]
    pub(crate) reverse: bool,
    /// Show only the first FLOWS flows
    #[arg(short, long, value_name = "FLOWS", value_parser = positive)]
    pub(crate) count: Option<usize>,
    /// Show a screen with rates per second, updated every SECONDS seconds: 0.1 to 86400, 1 if you give no number
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = watched)]
    pub(crate) watch: Option<Duration>,
    /// Print text instead of a screen; implies --watch. With --json, print a line of JSON each time
    #[arg(short, long)]
    pub(crate) batch: bool,
    /// With --watch: stop after TIMES intervals [default: no limit]
    #[arg(short, long, value_name = "TIMES")]
    pub(crate) times: Option<u64>,
}

/// A number, at least 1.
fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a number from 1 on".to_owned())
}
