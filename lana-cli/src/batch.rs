// SPDX-License-Identifier: GPL-2.0

//! Files of commands: one transaction, or line by line.

use crate::{failure::Failure, session::Session, without_bom};
use lana_netlink::{errno_text, Error, Op, Transaction};
use std::io::BufRead;

/// Splits a line into words. Words are parted by blanks; `'…'` keeps everything, `"…"` everything
/// but backslashes, and a backslash keeps the next character. `#` at the start of a word begins a
/// comment.
pub(crate) fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\\' => {
                let next = chars.next().ok_or("nothing follows the backslash")?;
                word.get_or_insert_default().push(next);
            }
            '\'' | '"' => quoted(&mut chars, c, word.get_or_insert_default())?,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Takes what is left of a quotation.
fn quoted(
    chars: &mut impl Iterator<Item = char>,
    quote: char,
    word: &mut String,
) -> Result<(), &'static str> {
    loop {
        match chars.next().ok_or("a quotation has no end")? {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => word.push(chars.next().ok_or("a quotation has no end")?),
            c => word.push(c),
        }
    }
}

/// Takes the commands of a file called `name`, each with the number of its line. The first that
/// fails ends it, unless `force`; the others' failures go to `report`.
pub(crate) fn run(
    input: impl BufRead,
    name: &str,
    force: bool,
    mut command: impl FnMut(usize, Vec<String>) -> Result<(), Failure>,
    mut report: impl FnMut(&Failure),
) -> Result<(), Failure> {
    let mut first = None;
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.map_err(|e| Failure::usage(errno_text(&e)).at(name, number))?;
        let line = if number == 1 {
            without_bom(&line)
        } else {
            &line
        };
        let result = words(line).map_err(Failure::usage);
        let result = result.and_then(|words| {
            if words.is_empty() {
                return Ok(());
            }
            command(number, words)
        });
        let Err(failure) = result else { continue };
        let failure = failure.at(name, number);
        if !force {
            return Err(failure);
        }
        // That nobody reads what a line prints is no failure, and no reason to leave out the others.
        if failure.text.is_some() {
            report(&failure);
            first.get_or_insert(failure.code);
        }
    }
    match first {
        Some(code) => Err(Failure { code, text: None }),
        None => Ok(()),
    }
}

/// The changes that a file asks for, and where it does.
#[derive(Default)]
pub(crate) struct Together {
    transaction: Transaction,
    /// The line and the label of each.
    origins: Vec<(usize, String)>,
}

impl Together {
    /// Takes what the command called `label` asks for.
    pub(crate) fn push(
        &mut self,
        number: usize,
        label: String,
        change: Option<&Op<'_>>,
    ) -> Result<(), Failure> {
        let Some(change) = change else {
            let text = "changes nothing that a transaction can hold; --force goes line by line";
            return Err(Failure::usage(format!("{label}: {text}")));
        };
        let pushed = self.transaction.push(change);
        pushed.map_err(|e| Failure::new(&label, &Error::from(e).into()))?;
        self.origins.push((number, label));
        Ok(())
    }

    /// Asks the kernel for all of it.
    pub(crate) fn send(self, name: &str, session: &mut Session) -> Result<(), Failure> {
        if self.transaction.is_empty() {
            return Ok(());
        }
        let result = session.transact(self.transaction);
        result.map_err(|error| explain(&error, name, &self.origins))
    }
}

