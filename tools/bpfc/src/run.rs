// SPDX-License-Identifier: GPL-2.0

//! What the tool does with a program.

use crate::{capture::Capture, cli::Cli, pass};
use anyhow::{Context, Result};
use bpfc::{
    assemble::{assemble, Program},
    check::check,
    forms, listing,
    problem::Problem,
};
use lana_cli::{usage, without_bom, Globals, InText, Output};
use lana_netlink::errno_text;
use std::{
    fs,
    io::{self, Read},
    path::Path,
};

/// No program is longer: 4,096 instructions and their comments.
const MAX_TEXT: u64 = 16 << 20;

pub(crate) fn run(cli: &Cli) -> Result<()> {
    let file = cli.file.as_deref().or(cli.input.as_deref());
    let file = file.unwrap_or(Path::new("-"));
    let name = file.display().to_string();
    let capture = cli.read.as_deref();
    if capture.is_some() && !cli.run && !cli.debug {
        return Err(usage("-r wants --run or --debug"));
    }
    let uses = [
        file == Path::new("-"),
        capture == Some(Path::new("-")),
        cli.debug,
    ];
    if uses.into_iter().filter(|used| *used).count() > 1 {
        return Err(usage("the standard input can be only one thing"));
    }
    let text = read(file).with_context(|| name.clone())?;
    let text = without_bom(&text);
    let program = compile(&name, text)?;
    let checked = if cli.bypass {
        Ok(())
    } else {
        check(&program.insns)
    };
    if let Err(fault) = checked {
        return Err(match fault.in_source(&program) {
            Some(problem) => in_text(&problem, &name, text),
            None => usage(fault.with_insn(&program.insns)).context(name),
        });
    }
    let mut out = Output::standard(&Globals::default());
    if let Some(capture) = capture {
        let mut capture = Capture::open(capture)?;
        return if cli.debug {
            pass::debug(&program.insns, &mut capture, &mut out)
        } else {
            pass::run(&program.insns, &mut capture, cli.json, &mut out)
        };
    }
    if cli.dump {
        out.text(&listing::source(&program.insns))?;
        return out.flush();
    }
    if cli.verbose {
        out.text("*** Generated program:\n")?;
        out.text(&listing::program(&program.insns))?;
        let valid = if cli.bypass {
            "is not done"
        } else {
            "is valid!"
        };
        out.text(&format!("*** Validating: {valid}\n*** Result:\n"))?;
    }
    out.text(&forms::print(&program.insns, cli.format.into()))?;
    out.flush()
}

/// The instructions of a text, which is source or compiled already.
fn compile(name: &str, text: &str) -> Result<Program> {
    if forms::is_compiled(text) {
        let insns = forms::read(text)
            .map_err(usage)
            .with_context(|| name.to_owned())?;
        return Ok(Program {
            insns,
            places: Vec::new(),
        });
    }
    assemble(text).map_err(|problem| in_text(&problem, name, text))
}

fn in_text(problem: &Problem, name: &str, text: &str) -> anyhow::Error {
    let what = problem.line(name, text);
    let excerpt = problem.excerpt(text);
    InText { what, excerpt }.into()
}

fn read(file: &Path) -> Result<String> {
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(file).map_err(|e| usage(errno_text(&e)))?)
    };
    let mut bytes = Vec::new();
    from.take(MAX_TEXT + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| usage(errno_text(&e)))?;
    if bytes.len() as u64 > MAX_TEXT {
        return Err(usage("too long for a program"));
    }
    String::from_utf8(bytes).map_err(|_| usage("not a text"))
}
