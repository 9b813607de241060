// SPDX-License-Identifier: GPL-2.0

//! What the grammar is made of: blanks and comments, numbers, strings, words, signs.

use super::{constants::constant, error::Mistake};
use winnow::{
    ascii::multispace1,
    combinator::{alt, opt, repeat},
    error::{ErrMode, ParserError},
    prelude::*,
    stream::{LocatingSlice, Location, Stream},
    token::{any, one_of, take_until, take_while},
};

/// What is left of the text.
pub(crate) type Input<'a> = LocatingSlice<&'a str>;
/// What a rule answers.
pub(crate) type Grammar<T> = Result<T, ErrMode<Trouble>>;

/// A mistake, as the parsers want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble(pub(crate) Mistake);

impl Trouble {
    /// A mistake that nothing else helps out of.
    pub(crate) fn cut(at: usize, what: impl Into<String>) -> ErrMode<Self> {
        ErrMode::Cut(Trouble(Mistake::new(at, what)))
    }
}

impl<I: Stream + Location> ParserError<I> for Trouble {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        Trouble(Mistake::new(
            input.current_token_start(),
            "this is not understood",
        ))
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// Blanks and comments.
pub(crate) fn blank(input: &mut Input<'_>) -> Grammar<()> {
    let at = input.current_token_start();
    let line = (alt(("#", "//", ";")), take_while(0.., |c| c != '\n')).void();
    let block = ("/*", take_until(0.., "*/"), "*/").void();
    repeat::<_, _, (), _, _>(0.., alt((multispace1.void(), line, block))).parse_next(input)?;
    let rest: &str = input.as_ref();
    if rest.starts_with("/*") {
        let at = at.max(input.current_token_start());
        return Err(Trouble::cut(at, "this comment does not end"));
    }
    Ok(())
}

/// What separates elements: blanks, and commas.
pub(crate) fn gap(input: &mut Input<'_>) -> Grammar<()> {
    blank(input)?;
    while symbol(input, ',')? {
        blank(input)?;
    }
    Ok(())
}

/// Whether this sign follows; then it is taken.
pub(crate) fn symbol(input: &mut Input<'_>, sign: char) -> Grammar<bool> {
    opt(sign).map(|found| found.is_some()).parse_next(input)
}

/// A sign that has to follow.
pub(crate) fn mark(input: &mut Input<'_>, sign: char, place: &str) -> Grammar<()> {
    blank(input)?;
    if symbol(input, sign)? {
        return Ok(());
    }
    let at = input.current_token_start();
    let found = punctuation(input);
    Err(Trouble::cut(
        at,
        format!("{sign} is missing {place}, before {found}"),
    ))
}

/// What stands here, to be named in a message.
pub(crate) fn punctuation(input: &Input<'_>) -> String {
    let rest: &str = input.as_ref();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    match (rest.chars().next(), end.and_then(|end| rest.get(..end))) {
        (None, _) => "the end".to_owned(),
        (Some(c), None | Some("")) => format!("'{c}'"),
        (_, Some(word)) => format!("'{}'", word.chars().take(20).collect::<String>()),
    }
}

/// A word, in small letters.
pub(crate) fn word(input: &mut Input<'_>) -> Grammar<String> {
    let letters = take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    letters.map(str::to_ascii_lowercase).parse_next(input)
}

/// A number: `0x2a`, `x2a`, `42`, `0b101010`, `b101010`, `052`, `'*'`, `'\x2a'`, a letter, a known name.
pub(crate) fn number(input: &mut Input<'_>) -> Grammar<u64> {
    let at = input.current_token_start();
    if input.starts_with('\'') {
        return quoted(input, at);
    }
    let mut letters = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    let text: &str = letters.parse_next(input)?;
    if text.is_empty() {
        let found = punctuation(input);
        return Err(Trouble::cut(at, format!("a number is wanted, not {found}")));
    }
    let small = text.to_ascii_lowercase();
    let radix = |digits: &str, radix| {
        u64::from_str_radix(digits, radix).map_err(|_| {
            let digit = digits.bytes().all(|c| char::from(c).is_digit(radix)) && !digits.is_empty();
            let why = if digit {
                "is too large a number"
            } else {
                "is no number"
            };
            Trouble::cut(at, format!("{text} {why}"))
        })
    };
    let all = |digits: &str, base| !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    if let Some(digits) = small.strip_prefix("0x") {
        radix(digits, 16)
    } else if let Some(digits) = small.strip_prefix("0b") {
        radix(digits, 2)
    } else if let Some(digits) = small.strip_prefix('x').filter(|digits| all(digits, 16)) {
        radix(digits, 16)
    } else if let Some(digits) = small.strip_prefix('b').filter(|digits| all(digits, 2)) {
        radix(digits, 2)
    } else if small.starts_with('0') && small.len() > 1 {
        radix(&small, 8)
    } else if small.starts_with(|c: char| c.is_ascii_digit()) {
        radix(&small, 10)
    } else if let Some(number) = constant(text) {
        Ok(number)
    } else if let (1, Some(&letter)) = (text.len(), text.as_bytes().first()) {
        Ok(u64::from(letter))
    } else {
        let text: String = text.chars().take(40).collect();
        Err(Trouble::cut(
            at,
            format!("{text}: no function and no number has this name"),
        ))
    }
}

/// A character between single quotes.
fn quoted(input: &mut Input<'_>, at: usize) -> Grammar<u64> {
    let digit = |c: char| c.is_ascii_hexdigit();
    let hex = ("'\\x", take_while(2..=2, digit), '\'')
        .map(|(_, digits, _): (_, &str, _)| u64::from_str_radix(digits, 16).unwrap_or_default());
    let plain = ('\'', any, '\'').map(|(_, c, _): (_, char, _)| u64::from(c));
    let found: Grammar<u64> = alt((hex, plain)).parse_next(input);
    match found {
        Ok(byte) if byte < 256 => Ok(byte),
        Ok(_) | Err(_) => Err(Trouble::cut(
            at,
            "a character is a byte between two ', as 'a' or '\\x61'",
        )),
    }
}

/// A string between double quotes, in which `\x2a` is a byte, and `\"` does not end it.
pub(crate) fn string(input: &mut Input<'_>) -> Grammar<Vec<u8>> {
    let at = input.current_token_start();
    let digit = |c: char| c.is_ascii_hexdigit();
    let hex = ("\\x", take_while(2..=2, digit))
        .map(|(_, digits): (_, &str)| vec![u8::from_str_radix(digits, 16).unwrap_or_default()]);
    let escaped = ('\\', one_of(['"', '\\'])).map(|(_, c): (_, char)| c.to_string().into_bytes());
    let plain = any
        .verify(|c| *c != '"')
        .map(|c: char| c.to_string().into_bytes());
    let parts = repeat(0.., alt((hex, escaped, plain))).fold(Vec::new, |mut all: Vec<u8>, part| {
        all.extend(part);
        all
    });
    let text = ('"', parts, opt('"')).parse_next(input)?;
    match text {
        (_, bytes, Some(_)) => Ok(bytes),
        _ => Err(Trouble::cut(at, "this string does not end")),
    }
}
