// SPDX-License-Identifier: GPL-2.0

//! Where packets come from: a text of the language, through the C preprocessor or not, or a capture.

use crate::{
    language::{self, Host, Mistake},
    output::link_type,
    template::Template,
};
use anyhow::{Context, Result};
use lana_cli::usage;
use lana_netlink::errno_text;
use pcap_file::pcap::PcapReader;
use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// What a text is compiled with.
pub struct Compile<'a> {
    /// Who sends.
    pub host: &'a Host,
    /// For `rnd()`.
    pub random: fastrand::Rng,
    /// Header functions fill in checksums.
    pub sums: bool,
    /// The C preprocessor is run first, with these definitions.
    pub cpp: Option<&'a [String]>,
}

/// An error about a file.
fn about(name: &str, error: &io::Error) -> anyhow::Error {
    usage(format!("{name}: {}", errno_text(error)))
}

/// The packets of a text that is called `name`.
pub fn text(text: &str, name: &str, mut compile: Compile<'_>) -> Result<Vec<Template>> {
    let expanded = compile
        .cpp
        .map(|definitions| preprocess(text, name, definitions))
        .transpose()?;
    let text = expanded.as_deref().unwrap_or(text);
    let result = language::templates(text, compile.host, &mut compile.random, compile.sums);
    result.map_err(|mistake: Mistake| {
        let located = mistake.located(name, text);
        // The line above the message that names it.
        let _ = writeln!(
            io::stderr(),
            "{}",
            located
                .picture()
                .replace(|c: char| c.is_control() && c != '\n', " ")
        );
        usage(located.to_string())
    })
}

/// The text of a file; `-` is the standard input.
pub fn read(file: &Path) -> Result<String> {
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    result.map_err(|error| about(&name, &error))?;
    let text =
        String::from_utf8(bytes).map_err(|_| usage(format!("{name}: this is no text of UTF-8")))?;
    Ok(lana_cli::without_bom(&text).to_owned())
}

fn preprocess(text: &str, name: &str, definitions: &[String]) -> Result<String> {
    let run = || {
        let mut command = Command::new("cpp");
        command
            .args(["-P", "-undef", "-w"])
            .args(definitions.iter().map(|one| format!("-D{one}")))
            .arg("-");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take();
        let text = text.to_owned();
        let feeder = std::thread::spawn(move || {
            input.as_mut().map(|input| input.write_all(text.as_bytes()))
        });
        let output = child.wait_with_output();
        let _ = feeder.join();
        output
    };
    let output = run().map_err(|error| about("cpp", &error))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).with_context(|| name.to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("it failed");
    Err(usage(format!("{name}: cpp: {first}")))
}

/// The packets of a capture, with the time that was between them.
pub fn capture(file: &Path, radio: bool) -> Result<Vec<Template>> {
    let name = file.display().to_string();
    let wrong = |what: String| usage(format!("{name}: {what}"));
    let opened = File::open(file).map_err(|error| about(&name, &error))?;
    let mut reader =
        PcapReader::new(BufReader::new(opened)).map_err(|error| wrong(error.to_string()))?;
    let link = reader.header().datalink;
    if link != link_type(radio) {
        return Err(wrong(format!(
            "packets of type {}, not of Ethernet",
            u32::from(link)
        )));
    }
    let (mut templates, mut before) = (Vec::new(), None);
    while let Some(packet) = reader.next_packet() {
        let packet =
            packet.map_err(|error| wrong(format!("packet {}: {error}", templates.len() + 1)))?;
        let gap = before.map_or(Duration::ZERO, |before| {
            packet.timestamp.saturating_sub(before)
        });
        before = Some(packet.timestamp);
        templates.push(Template {
            bytes: packet.data.into_owned(),
            gap,
            ..Template::default()
        });
    }
    Ok(templates)
}
