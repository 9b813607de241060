// SPDX-License-Identifier: GPL-2.0

//! From errors to one line and an exit code.

use lana_netlink::errno_text;
use std::{fmt, io};

/// The user is to do something differently.
#[derive(Debug)]
pub struct Usage(String);

impl std::error::Error for Usage {}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error that is the user's to mend.
pub fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

/// The kernel said no, by another way than LANA's netlink family.
#[derive(Debug)]
pub struct Denied(String);

impl std::error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error that is the kernel's answer.
pub fn denied(text: impl Into<String>) -> anyhow::Error {
    Denied(text.into()).into()
}

/// The same, about `what`, where a system call has failed.
pub fn kernel(what: &str, error: &io::Error) -> anyhow::Error {
    denied(format!("{what}: {}", errno_text(error)))
}

/// Something wrong in a text of the user's.
#[derive(Debug)]
pub struct InText {
    /// Where and what, in one line.
    pub what: String,
    /// The lines that show the place.
    pub excerpt: String,
}

impl std::error::Error for InText {}

impl fmt::Display for InText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// The end of a command that did not work.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What to say; nothing when nobody reads our output any more.
    pub text: Option<String>,
    /// Lines to stand below it.
    pub excerpt: Option<String>,
}

impl Failure {
    /// The command line is wrong.
    pub fn usage(text: impl Into<String>) -> Self {
        Failure {
            code: 1,
            text: Some(text.into()),
            excerpt: None,
        }
    }

    /// The same, with the place in a file.
    pub(crate) fn at(mut self, file: &str, line: usize) -> Self {
        self.text = self.text.map(|text| format!("{file}:{line}: {text}"));
        self
    }

    /// What went wrong in a tool without commands.
    pub(crate) fn plain(error: &anyhow::Error) -> Self {
        let mut failure = Failure::new("", error);
        failure.text = failure
            .text
            .map(|text| text.trim_start_matches(": ").to_owned());
        failure
    }

    /// What became of the command called `label`.
    pub fn new(label: &str, error: &anyhow::Error) -> Self {
        use lana_netlink::Error;
        let broken = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
        if error.downcast_ref().is_some_and(broken) {
            return Failure {
                code: 0,
                text: None,
                excerpt: None,
            };
        }
        let code = match error.downcast_ref::<Error>() {
            None if error.is::<Denied>() => 2,
            Some(Error::Encode(_)) | None => 1,
            Some(_) => 2,
        };
        let mut text = label.to_owned();
        for part in error.chain() {
            let part = match part.downcast_ref::<io::Error>() {
                Some(inner) => errno_text(inner),
                None => one_line(&part.to_string()),
            };
            join(&mut text, &part);
        }
        Failure {
            code,
            text: Some(text),
            excerpt: error.downcast_ref::<InText>().map(|e| e.excerpt.clone()),
        }
    }
}

/// A word of the user's as it may stand in a message.
pub fn word(text: &str) -> String {
    if text.is_empty() || text.contains(char::is_whitespace) {
        format!("'{text}'")
    } else {
        text.to_owned()
    }
}

/// Appends what is wrong to what it is about. The kernel begins with the key of an option, which a
/// label such as `set e addr` ends with: once is enough.
fn join(text: &mut String, part: &str) {
    let about = text.rsplit(' ').next().unwrap_or_default();
    let rest = part
        .strip_prefix(about)
        .and_then(|rest| rest.strip_prefix(": "));
    let part = rest.unwrap_or(part).to_owned();
    text.push_str(": ");
    text.push_str(&part);
}

fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join(" ")
}

/// What clap has to say, in one line: its first paragraph, its tip, and the usage.
pub(crate) fn clap_text(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let mut parts = Vec::new();
    for paragraph in rendered.split("\n\n") {
        let text = one_line(paragraph.trim());
        if let Some(text) = text.strip_prefix("error: ") {
            parts.push(text.to_owned());
        } else if let Some(text) = text.strip_prefix("Usage: ") {
            parts.push(format!("usage: {text}"));
        } else if text.starts_with("tip: ") {
            parts.push(text);
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use clap::{Arg, Command};
    use lana_netlink::{Error, Refusal};

    fn refusal() -> anyhow::Error {
        let refusal = Refusal {
            errno: 1,
            message: None,
            attribute: None,
            missing: None,
            accepts: None,
            change: None,
            advice: None,
        };
        Error::from(refusal).into()
    }

    #[test]
    fn codes_tell_who_is_to_blame() {
        let failure = Failure::new("add fb2", &refusal());
        assert_eq!(failure.code, 2);
        let text = "add fb2: Operation not permitted (needs CAP_NET_ADMIN)";
        assert_eq!(failure.text.as_deref(), Some(text));
        assert_eq!(Failure::new("show", &Error::NotLoaded.into()).code, 2);
        assert_eq!(Failure::new("set", &usage("no such file")).code, 1);
        let error = denied("no such symbol").context("x");
        assert_eq!(Failure::new("arm", &error).code, 2);
    }

    #[test]
    fn files_are_named_without_numbers() {
        let error = std::fs::read("/nonexistent/file").unwrap_err();
        let error: anyhow::Error = usage(errno_text(&error));
        let error = error.context("a.bpf");
        let failure = Failure::new("set fb3 program", &error);
        let text = "set fb3 program: a.bpf: No such file or directory";
        assert_eq!((failure.code, failure.text.as_deref()), (1, Some(text)));
    }

    #[test]
    fn a_key_is_said_once() {
        let error = || usage("addr: 'x' is no address");
        for (label, error, text) in [
            ("set e addr", error(), "set e addr: 'x' is no address"),
            ("set e", error(), "set e: addr: 'x' is no address"),
            (
                "apply",
                error().context("g.toml:3: + option e addr"),
                "apply: g.toml:3: + option e addr: 'x' is no address",
            ),
            ("set e addr", usage("addresses"), "set e addr: addresses"),
        ] {
            assert_eq!(Failure::new(label, &error).text.as_deref(), Some(text));
        }
    }

    #[test]
    fn nobody_reading_is_no_error() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        for error in [
            anyhow::Error::from(gone()),
            Err::<(), _>(gone()).context("writing").unwrap_err(),
        ] {
            assert_eq!(Failure::new("show", &error).text, None);
        }
    }

    #[test]
    fn clap_fits_in_a_line() {
        let command = Command::new("tool").arg(Arg::new("NAME").required(true));
        let error = command.clone().try_get_matches_from(["tool"]).unwrap_err();
        assert_eq!(
            clap_text(&error),
            "the following required arguments were not provided: <NAME>; usage: tool <NAME>"
        );
        let error = command.try_get_matches_from(["tool", "-x"]).unwrap_err();
        let text = clap_text(&error);
        assert!(
            text.starts_with("unexpected argument '-x' found; tip: "),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
    }
}
