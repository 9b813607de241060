// SPDX-License-Identifier: GPL-2.0

//! The texts that classic BPF programs come in.
//!
//! One instruction a line, `{ 0x28, 0, 0, 0x0000000c },`, as `bpfc` (and `tcpdump -dd`) print
//! it; or decimal numbers without braces, `40 0 0 12`, after a line with the number of
//! instructions, as `tcpdump -ddd` does. In the latter, commas may stand for the line ends (the
//! form that iptables' bpf match takes). Where that gets too long for an option: the word `hex`, then 14
//! digits an instruction (operation 2, jumps 2 and 2, operand 8), which is so short that all programs
//! fit. Empty lines, and C comments of a whole line, are passed
//! over.

use core::fmt;

/// An instruction: operation, jump when true, jump when false, operand.
pub(crate) type Quad = (u16, u8, u8, u32);

/// The most instructions that a program can have; the kernel's `BPF_MAXINSNS`.
pub(crate) const MAX: usize = 4096;

/// What is wrong with a text. Lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadText {
    /// It is not UTF-8.
    NotText,
    /// It has no instruction.
    Empty,
    /// It has more than [`MAX`] instructions.
    TooLong,
    /// This line is not an instruction.
    Line(usize),
    /// This instruction is not 14 hexadecimal digits.
    Packed(usize),
    /// The first line announces another number of instructions than there are.
    Count(usize, usize),
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadText::NotText => f.write_str("program: not a text"),
            BadText::Empty => f.write_str("program: no instruction"),
            BadText::TooLong => write!(f, "program: more than {MAX} instructions"),
            BadText::Line(line) => write!(f, "program: line {line} is not an instruction"),
            BadText::Packed(number) => {
                write!(
                    f,
                    "program: instruction {number} is not 14 hexadecimal digits"
                )
            }
            BadText::Count(want, have) => {
                write!(f, "program: {have} instructions, not {want} as line 1 says")
            }
        }
    }
}

/// Reads a program, giving each instruction to `push`, which says whether it has taken it.
/// Returns how many there are.
pub(crate) fn parse(text: &[u8], mut push: impl FnMut(Quad) -> bool) -> Result<usize, BadText> {
    let text = core::str::from_utf8(text).map_err(|_| BadText::NotText)?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if let Some(digits) = text.trim().strip_prefix(PACKED) {
        return unpack(digits.trim_start(), push);
    }
    let braces = has_braces(text);
    let mut announced = None;
    let mut count = 0;
    for (number, line, _) in lines(text, braces) {
        let bad = BadText::Line(number);
        if !braces && announced.is_none() {
            announced = Some(line.parse::<usize>().map_err(|_| bad)?);
            continue;
        }
        let quad = instruction(line, braces).ok_or(bad)?;
        if count >= MAX {
            return Err(BadText::TooLong);
        }
        if !push(quad) {
            return Err(BadText::TooLong);
        }
        count = count.saturating_add(1);
    }
    match announced {
        Some(announced) if announced != count => Err(BadText::Count(announced, count)),
        _ if count == 0 => Err(BadText::Empty),
        _ => Ok(count),
    }
}

/// What stands before the path of a program that is pinned.
pub(crate) const PINNED: &str = "pinned:";

/// The path that a text names of a pinned program; none where it is no such text.
pub(crate) fn pinned(text: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(text).ok()?;
    Some(text.trim().strip_prefix(PINNED)?.trim_start())
}

/// What some editors put first.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What a program begins with whose instructions are packed.
const PACKED: &str = "hex";
/// Digits of an instruction in it.
const DIGITS: usize = 14;
/// More instructions than that can be more than an option takes in decimal numbers: 23 bytes each.
pub(crate) const MAX_DECIMAL: usize = 2800;

/// Reads the digits of a packed program.
fn unpack(digits: &str, mut push: impl FnMut(Quad) -> bool) -> Result<usize, BadText> {
    let mut count: usize = 0;
    for part in digits.as_bytes().chunks(DIGITS) {
        if count >= MAX {
            return Err(BadText::TooLong);
        }
        count = count.saturating_add(1);
        let quad = digits_of(part).ok_or(BadText::Packed(count))?;
        if !push(quad) {
            return Err(BadText::TooLong);
        }
    }
    match count {
        0 => Err(BadText::Empty),
        _ => Ok(count),
    }
}

