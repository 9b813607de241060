// SPDX-License-Identifier: GPL-2.0

//! Files of commands: one transaction, or line by line.

use crate::{
    failure::Failure,
    guard::CutOff,
    plan::{Describe, Plan},
    session::Session,
    tool::Action,
    without_bom,
};
use lana_netlink::{errno_text, Error};
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
        Some(code) => Err(Failure {
            code,
            ..Failure::default()
        }),
        None => Ok(()),
    }
}

/// The changes that a file asks for, and where it does.
pub(crate) struct Together<A> {
    plan: Plan,
    lines: Lines<A>,
}

/// Where changes come from.
struct Lines<A> {
    /// Of each change, by which action it is.
    changes: Vec<usize>,
    /// The actions, each with the number of its line.
    actions: Vec<(usize, A)>,
}

impl<A: Action> Together<A> {
    /// None yet.
    pub(crate) fn new(session: &Session) -> Self {
        Self {
            plan: session.plan(Describe::Each),
            lines: Lines {
                changes: Vec::new(),
                actions: Vec::new(),
            },
        }
    }

    /// Takes what the command in line `number` asks for.
    pub(crate) fn push(
        &mut self,
        number: usize,
        action: A,
        yes: bool,
        session: &Session,
    ) -> Result<(), Failure> {
        let failed = |error| Failure::new(&action.label(), &error);
        let changes = action.changes(session).map_err(failed)?;
        if changes.is_empty() {
            let text = "changes nothing that a transaction can hold; --force goes line by line";
            return Err(Failure::usage(format!("{}: {text}", action.label())));
        }
        for change in &changes {
            let pushed = self.plan.push(change, yes);
            pushed.map_err(|e| failed(Error::from(e).into()))?;
            self.lines.changes.push(self.lines.actions.len());
        }
        drop(changes);
        self.lines.actions.push((number, action));
        Ok(())
    }

    /// Asks the kernel for all of it.
    pub(crate) fn send(self, name: &str, session: &mut Session) -> Result<(), Failure> {
        let Self { plan, lines } = self;
        if plan.is_empty() {
            return Ok(());
        }
        let done = session.carry_out(plan).and_then(|()| session.out.flush());
        done.map_err(|error| explain(error, name, &lines, session))
    }
}

/// Which of the changes an error is about.
pub fn refused(error: &anyhow::Error) -> Option<usize> {
    match (error.downcast_ref(), error.downcast_ref::<CutOff>()) {
        (Some(Error::Refused(refusal)), _) => refusal.change,
        (_, Some(cut_off)) => Some(cut_off.change),
        _ => None,
    }
}

/// Says which line of the file called `name` an error of its transaction is about.
fn explain<A: Action>(
    mut error: anyhow::Error,
    name: &str,
    lines: &Lines<A>,
    session: &mut Session,
) -> Failure {
    let action = refused(&error).and_then(|change| lines.changes.get(change));
    let upto = action.and_then(|at| lines.actions.get(..=*at));
    let Some([.., (line, last)]) = upto else {
        return Failure::new(name, &error);
    };
    advise(
        &mut error,
        upto.into_iter().flatten().map(|(_, action)| action),
        session,
    );
    Failure::new(&last.label(), &error).at(name, *line)
}

/// Adds what may help where the kernel refused one of the actions.
pub(crate) fn advise<'a, A: Action + 'a>(
    error: &mut anyhow::Error,
    actions: impl IntoIterator<Item = &'a A>,
    session: &mut Session,
) {
    if let Some(Error::Refused(refusal)) = error.downcast_mut() {
        let ops = actions.into_iter().map(|action| action.changes(session));
        // What cannot be read a second time gives no advice.
        if let Ok(ops) = ops.collect::<Result<Vec<_>, _>>() {
            let mut ops: Vec<_> = ops.into_iter().flatten().collect();
            if let Some(change) = refusal.change {
                ops.truncate(change + 1);
            }
            // A command that is no list of changes has given its own.
            if !ops.is_empty() {
                refusal.advice = A::advice(refusal, &ops, session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globals::Globals;
    use lana_netlink::{Op, Refusal};

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
                    excerpt: None,
                }),
                "gone" => Err(Failure {
                    code: 0,
                    text: None,
                    excerpt: None,
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
                text: None,
                excerpt: None
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

    /// `add NAME`, which is a change, or `show`.
    #[derive(clap::Subcommand)]
    enum Command {
        Add { name: String },
        Show,
    }

    impl Action for Command {
        fn label(&self) -> String {
            match self {
                Command::Add { name } => format!("add {name}"),
                Command::Show => "show".to_owned(),
            }
        }
        fn changes(&self, _session: &Session) -> anyhow::Result<Vec<Op<'_>>> {
            let kind = "dummy";
            Ok(match self {
                Command::Add { name } => vec![Op::FbNew { name, kind }],
                Command::Show => Vec::new(),
            })
        }
        fn advice(_refusal: &Refusal, ops: &[Op<'_>], _session: &mut Session) -> Option<String> {
            Some(format!("; the {}. change", ops.len()))
        }
        fn run(&self, _session: &mut Session) -> anyhow::Result<()> {
            Ok(())
        }
    }

    fn add(name: &str) -> Command {
        let name = name.to_owned();
        Command::Add { name }
    }

    fn session() -> Session {
        Session::new("tool", Globals::default(), None, |_| Ok(String::new()))
    }

    #[test]
    fn errors_of_a_transaction_name_the_line() {
        let mut session = session();
        let mut together = Together::new(&session);
        assert_eq!(together.push(3, add("a"), false, &session), Ok(()));
        assert_eq!(together.push(7, add("b"), false, &session), Ok(()));
        let failure = together.push(8, add("c\0"), false, &session).unwrap_err();
        assert_eq!(failure.code, 1);
        let text = failure.text.unwrap();
        assert!(
            text.ends_with("attribute name: a NUL byte is in the text"),
            "{text}"
        );

        let mut said = |change| {
            let refusal = Refusal {
                errno: 17,
                message: Some("'b' exists already".into()),
                attribute: Some("name".into()),
                missing: None,
                accepts: None,
                change,
                advice: None,
            };
            let error = Error::from(refusal).into();
            explain(error, "file", &together.lines, &mut session)
        };
        for (change, text) in [
            (
                Some(1),
                "file:7: add b: 'b' exists already (attribute 'name'); the 2. change",
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
        let session = session();
        let result = Together::new(&session).push(1, Command::Show, false, &session);
        let text = result.unwrap_err().text.unwrap();
        assert!(text.starts_with("show: changes nothing"), "{text}");
    }
}
