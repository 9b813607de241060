// SPDX-License-Identifier: GPL-2.0

//! The grammar of the assembler: from a text to statements whose jumps still have labels.
//!
//! It takes what the kernel tree's `tools/bpf/bpf_asm` takes, in the syntax of the [BSD packet filter's
//! paper](https://www.tcpdump.org/papers/bpf-usenix93.pdf). Ends of line are blanks.

use crate::{
    insn::{unsigned, Alu, Op, Register, Size, Source, Test, AD_OFF, EXTENSIONS},
    problem::Problem,
};
use std::ops::Range;
use winnow::{
    ascii::{multispace1, till_line_ending},
    combinator::{eof, opt, preceded, terminated},
    error::{ErrMode, ParserError},
    prelude::*,
    stream::{LocatingSlice, Location, Stream},
    token::{any, take_until, take_while},
};

type Input<'a> = LocatingSlice<&'a str>;
type Outcome<T> = Result<T, ErrMode<Problem>>;

impl ParserError<Input<'_>> for Problem {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        let (at, what) = next_word(input);
        Problem::new(at, format!("{what} is not expected here"))
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The name of a label, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label<'a> {
    pub(crate) name: &'a str,
    pub(crate) at: Range<usize>,
}

/// An instruction with the labels that it jumps to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// The labels before it.
    pub(crate) labels: Vec<Label<'a>>,
    /// Where it stands.
    pub(crate) at: Range<usize>,
    pub(crate) op: Op,
    pub(crate) k: u32,
    /// Where an unconditional jump goes.
    pub(crate) always: Option<Label<'a>>,
    /// Where a conditional one goes if its test is true.
    pub(crate) yes: Option<Label<'a>>,
    /// The same if it is false.
    pub(crate) no: Option<Label<'a>>,
}

/// What stands behind a mnemonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operand {
    Immediate(u32),
    /// A number without `#`.
    Bare(u32),
    Length,
    Extension(u32),
    Memory(u32),
    Absolute(u32),
    Indirect(u32),
    HeaderLength(u32),
    Register(Register),
}

/// What a mnemonic stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mnemonic {
    /// `ld`, `ldh`, `ldb`.
    Load(Size),
    /// `ldx`.
    LoadX,
    /// `ldi`, `ldxi`.
    Immediate(Register),
    /// `ldxb`.
    HeaderLength,
    /// `st`, `stx`.
    Store(Register),
    /// `jmp`, `ja`.
    Jump,
    /// A test, and whether the jump is for what does not pass it.
    Branch(Test, bool),
    Alu(Alu),
    Neg,
    Return,
    Tax,
    Txa,
}

fn mnemonic(word: &str) -> Option<Mnemonic> {
    let lower = word.to_ascii_lowercase();
    Some(match lower.as_str() {
        "ld" => Mnemonic::Load(Size::Word),
        "ldh" => Mnemonic::Load(Size::Half),
        "ldb" => Mnemonic::Load(Size::Byte),
        "ldx" => Mnemonic::LoadX,
        "ldi" => Mnemonic::Immediate(Register::A),
        "ldxi" => Mnemonic::Immediate(Register::X),
        "ldxb" => Mnemonic::HeaderLength,
        "st" => Mnemonic::Store(Register::A),
        "stx" => Mnemonic::Store(Register::X),
        "jmp" | "ja" => Mnemonic::Jump,
        "jne" | "jneq" => Mnemonic::Branch(Test::Eq, true),
        "jlt" => Mnemonic::Branch(Test::Ge, true),
        "jle" => Mnemonic::Branch(Test::Gt, true),
        "neg" => Mnemonic::Neg,
        "ret" => Mnemonic::Return,
        "tax" => Mnemonic::Tax,
        "txa" => Mnemonic::Txa,
        word => {
            let alu = Alu::ALL.iter().find(|(_, name, _)| *name == word);
            let test = Test::ALL.iter().find(|(_, name, _)| *name == word);
            match (alu, test) {
                (Some((alu, ..)), _) => Mnemonic::Alu(*alu),
                (_, Some((test, ..))) => Mnemonic::Branch(*test, false),
                _ => return None,
            }
        }
    })
}