fn digits_of(part: &[u8]) -> Option<Quad> {
    let text = core::str::from_utf8(part).ok()?;
    let plain = part.len() == DIGITS && part.iter().all(u8::is_ascii_hexdigit);
    let hex = |from, to| u32::from_str_radix(text.get(from..to)?, 16).ok();
    let byte = |from, to| u8::try_from(hex(from, to)?).ok();
    let quad = (
        u16::from(byte(0, 2)?),
        byte(2, 4)?,
        byte(4, 6)?,
        hex(6, DIGITS)?,
    );
    plain.then_some(quad)
}

/// Prints instructions in the packed form. No operation that the kernel takes has more than two digits.
pub(crate) fn pack(to: &mut dyn fmt::Write, quads: impl Iterator<Item = Quad>) -> fmt::Result {
    write!(to, "{PACKED} ")?;
    for (code, jt, jf, k) in quads {
        write!(to, "{code:02x}{jt:02x}{jf:02x}{k:08x}")?;
    }
    Ok(())
}

/// What the beginning of a text is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is no program yet.
    Partial,
    /// It is a program, or nothing at all; the beginning of a longer one as well.
    Possible,
    /// It is a program to which nothing can be added: as many instructions as line 1 says.
    Complete,
}

/// Judges what there is of a text that comes in pieces, cut anywhere. A program is not there before
/// its last instruction returns and no jump leads behind that: a part of one is never taken for it,
/// unless it is one itself. Fails where nothing that follows could make a program of it.
pub(crate) fn progress(text: &[u8]) -> Result<Progress, BadText> {
    let text = match core::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => return Err(BadText::NotText),
        // A character is cut off.
        Err(error) => text
            .get(..error.valid_up_to())
            .and_then(|text| core::str::from_utf8(text).ok())
            .unwrap_or_default(),
    };
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let start = text.trim_start();
    if let Some(digits) = start.strip_prefix(PACKED) {
        return progress_packed(digits.trim());
    }
    if start.starts_with(PINNED) {
        return Ok(Progress::Possible);
    }
    if !start.is_empty() && (PACKED.starts_with(start) || PINNED.starts_with(start)) {
        return Ok(Progress::Partial);
    }
    let braces = has_braces(text);
    let mut announced = None;
    let mut ended = true;
    let (mut count, mut need) = (0usize, 0usize);
    for (number, line, whole) in lines(text, braces) {
        let bad = BadText::Line(number);
        ended = whole;
        if !braces && announced.is_none() {
            match line.parse::<usize>() {
                Ok(wanted) if whole && wanted > MAX => return Err(BadText::TooLong),
                Ok(wanted) if whole => announced = Some(wanted),
                Err(_) if whole || !is_fit(line) => return Err(bad),
                _ => return Ok(Progress::Partial),
            }
            continue;
        }
        let Some(quad) = instruction(line, braces) else {
            // That of the last line may still be one.
            if whole || !is_fit(line) || announced == Some(count) {
                return Err(bad);
            }
            return Ok(Progress::Partial);
        };
        count = count.saturating_add(1);
        need = need.max(needs(count, quad));
        if count > MAX {
            return Err(BadText::TooLong);
        }
    }
    match announced {
        Some(announced) if count > announced => Err(BadText::Count(announced, count)),
        Some(0) => Err(BadText::Empty),
        Some(announced) if count < announced => Ok(Progress::Partial),
        Some(_) if ended => Ok(Progress::Complete),
        Some(_) => Ok(Progress::Possible),
        None if count >= need && (count > 0 || text.trim().is_empty()) => Ok(Progress::Possible),
        None => Ok(Progress::Partial),
    }
}

