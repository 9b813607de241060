// SPDX-License-Identifier: GPL-2.0

//! What the command line tools of LANA have in common: the options before the command, the way
//! from a command line to an exit code, tables and JSON, batch files, man pages, rates and the screens that show them.
//!
//! A tool implements [`Tool`] for its command line and [`Action`] for its commands, and its `main`
//! is [`main`].

mod batch;
pub mod candidates;
mod counters;
mod failure;
mod globals;
mod guard;
mod held;
pub mod history;
mod idle;
mod lines;
mod narrow;
mod natural;
mod netns;
mod one_dash;
mod output;
mod pages;
mod plan;
pub mod previous;
mod rates;
pub mod screen;
mod secret;
mod session;
mod stop;
mod table;
mod terminal;
mod tip;
mod told;
mod tool;

pub use batch::refused;
pub use counters::{aligned_summaries, count, drop_reasons, drop_total, stats_summary};
pub use failure::{denied, kernel, usage, word, Denied, Failure, InText, Usage};
pub use globals::Globals;
pub use guard::CutOff;
pub use held::{fbctl, FAILED, MADE, READY};
pub use idle::command;
pub use lines::Line;
pub use natural::natural;
pub use netns::enter_namespace;
pub use output::Output;
pub use pages::{write_completions, write_dynamic_completions, write_pages};
pub use plan::{Describe, Plan};
pub use rates::{Block, BlockRates, Count, Scale};
pub use secret::{is_secret, SECRET};
pub use session::Session;
pub use stop::Stop;
pub use table::{clean, Column, Spare, Table};
pub use terminal::columns;
pub use tip::tip;
pub use told::{told, How, Told};
pub use tool::{main, plain, Action, Tool};

/// The text of a file without the byte order mark that some editors put before it.
pub fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What every tool's help ends with.
pub const EXIT_STATUS: &str = "\
Exit status:
  0  done
  1  wrong usage, or a missing file
  2  the kernel refused the command, or LANA is not loaded";