impl Mnemonic {
    /// The operands that it takes, in words.
    fn operands(self) -> &'static str {
        match self {
            Mnemonic::Load(Size::Word) => {
                "#k, #len, [k], [x + k], M[k] or an extension such as #proto"
            }
            Mnemonic::Load(_) => "[k], [x + k] or an extension such as #proto",
            Mnemonic::LoadX => "#k, #len, M[k] or 4*([k]&0xf)",
            Mnemonic::Immediate(_) => "#k",
            Mnemonic::HeaderLength => "4*([k]&0xf)",
            Mnemonic::Store(_) => "M[k]",
            Mnemonic::Jump => "a label",
            Mnemonic::Branch(..) | Mnemonic::Alu(_) => "#k or x",
            Mnemonic::Return => "#k or a",
            Mnemonic::Neg | Mnemonic::Tax | Mnemonic::Txa => "nothing",
        }
    }

    /// The operation and its operand, where they go together.
    fn with(self, operand: Operand) -> Option<(Op, u32)> {
        use Operand as O;
        let one = match (self, operand) {
            (Mnemonic::Load(size), O::Absolute(k)) => (Op::Absolute(size), k),
            (Mnemonic::Load(size), O::Indirect(k)) => (Op::Indirect(size), k),
            (Mnemonic::Load(size), O::Extension(off)) => {
                (Op::Absolute(size), AD_OFF.wrapping_add(off))
            }
            (Mnemonic::Load(Size::Word), O::Immediate(k)) => (Op::Immediate(Register::A), k),
            (Mnemonic::Load(Size::Word), O::Length) => (Op::Length(Register::A), 0),
            (Mnemonic::Load(Size::Word), O::Memory(k)) => (Op::Load(Register::A), k),
            (Mnemonic::LoadX, O::Immediate(k)) => (Op::Immediate(Register::X), k),
            (Mnemonic::LoadX, O::Length) => (Op::Length(Register::X), 0),
            (Mnemonic::LoadX, O::Memory(k)) => (Op::Load(Register::X), k),
            (Mnemonic::LoadX | Mnemonic::HeaderLength, O::HeaderLength(k)) => (Op::HeaderLength, k),
            (Mnemonic::Immediate(register), O::Immediate(k) | O::Bare(k)) => {
                (Op::Immediate(register), k)
            }
            (Mnemonic::Store(register), O::Memory(k)) => (Op::Store(register), k),
            (Mnemonic::Branch(test, _), O::Immediate(k)) => (Op::Branch(test, Source::K), k),
            (Mnemonic::Branch(test, _), O::Register(Register::X)) => {
                (Op::Branch(test, Source::X), 0)
            }
            (Mnemonic::Alu(alu), O::Immediate(k)) => (Op::Alu(alu, Source::K), k),
            (Mnemonic::Alu(alu), O::Register(Register::X)) => (Op::Alu(alu, Source::X), 0),
            (Mnemonic::Return, O::Immediate(k)) => (Op::ReturnK, k),
            (Mnemonic::Return, O::Register(register)) => (Op::Return(register), 0),
            _ => return None,
        };
        Some(one)
    }
}

/// The statements of a text, and the labels behind the last of them.
pub(crate) fn parse(text: &str) -> Result<(Vec<Statement<'_>>, Vec<Label<'_>>), Problem> {
    match program(&mut Input::new(text)) {
        Ok((mut statements, labels)) => {
            for statement in &mut statements {
                statement.at = bare(text, statement.at.clone());
            }
            Ok((statements, labels))
        }
        Err(ErrMode::Backtrack(mut problem) | ErrMode::Cut(mut problem)) => {
            problem.at = bare(text, problem.at);
            Err(problem)
        }
        Err(ErrMode::Incomplete(_)) => {
            Err(Problem::new(text.len()..text.len(), "the text is cut off"))
        }
    }
}