/// The same for the digits of a packed program.
fn progress_packed(digits: &str) -> Result<Progress, BadText> {
    let (mut count, mut need) = (0usize, 1usize);
    for part in digits.as_bytes().chunks(DIGITS) {
        let number = count.saturating_add(1);
        let Some(quad) = digits_of(part) else {
            if part.len() == DIGITS || !part.iter().all(u8::is_ascii_hexdigit) {
                return Err(BadText::Packed(number));
            }
            return Ok(Progress::Partial);
        };
        if number > MAX {
            return Err(BadText::TooLong);
        }
        (count, need) = (number, need.max(needs(number, quad)));
    }
    if count >= need {
        Ok(Progress::Possible)
    } else {
        Ok(Progress::Partial)
    }
}

/// How many instructions a program has at least that has this one, of this number (from 1): one more
/// unless it returns, and those that it jumps over.
fn needs(number: usize, (code, jt, jf, k): Quad) -> usize {
    const CLASS: u16 = 0x07;
    const RET: u16 = 0x06;
    const JMP: u16 = 0x05;
    const JA: u16 = 0x05;
    let next = number.saturating_add(1);
    let over = match code {
        JA => usize::try_from(k).unwrap_or(usize::MAX),
        _ if code & CLASS == JMP => jt.max(jf).into(),
        _ if code & CLASS == RET => return number,
        _ => 0,
    };
    next.saturating_add(over)
}

/// Whether the instructions are in braces, as the first one of them shows.
fn has_braces(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    lines
        .find(|line| !line.is_empty() && !is_comment(line))
        .is_some_and(|line| line.starts_with('{'))
}

/// The lines that say something, with their numbers from 1 on; and whether each is ended.
fn lines(text: &str, braces: bool) -> impl Iterator<Item = (usize, &str, bool)> {
    let separators = ['\n', if braces { '\n' } else { ',' }];
    text.split_inclusive(separators)
        .enumerate()
        .map(move |(i, line)| {
            let ended = line.ends_with(separators);
            let line = line.trim_end_matches(separators).trim();
            (i.saturating_add(1), line, ended)
        })
        .filter(|(_, line, _)| !line.is_empty() && !is_comment(line))
}

fn instruction(line: &str, braces: bool) -> Option<Quad> {
    if braces {
        in_braces(line)
    } else {
        quad(line.split_ascii_whitespace())
    }
}

/// Whether a line can go on so that it says something.
fn is_fit(line: &str) -> bool {
    let fit = |b: u8| b.is_ascii_hexdigit() || b.is_ascii_whitespace() || b"{},xX".contains(&b);
    line.starts_with('/') || line.bytes().all(fit)
}

fn is_comment(line: &str) -> bool {
    line.starts_with("/*") && line.ends_with("*/")
}

fn in_braces(line: &str) -> Option<Quad> {
    let line = line.strip_suffix(',').unwrap_or(line);
    let inner = line.strip_prefix('{')?.trim_end().strip_suffix('}')?;
    quad(inner.split(',').map(str::trim))
}

fn quad<'a>(mut numbers: impl Iterator<Item = &'a str>) -> Option<Quad> {
    let mut next = || number(numbers.next()?);
    let quad = (
        u16::try_from(next()?).ok()?,
        u8::try_from(next()?).ok()?,
        u8::try_from(next()?).ok()?,
        next()?,
    );
    numbers.next().is_none().then_some(quad)
}

