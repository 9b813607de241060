// SPDX-License-Identifier: GPL-2.0

//! The options that go with every command, and the commands for which they do nothing: these take them, so that a script
//! may give them to any command, but their help does not list them.

use crate::tool::Tool;
use clap::{Arg, Command};

/// The definition of a tool's command line.
pub fn command<T: Tool>() -> Command {
    hide(T::command(), T::idle)
}

/// Hides the global options that `idle` has for a command.
fn hide(command: Command, idle: fn(&str) -> &'static [&'static str]) -> Command {
    let globals = command.get_arguments().filter(|arg| arg.is_global_set());
    let globals: Vec<_> = globals.cloned().collect();
    below(command, &globals, idle)
}

fn below(command: Command, globals: &[Arg], idle: fn(&str) -> &'static [&'static str]) -> Command {
    command.mut_subcommands(|sub| {
        let names = idle(sub.get_name());
        let own = |arg: &Arg| sub.get_arguments().any(|own| own.get_id() == arg.get_id());
        let hidden = globals
            .iter()
            .filter(|arg| names.contains(&arg.get_id().as_str()) && !own(arg))
            .map(|arg| arg.clone().hide(true));
        let hidden: Vec<_> = hidden.collect();
        below(sub.args(hidden), globals, idle)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;

    #[test]
    fn what_does_nothing_is_taken_but_not_listed() {
        let flag = |name: &'static str| {
            let arg = Arg::new(name).long(name).global(true);
            arg.action(ArgAction::SetTrue)
        };
        let show = Command::new("show");
        let tool = Command::new("tool").args([flag("yes"), flag("json")]);
        let tool = tool.subcommand(Command::new("devices").subcommand(show));
        let idle = |name: &str| match name {
            "show" => ["yes"].as_slice(),
            _ => &[],
        };
        let mut tool = hide(tool, idle);
        let mut help = |words: &[&str]| {
            let error = tool.try_get_matches_from_mut(words).unwrap_err();
            error.to_string()
        };
        let text = help(&["tool", "devices", "show", "--help"]);
        assert!(!text.contains("--yes") && text.contains("--json"), "{text}");
        let text = help(&["tool", "devices", "--help"]);
        assert!(text.contains("--yes") && text.contains("--json"), "{text}");
        for words in [
            ["tool", "devices", "show", "--yes"],
            ["tool", "--yes", "devices", "show"],
        ] {
            let matches = tool.try_get_matches_from_mut(words).unwrap();
            assert!(matches.get_flag("yes"));
        }
    }
}
