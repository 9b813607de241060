// SPDX-License-Identifier: GPL-2.0

//! A line that is written to `/proc/driver/otst`: pure text, compiled for the host's tests too.
//!
//! `SYMBOL [$N[=VALUE]]...` arms, `-SYMBOL` disarms. `$3=7` counts only calls whose third argument is 7,
//! `$5=net` those whose fifth points to the network namespace of the writer; `$4` alone prints the argument.

/// How many arguments of a function can be asked for: those that are in registers.
pub(crate) const ARGS: usize = 6;

/// The longest name of a symbol, `KSYM_NAME_LEN` with its NUL.
pub(crate) const SYMBOL_MAX: usize = 511;

/// What is asked of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    /// It may be anything.
    Nothing,
    /// Its low 32 bits go into the log.
    Print,
    /// Its low 32 bits are this.
    Equals(u32),
    /// It points to the writer's network namespace.
    Netns,
}

/// What a line asks for.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Request<'a> {
    /// To print the stack of a call.
    Arm(&'a str, [Ask; ARGS]),
    /// To forget about it.
    Disarm(&'a str),
}

/// What is wrong with a line: a word of it, and why.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Wrong<'a>(pub(crate) &'a str, pub(crate) &'static str);

impl<'a> Request<'a> {
    /// Takes a line apart; `None` if it is blank.
    pub(crate) fn parse(line: &'a str) -> Result<Option<Self>, Wrong<'a>> {
        let mut words = line.split_ascii_whitespace();
        let Some(word) = words.next() else {
            return Ok(None);
        };
        if let Some(name) = word.strip_prefix('-') {
            return match words.next() {
                None => symbol(name).map(|name| Some(Self::Disarm(name))),
                Some(more) => Err(Wrong(more, "nothing may follow what is disarmed")),
            };
        }
        let name = symbol(word)?;
        let mut asked = [Ask::Nothing; ARGS];
        for word in words {
            let (number, ask) = argument(word)?;
            match number.checked_sub(1).and_then(|i| asked.get_mut(i)) {
                Some(place) if *place == Ask::Nothing => *place = ask,
                Some(_) => return Err(Wrong(word, "the argument is named twice")),
                None => return Err(Wrong(word, "arguments are numbered from $1 to $6")),
            }
        }
        Ok(Some(Self::Arm(name, asked)))
    }
}

fn symbol(name: &str) -> Result<&str, Wrong<'_>> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Wrong("", "a symbol is made of printable characters"));
    }
    if name.len() > SYMBOL_MAX {
        return Err(Wrong("", "no symbol is as long as that"));
    }
    Ok(name)
}

fn argument(word: &str) -> Result<(usize, Ask), Wrong<'_>> {
    let wrong = || Wrong(word, "not of the form $N, $N=NUMBER or $N=net");
    if !word.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Wrong("", "an argument is made of printable characters"));
    }
    let rest = word.strip_prefix('$').ok_or_else(wrong)?;
    let (number, ask) = match rest.split_once('=') {
        None => (rest, Ask::Print),
        Some((number, "net")) => (number, Ask::Netns),
        Some((number, value)) => {
            let value = match value.strip_prefix("0x") {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => value.parse(),
            };
            (number, Ask::Equals(value.map_err(|_| wrong())?))
        }
    };
    Ok((number.parse().map_err(|_| wrong())?, ask))
}
