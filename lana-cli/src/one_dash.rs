// SPDX-License-Identifier: GPL-2.0

//! Long options with one dash, as the thesis's tools have them: `-dev eth0 -conf FILE`.

use clap::Command;
use std::ffi::OsString;

/// The arguments, with a second dash where one stands before the name of a long option.
pub(crate) fn mended(
    command: &Command,
    arguments: impl Iterator<Item = OsString>,
) -> Vec<OsString> {
    let long = |name: &str| {
        let name = name.split('=').next().unwrap_or(name);
        let mut options = command.get_arguments();
        name.len() > 1
            && options.any(|option| {
                option
                    .get_long_and_visible_aliases()
                    .is_some_and(|all| all.contains(&name))
            })
    };
    let mut plain = false;
    let mend = |argument: OsString| {
        plain |= argument == "--";
        match argument.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(name) if !plain && long(name) => OsString::from(format!("--{name}")),
            _ => argument,
        }
    };
    arguments.map(mend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn a_dash_is_added_to_long_names_only() {
        let command = Command::new("x").args([
            Arg::new("dev").long("dev").short('d'),
            Arg::new("in").long("in").short('i').visible_alias("conf"),
        ]);
        let mend = |text: &str| {
            let words = mended(&command, text.split(' ').map(OsString::from));
            words.join(" ".as_ref()).into_string().unwrap()
        };
        assert_eq!(mend("x -dev eth0 -conf=a -d"), "x --dev eth0 --conf=a -d");
        assert_eq!(
            mend("x --dev -devx -c -Vi - -- -dev"),
            "x --dev -devx -c -Vi - -- -dev"
        );
    }
}