/// A place without the comments and blanks behind it.
fn bare(text: &str, at: Range<usize>) -> Range<usize> {
    let part = text.get(at.clone()).unwrap_or_default();
    let ends = [part.find('\n'), part.find(';'), part.find("/*")];
    let part = match ends.into_iter().flatten().filter(|end| *end > 0).min() {
        Some(end) => part.get(..end).unwrap_or_default(),
        None => part,
    };
    at.start..at.start + part.trim_end().len()
}

fn program<'a>(input: &mut Input<'a>) -> Outcome<(Vec<Statement<'a>>, Vec<Label<'a>>)> {
    let mut all = Vec::new();
    let mut labels = Vec::new();
    space(input)?;
    while opt(eof).parse_next(input)?.is_none() {
        let (at, what) = next_word(input);
        let Some(word) = opt(word).parse_next(input)? else {
            return fail(at, format!("{what}: an instruction or a label is wanted"));
        };
        if opt(symbol(':')).parse_next(input)?.is_some() {
            labels.push(checked_label(word, at)?);
            continue;
        }
        let Some(mnemonic) = mnemonic(word) else {
            return fail(at, format!("there is no instruction {what}"));
        };
        let labels = std::mem::take(&mut labels);
        all.push(statement(labels, mnemonic, (word, at), input)?);
    }
    Ok((all, labels))
}

/// What follows a mnemonic.
fn statement<'a>(
    labels: Vec<Label<'a>>,
    mnemonic: Mnemonic,
    (word, at): (&str, Range<usize>),
    input: &mut Input<'a>,
) -> Outcome<Statement<'a>> {
    let mut statement = Statement {
        labels,
        at,
        op: Op::Jump,
        k: 0,
        always: None,
        yes: None,
        no: None,
    };
    match mnemonic {
        Mnemonic::Neg => statement.op = Op::Neg,
        Mnemonic::Tax => statement.op = Op::Tax,
        Mnemonic::Txa => statement.op = Op::Txa,
        Mnemonic::Jump => statement.always = Some(label(input)?),
        _ => {
            let (found, what) = next_word(input);
            let start = found.start;
            let wanted = || format!("{word} takes {}", mnemonic.operands());
            let Some(operand) = operand(input)? else {
                return fail(statement.at, format!("{}, not {what}", wanted()));
            };
            let Some((op, k)) = mnemonic.with(operand) else {
                return fail(start..input.current_token_start(), wanted());
            };
            (statement.op, statement.k) = (op, k);
        }
    }
    if let Mnemonic::Branch(_, inverted) = mnemonic {
        comma(input, "a label behind it")?;
        let mut targets = (Some(label(input)?), None);
        if opt(symbol(',')).parse_next(input)?.is_some() {
            targets.1 = Some(label(input)?);
        }
        if inverted {
            targets = (targets.1, targets.0);
        }
        (statement.yes, statement.no) = targets;
    }
    let start = statement.at.start;
    statement.at = start..input.current_token_start();
    Ok(statement)
}

/// An operand, if there is one.
fn operand(input: &mut Input<'_>) -> Outcome<Option<Operand>> {
    let start = input.checkpoint();
    let (at, what) = next_word(input);
    let Some(first) = input.chars().next() else {
        return Ok(None);
    };
    let operand = match first {
        '#' => {
            symbol('#').parse_next(input)?;
            match opt(word).parse_next(input)? {
                Some(name) => match named(name, true) {
                    Some(operand) => operand,
                    None => return fail(at, format!("there is no extension #{name}")),
                },
                None => Operand::Immediate(number(input)?),
            }
        }
        '[' => bracketed(input)?,
        '%' => {
            symbol('%').parse_next(input)?;
            match opt(word).parse_next(input)?.and_then(register) {
                Some(register) => Operand::Register(register),
                None => return fail(at, "the registers are %a and %x"),
            }
        }
        '0'..='9' | '+' | '-' => {
            let factor = number(input)?;
            if opt(symbol('*')).parse_next(input)?.is_none() {
                Operand::Bare(factor)
            } else {
                header_length(factor, at, input)?
            }
        }
        _ => {
            let Some(name) = opt(word).parse_next(input)? else {
                return fail(at, format!("{what} is no operand"));
            };
            if name.eq_ignore_ascii_case("m") {
                symbol_or('[', input)?;
                let k = number(input)?;
                symbol_or(']', input)?;
                Operand::Memory(k)
            } else if let Some(register) = register(name) {
                Operand::Register(register)
            } else if let Some(operand) = named(name, false) {
                operand
            } else {
                input.reset(&start);
                return Ok(None);
            }
        }
    };
    Ok(Some(operand))
}