fn number(text: &str) -> Option<u32> {
    // `parse` takes a sign, which no number here has.
    if text.starts_with(['+', '-']) {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with(['+', '-']) => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// Prints an instruction in the form with braces.
pub(crate) fn print(to: &mut dyn fmt::Write, (code, jt, jf, k): Quad) -> fmt::Result {
    writeln!(to, "{{ 0x{code:x}, {jt}, {jf}, 0x{k:08x} }},")
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write as _;

    fn read(text: &str) -> Result<Vec<Quad>, BadText> {
        let mut quads = vec![];
        let count = parse(text.as_bytes(), |quad| {
            quads.push(quad);
            true
        })?;
        assert_eq!(count, quads.len());
        Ok(quads)
    }

    const IPV4: [Quad; 4] = [
        (0x28, 0, 0, 12),
        (0x15, 0, 1, 0x800),
        (0x6, 0, 0, u32::MAX),
        (0x6, 0, 0, 0),
    ];

    #[test]
    fn a_path_is_no_program() {
        assert_eq!(pinned(b" pinned:/sys/fs/bpf/x\n"), Some("/sys/fs/bpf/x"));
        assert_eq!(pinned(b"pinned: x y"), Some("x y"));
        assert_eq!(pinned(b"pinned:"), Some(""));
        for text in ["", "pinned", "1\n6 0 0 0\n", "hex", "a pinned:/x"] {
            assert_eq!(pinned(text.as_bytes()), None, "{text}");
        }
        assert_eq!(pinned(b"pinned:\xff"), None);
        assert!(matches!(progress(b"pin"), Ok(Progress::Partial)));
        assert!(matches!(progress(b"pinned:/sys"), Ok(Progress::Possible)));
    }

    #[test]
    fn the_form_of_bpfc() {
        let text = "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n\
                    { 0x06, 0, 0, 0xffffffff },\n{ 0x06, 0, 0, 0x00000000 },\n";
        assert_eq!(read(text).unwrap(), IPV4);
        assert_eq!(read(&text.replace('\n', "\r\n")).unwrap(), IPV4);
        assert_eq!(read(&format!("\u{feff}{text}")).unwrap(), IPV4);
    }

    #[test]
    fn the_form_of_tcpdump_ddd_with_line_ends_or_commas() {
        let text = "4\n40 0 0 12\n21 0 1 2048\n6 0 0 4294967295\n6 0 0 0\n";
        assert_eq!(read(text).unwrap(), IPV4);
        assert_eq!(
            read(text.replace('\n', ",").trim_end_matches(',')).unwrap(),
            IPV4
        );
    }

    #[test]
    fn what_is_printed_can_be_read() {
        let mut text = String::new();
        for quad in IPV4 {
            print(&mut text, quad).unwrap();
        }
        assert_eq!(read(&text).unwrap(), IPV4);
    }

    #[test]
    fn all_programs_fit_when_packed() {
        let quads = vec![(0xb1, 255, 255, u32::MAX); MAX];
        let mut text = String::new();
        pack(&mut text, quads.iter().copied()).unwrap();
        assert!(text.len() < 65_000);
        assert_eq!(read(&text).unwrap(), quads);
        assert_eq!(read(&format!("{text}\n")).unwrap(), quads);
        assert_eq!(
            read(&format!("{text}06000000000000")),
            Err(BadText::TooLong)
        );
        assert!("4096\n".len() + MAX_DECIMAL * "177 255 255 4294967295\n".len() < 65_000);
        assert_eq!(read("hex 0600000000000"), Err(BadText::Packed(1)));
        assert_eq!(read("hex 060000000000000x"), Err(BadText::Packed(2)));
        assert_eq!(read("hex +6000000000000"), Err(BadText::Packed(1)));
        assert_eq!(read("hex"), Err(BadText::Empty));
    }

    #[test]
    fn comments_and_empty_lines_are_passed_over() {
        let text = "/* accept */\n\n{ 0x6, 0, 0, 0xffffffff }\n\n";
        assert_eq!(read(text).unwrap(), [(6, 0, 0, u32::MAX)]);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, bad) in [
            ("", BadText::Empty),
            ("/* nothing */", BadText::Empty),
            ("hello", BadText::Line(1)),
            ("{ 0x6, 0, 0, 0 },\n{ 0x6, 0, 0 },", BadText::Line(2)),
            ("{ 0x6, 0, 0, 0, 0 },", BadText::Line(1)),
            ("{ 0x6, 0, 256, 0 },", BadText::Line(1)),
            ("{ 0x10000, 0, 0, 0 },", BadText::Line(1)),
            ("{ 6, 0, 0, -1 },", BadText::Line(1)),
            ("{ 6, 0, 0, 0x+1 },", BadText::Line(1)),
            ("{ 6, 0, 0, 4294967296 },", BadText::Line(1)),
            ("{ 6, 0, 0, 0", BadText::Line(1)),
            ("2\n6 0 0 0\n", BadText::Count(2, 1)),
            ("1\n6 0 0 0\n6 0 0 0\n", BadText::Count(1, 2)),
            ("1\n6 0 0\n", BadText::Line(2)),
        ] {
            assert_eq!(read(text), Err(bad), "{text:?}");
        }
        assert_eq!(parse(b"\xff", |_| true), Err(BadText::NotText));
    }

    #[test]
    fn a_text_may_come_in_pieces() {
        use Progress::{Complete, Partial, Possible};
        for (text, worth) in [
            ("", Possible),
            ("\n \n", Possible),
            ("/* acc", Partial),
            ("/* accept */\n", Partial),
            ("{ 0x6, 0", Partial),
            ("{ 0x6, 0, 0, 0 }", Possible),
            ("{ 0x6, 0, 0, 0 },\n", Possible),
            ("{ 0x6, 0, 0, 0 },\n{ 0x28", Partial),
            ("{ 0x28, 0, 0, 12 },\n", Partial),
            ("{ 0x15, 0, 1, 1 },\n{ 0x6, 0, 0, 0 },\n", Partial),
            (
                "{ 0x15, 0, 1, 1 },\n{ 0x6, 0, 0, 0 },\n{ 0x6, 0, 0, 1 },\n",
                Possible,
            ),
            ("{ 0x5, 0, 0, 1 },\n{ 0x6, 0, 0, 0 },\n", Partial),
            ("{ 0x5, 0, 0, 0xffffffff },\n{ 0x6, 0, 0, 0 },\n", Partial),
            ("1", Partial),
            ("1\n", Partial),
            ("1\n6 0 0 0", Possible),
            ("1\n6 0 0 0\n", Complete),
            ("1,6 0 0 0,", Complete),
            ("1\n6 0 0 0\n\n", Complete),
            ("2\n6 0 0 0\n", Partial),
        ] {
            assert_eq!(progress(text.as_bytes()), Ok(worth), "{text:?}");
        }
        for (text, bad) in [
            ("hel", BadText::Line(1)),
            ("{ 0x6, 0, 0, 0 },\nx\"", BadText::Line(2)),
            ("{ 0x6, 0, 0 },\n", BadText::Line(1)),
            ("1\n6 0 0\n", BadText::Line(2)),
            ("1\n6 0 0 0\n6", BadText::Line(3)),
            ("1\n6 0 0 0\n6 0 0 0\n", BadText::Count(1, 2)),
            ("0\n", BadText::Empty),
            ("4097\n", BadText::TooLong),
        ] {
            assert_eq!(progress(text.as_bytes()), Err(bad), "{text:?}");
        }
        assert_eq!(progress(b"/* \xc3"), Ok(Partial));
        assert_eq!(progress(b"/* \xff"), Err(BadText::NotText));
    }

    #[test]
    fn a_part_of_a_program_is_none() {
        let mut long = String::new();
        let mut short = String::from("4\n");
        for quad in IPV4 {
            print(&mut long, quad).unwrap();
            let (code, jt, jf, k) = quad;
            writeln!(short, "{code} {jt} {jf} {k}").unwrap();
        }
        for text in [long, short] {
            for end in 1..text.len() {
                let worth = progress(&text.as_bytes()[..end]);
                // Up to the last figures or characters of the last line.
                if end < text.len() - 11 {
                    assert_eq!(worth, Ok(Progress::Partial), "{:?}", &text[..end]);
                } else {
                    assert!(worth.is_ok(), "{:?}", &text[..end]);
                }
            }
            assert_ne!(progress(text.as_bytes()), Ok(Progress::Partial));
        }
    }

    #[test]
    fn no_more_than_the_kernel_takes() {
        let line = "{ 0x6, 0, 0, 0x00000000 },\n";
        assert_eq!(read(&line.repeat(MAX)).unwrap().len(), MAX);
        assert_eq!(read(&line.repeat(MAX + 1)), Err(BadText::TooLong));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut seed = 1u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16
        };
        let alphabet = b"{}0x1,9 \n/*-+f\xff";
        for _ in 0..20_000 {
            let len = random() % 64;
            let text: Vec<u8> = (0..len)
                .map(|_| alphabet[random() as usize % alphabet.len()])
                .collect();
            let whole = parse(&text, |_| true);
            let worth = progress(&text);
            if whole.is_ok() {
                assert!(worth.is_ok(), "{text:?}");
            }
        }
    }
}
