// SPDX-License-Identifier: GPL-2.0

//! Files of commands.

use crate::failure::Failure;
use lana_netlink::errno_text;
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

/// Runs the commands of a file called `name`. The first that fails ends it, unless `force`; the
/// others' failures go to `report`.
pub(crate) fn run(
    input: impl BufRead,
    name: &str,
    force: bool,
    mut command: impl FnMut(Vec<String>) -> Result<(), Failure>,
    mut report: impl FnMut(&Failure),
) -> Result<(), Failure> {
    let mut first = None;
    for (number, line) in (1..).zip(input.lines()) {
        let place = |text: String| format!("{name}:{number}: {text}");
        let line = line.map_err(|e| Failure::usage(place(errno_text(&e))))?;
        let result = words(&line).map_err(Failure::usage);
        let result = result.and_then(|words| {
            if words.is_empty() {
                return Ok(());
            }
            command(words)
        });
        let Err(failure) = result else { continue };
        let failure = Failure {
            code: failure.code,
            text: failure.text.map(place),
        };
        if !force || failure.text.is_none() {
            return Err(failure);
        }
        report(&failure);
        first.get_or_insert(failure.code);
    }
    match first {
        Some(code) => Err(Failure { code, text: None }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let command = |words: Vec<String>| {
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
        assert_eq!(play("gone\nc", true).0, ["gone"]);
        assert_eq!(play("a\nb", true).2, Ok(()));
    }

    #[test]
    fn what_is_not_text_is_refused() {
        let result = run(&b"a\n\xff\n"[..], "-", false, |_| Ok(()), |_| ());
        let text = result.unwrap_err().text.unwrap();
        assert!(text.starts_with("-:2: "), "{text}");
    }
}