/// `[k]` or `[x + k]`.
fn bracketed(input: &mut Input<'_>) -> Outcome<Operand> {
    symbol_or('[', input)?;
    let (at, what) = next_word(input);
    let percent = opt(symbol('%')).parse_next(input)?;
    let operand = match opt(word).parse_next(input)?.map(register) {
        Some(Some(Register::X)) => {
            // A sign may belong to the number: bpf_asm wants a blank where it is none.
            match input.chars().next() {
                Some('+' | '-') => {}
                _ => return unexpected(input, "+ and a number behind x"),
            }
            let negative = input.starts_with('-');
            any.parse_next(input)?;
            space(input)?;
            let k = number(input)?;
            Operand::Indirect(if negative { k.wrapping_neg() } else { k })
        }
        None if percent.is_none() => Operand::Absolute(number(input)?),
        _ => return fail(at, format!("[k] or [x + k] is wanted, not [{what}")),
    };
    symbol_or(']', input)?;
    Ok(operand)
}

/// What follows `4*`.
fn header_length(factor: u32, at: Range<usize>, input: &mut Input<'_>) -> Outcome<Operand> {
    symbol_or('(', input)?;
    symbol_or('[', input)?;
    let k = number(input)?;
    symbol_or(']', input)?;
    symbol_or('&', input)?;
    let mask = number(input)?;
    symbol_or(')', input)?;
    if (factor, mask) != (4, 0xf) {
        let whole = at.start..input.current_token_start();
        return fail(whole, "only 4*([k]&0xf) can be computed");
    }
    Ok(Operand::HeaderLength(k))
}

fn register(word: &str) -> Option<Register> {
    match word {
        "a" | "A" => Some(Register::A),
        "x" | "X" => Some(Register::X),
        _ => None,
    }
}

/// What has a name: the length, and the extensions.
fn named(word: &str, hash: bool) -> Option<Operand> {
    let is = |name: &str| name.eq_ignore_ascii_case(word);
    if is("len") {
        return Some(Operand::Length);
    }
    let found = EXTENSIONS
        .iter()
        .find(|(name, _, bare)| is(name) && (hash || *bare));
    found.map(|(_, off, _)| Operand::Extension(*off))
}

/// The name of a label that is jumped to.
fn label<'a>(input: &mut Input<'a>) -> Outcome<Label<'a>> {
    let (at, what) = next_word(input);
    match opt(word).parse_next(input)? {
        Some(name) => checked_label(name, at),
        None => fail(at, format!("a label is wanted, not {what}")),
    }
}

fn checked_label(name: &str, at: Range<usize>) -> Outcome<Label<'_>> {
    if mnemonic(name).is_some() {
        return fail(
            at,
            format!("a label is wanted, and {name} is an instruction"),
        );
    }
    if register(name).is_some() || name.eq_ignore_ascii_case("m") {
        return fail(at, format!("a label is wanted, and {name} is a register"));
    }
    Ok(Label { name, at })
}

fn comma(input: &mut Input<'_>, before: &str) -> Outcome<()> {
    match opt(symbol(',')).parse_next(input)? {
        Some(_) => Ok(()),
        None => unexpected(input, &format!("a comma and {before}")),
    }
}

