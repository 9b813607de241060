// SPDX-License-Identifier: GPL-2.0

//! Man pages and shell completions, from the definitions the command line is parsed by.

use crate::{candidates::VARIABLE, failure::usage, output::Output};
use anyhow::{Context, Result};
use clap::Command;
use clap_complete::{env::Shells, Shell};
use clap_mangen::Man;
use lana_netlink::errno_text;
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes a man page for the tool and one for each command into a directory.
pub fn write_pages(command: Command, directory: &Path) -> Result<()> {
    let mut command = without_help(command);
    command.build();
    fs::create_dir_all(directory)
        .and_then(|()| write_tree(&command, directory))
        .map_err(|e| usage(errno_text(&e)))
        .with_context(|| directory.display().to_string())
}

/// The command `help` needs no page.
fn without_help(command: Command) -> Command {
    let command = command.disable_help_subcommand(true);
    command.mut_subcommands(without_help)
}

fn write_tree(command: &Command, directory: &Path) -> io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_tree(sub, directory)?;
    }
    let page = Man::new(command.clone()).manual("LANA").section("8");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        page.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    if let Some(help) = command.get_after_help() {
        for paragraph in help.to_string().split("\n\n") {
            write_section(paragraph, &mut text)?;
        }
    }
    fs::write(directory.join(page.get_filename()), text)
}

/// Makes a section of a paragraph of help: its first line is the title, the others keep their form.
fn write_section(paragraph: &str, to: &mut impl Write) -> io::Result<()> {
    let (title, body) = paragraph.split_once('\n').unwrap_or((paragraph, ""));
    writeln!(
        to,
        ".SH \"{}\"\n.nf",
        title.trim_end_matches(':').to_uppercase()
    )?;
    for line in body.lines() {
        let line = line.trim_start().replace('\\', "\\e").replace('-', "\\-");
        writeln!(to, "\\&{line}")?;
    }
    writeln!(to, ".fi")
}

/// Prints the completions for a shell: a script that asks the tool, which knows what there is.
pub fn write_dynamic_completions(tool: &str, shell: Shell, out: &mut Output) -> Result<()> {
    let shells = Shells::builtins();
    let name = shell.to_string();
    let shell = shells
        .completer(&name)
        .ok_or_else(|| usage(format!("no script for {name}")))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, tool, tool, tool, &mut script)?;
    out.text(&String::from_utf8(script)?)
}

/// Prints the completions for a shell.
pub fn write_completions(mut command: Command, shell: Shell, out: &mut Output) -> Result<()> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    out.text(&String::from_utf8(script)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_become_sections() {
        let mut text = Vec::new();
        write_section("Exit status:\n  0  done\n  .x -b \\", &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            ".SH \"EXIT STATUS\"\n.nf\n\\&0  done\n\\&.x \\-b \\e\n.fi\n"
        );
    }
}