/// Says which line of the file called `name` an error of its transaction is about.
fn explain(error: &anyhow::Error, name: &str, origins: &[(usize, String)]) -> Failure {
    let change = match error.downcast_ref() {
        Some(Error::Refused(refusal)) => refusal.change,
        _ => None,
    };
    match change.and_then(|change| origins.get(change)) {
        Some((number, label)) => Failure::new(label, error).at(name, *number),
        None => Failure::new(name, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::Refusal;

    #[test]
    fn lines_are_split() {
        for (line, expected) in [
            ("", &[][..]),
            ("  \t ", &[]),
            ("# all of it", &[]),
            (" add  fb2\ttee # why", &["add", "fb2", "tee"]),
            ("add fb#2 tee", &["add", "fb#2", "tee"]),
            (r#"set fb3 "program=a b""#, &["set", "fb3", "program=a b"]),
            (
                r#"set fb3 program="a 'b' \"c\" # d""#,
                &["set", "fb3", r#"program=a 'b' "c" # d"#],
            ),
            (r#"set fb3 'a "b" \n'x"#, &["set", "fb3", r#"a "b" \nx"#]),
            (r"add a\ b tee", &["add", "a b", "tee"]),
            (r#"add "" tee"#, &["add", "", "tee"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for line in ["add 'fb2", "add \"fb2\\\"", "add fb2\\"] {
            assert!(words(line).is_err(), "{line}");
        }
    }

    fn play(text: &str, force: bool) -> (Vec<String>, Vec<String>, Result<(), Failure>) {
        let (mut seen, mut said) = (Vec::new(), Vec::new());
        let command = |_, words: Vec<String>| {
            seen.push(words.join(" "));
            match words[0].as_str() {
                "no" => Err(Failure {
                    code: 2,
                    text: Some("no: said the kernel".into()),
                }),
                "gone" => Err(Failure {
                    code: 0,
                    text: None,
                }),
                _ => Ok(()),
            }
        };
        let result = run(text.as_bytes(), "file", force, command, |f| {
            said.extend(f.text.clone());
        });
        (seen, said, result)
    }

    #[test]
    fn first_error_stops() {
        let (seen, _, result) = play("a\n\n# b\nno\nc\n", false);
        assert_eq!(seen, ["a", "no"]);
        let failure = result.unwrap_err();
        assert_eq!(failure.text.as_deref(), Some("file:4: no: said the kernel"));
        assert_eq!(failure.code, 2);
    }

    #[test]
    fn force_goes_on_and_remembers() {
        let (seen, said, result) = play("no\n'x\nc", true);
        assert_eq!(seen, ["no", "c"]);
        assert_eq!(
            said,
            [
                "file:1: no: said the kernel",
                "file:2: a quotation has no end"
            ]
        );
        assert_eq!(
            result,
            Err(Failure {
                code: 2,
                text: None
            })
        );
        let (seen, _, result) = play("gone\nc", true);
        assert_eq!((seen.join(" "), result), ("gone c".to_owned(), Ok(())));
        assert_eq!(play("a\nb", true).2, Ok(()));
    }

    #[test]
    fn a_byte_order_mark_is_no_word() {
        assert_eq!(play("\u{feff}a\nb", false).0, ["a", "b"]);
    }

    #[test]
    fn what_is_not_text_is_refused() {
        let result = run(&b"a\n\xff\n"[..], "-", false, |_, _| Ok(()), |_| ());
        let text = result.unwrap_err().text.unwrap();
        assert!(text.starts_with("-:2: "), "{text}");
    }

    #[test]
    fn errors_of_a_transaction_name_the_line() {
        let mut together = Together::default();
        let add = |name| Op::FbNew {
            name,
            kind: "dummy",
        };
        let mut push = |number, name| {
            let label = format!("add {name}");
            together.push(number, label, Some(&add(name)))
        };
        assert_eq!(push(3, "a"), Ok(()));
        assert_eq!(push(7, "b"), Ok(()));
        let failure = push(8, "c\0").unwrap_err();
        assert_eq!(failure.code, 1);
        let text = failure.text.unwrap();
        assert!(
            text.ends_with("attribute name: a NUL byte is in the text"),
            "{text}"
        );

        let said = |change| {
            let refusal = Refusal {
                errno: 17,
                message: Some("'b' exists already".into()),
                attribute: Some("name".into()),
                missing: None,
                accepts: None,
                change,
            };
            explain(&Error::from(refusal).into(), "file", &together.origins)
        };
        for (change, text) in [
            (
                Some(1),
                "file:7: add b: 'b' exists already (attribute 'name')",
            ),
            (Some(2), "file: 'b' exists already (attribute 'name')"),
            (None, "file: 'b' exists already (attribute 'name')"),
        ] {
            let failure = said(change);
            assert_eq!((failure.code, failure.text.as_deref()), (2, Some(text)));
        }
    }

    #[test]
    fn what_changes_nothing_is_refused() {
        let result = Together::default().push(1, "show".into(), None);
        let text = result.unwrap_err().text.unwrap();
        assert!(text.starts_with("show: changes nothing"), "{text}");
    }
}