/// A number of 32 bits: decimal with or without a sign, or `0x`, `0b`, or octal after a 0.
fn number(input: &mut Input<'_>) -> Outcome<u32> {
    let (at, what) = next_word(input);
    let sign = opt(any.verify(|c| matches!(c, '+' | '-'))).parse_next(input)?;
    let word_like = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let digits = opt(take_while(1.., word_like)).parse_next(input)?;
    let Some(digits) = digits.filter(|d| d.starts_with(|c: char| c.is_ascii_digit())) else {
        return fail(at, format!("a number is wanted, not {what}"));
    };
    let at = at.start..input.current_token_start();
    let (base, rest) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..).unwrap_or_default()),
        Some("0b" | "0B") => (2, digits.get(2..).unwrap_or_default()),
        Some(two) if two.starts_with('0') => (8, digits),
        _ => (10, digits),
    };
    if rest.is_empty() || !rest.chars().all(|c| c.is_digit(base)) {
        return fail(at, format!("{digits} is no number"));
    }
    let value = i64::from_str_radix(rest, base).unwrap_or(i64::MAX);
    let value = if sign == Some('-') { -value } else { value };
    let Some(value) = within_32_bits(value) else {
        return fail(at, format!("{what} does not fit in 32 bits"));
    };
    space(input)?;
    Ok(value)
}

/// A number as the 32 bits of an operand; negative ones are from -2^31 on.
fn within_32_bits(value: i64) -> Option<u32> {
    let signed = i32::try_from(value).map(unsigned);
    u32::try_from(value).or(signed).ok()
}

/// A name, and the blanks behind it.
fn word<'a>(input: &mut Input<'a>) -> Outcome<&'a str> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let more = |c: char| c.is_ascii_alphanumeric() || c == '_';
    terminated(
        (any.verify(move |c| first(*c)), take_while(0.., more)).take(),
        space,
    )
    .parse_next(input)
}

fn symbol<'a>(c: char) -> impl Parser<Input<'a>, char, ErrMode<Problem>> {
    terminated(c, space)
}

fn symbol_or(c: char, input: &mut Input<'_>) -> Outcome<()> {
    match opt(symbol(c)).parse_next(input)? {
        Some(_) => Ok(()),
        None => unexpected(input, &c.to_string()),
    }
}

/// Blanks, ends of line and comments: from `;` to the end of the line, between `/*` and `*/`, and lines
/// that begin with `#`, which the C preprocessor makes.
fn space(input: &mut Input<'_>) -> Outcome<()> {
    let mut fresh = input.current_token_start() == 0;
    loop {
        let at = input.current_token_start();
        if let Some(blanks) = opt(multispace1).parse_next(input)? {
            fresh = blanks.ends_with('\n');
        } else if (fresh && input.starts_with('#')) || input.starts_with(';') {
            till_line_ending.parse_next(input)?;
        } else if opt("/*").parse_next(input)?.is_some() {
            fresh = false;
            if opt(preceded(take_until(0.., "*/"), "*/"))
                .parse_next(input)?
                .is_none()
            {
                return fail(at..at + 2, "this comment has no end");
            }
        } else {
            return Ok(());
        }
    }
}

fn fail<T>(at: Range<usize>, what: impl Into<String>) -> Outcome<T> {
    Err(ErrMode::Cut(Problem::new(at, what)))
}

fn unexpected<T>(input: &Input<'_>, wanted: &str) -> Outcome<T> {
    let (at, what) = next_word(input);
    fail(at, format!("{wanted} is wanted, not {what}"))
}

/// What comes next, for a message.
fn next_word(input: &Input<'_>) -> (Range<usize>, String) {
    let start = input.current_token_start();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let len = input.find(|c| !word(c)).unwrap_or(input.len());
    let first = input.chars().next();
    let len = if len == 0 {
        first.map_or(0, char::len_utf8)
    } else {
        len
    };
    match (first, input.get(..len)) {
        (Some('\n' | '\r'), _) => (start..start, "the end of the line".to_owned()),
        (Some(_), Some(text)) => (start..start + len, text.escape_debug().to_string()),
        _ => (start..start, "the end of the text".to_owned()),
    }
}
