// SPDX-License-Identifier: GPL-2.0

//! Header functions and their fields, as they are written: `ip4(ttl=64, da[3]=dinc())`.

use super::{
    ast::{Argument, Call, Value},
    token::{blank, gap, mark, punctuation, string, symbol, word, Grammar, Input, Trouble},
    value::{address, expression},
};
use winnow::stream::Location;

/// How deep fields may lie in fields.
const DEEPEST: usize = 4;

/// A header function, behind its `(`.
pub(crate) fn call(input: &mut Input<'_>, at: usize, name: String) -> Grammar<Call> {
    let arguments = arguments(input, at, &name, DEEPEST)?;
    Ok(Call { name, arguments })
}

fn arguments(input: &mut Input<'_>, at: usize, name: &str, depth: usize) -> Grammar<Vec<Argument>> {
    let mut arguments = Vec::new();
    loop {
        gap(input)?;
        if symbol(input, ')')? {
            return Ok(arguments);
        }
        if input.is_empty() {
            return Err(Trouble::cut(at, format!("the ) of {name} is missing")));
        }
        arguments.push(argument(input, depth)?);
    }
}

fn argument(input: &mut Input<'_>, depth: usize) -> Grammar<Argument> {
    let at = input.current_token_start();
    let mut argument = Argument {
        at,
        name: String::new(),
        part: None,
        inner: None,
        value: None,
    };
    // An address or a string may stand alone, as in `a(1.2.3.4)`.
    if input.starts_with('"') {
        argument.value = Some(Value::Text(string(input)?));
        return Ok(argument);
    }
    let mut ahead = *input;
    if let Ok(Some(address)) = address(&mut ahead) {
        *input = ahead;
        argument.value = Some(address);
        return Ok(argument);
    }
    if !input.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let found = punctuation(input);
        return Err(Trouble::cut(at, format!("a field is wanted, not {found}")));
    }
    argument.name = word(input)?;
    blank(input)?;
    if symbol(input, '[')? {
        argument.part = Some(part(input)?);
    } else if symbol(input, '(')? {
        let deeper = depth.checked_sub(1);
        let deeper = deeper.ok_or_else(|| Trouble::cut(at, "fields lie too deep here"))?;
        argument.inner = Some(arguments(input, at, &argument.name, deeper)?);
    }
    blank(input)?;
    if symbol(input, '=')? {
        blank(input)?;
        argument.value = Some(value(input)?);
    }
    Ok(argument)
}

/// `i]` or `i:length]`.
fn part(input: &mut Input<'_>) -> Grammar<(usize, usize)> {
    blank(input)?;
    let at = input.current_token_start();
    let index = expression(input)?;
    blank(input)?;
    let length = if symbol(input, ':')? {
        blank(input)?;
        expression(input)?
    } else {
        1
    };
    mark(input, ']', "after the part of the field")?;
    match (usize::try_from(index), length) {
        (Ok(index), 1 | 2 | 4) if index < 65_536 => {
            Ok((index, usize::try_from(length).unwrap_or(1)))
        }
        _ => Err(Trouble::cut(
            at,
            "a part of a field is 1, 2 or 4 bytes of it: [index:length]",
        )),
    }
}

fn value(input: &mut Input<'_>) -> Grammar<Value> {
    let at = input.current_token_start();
    if input.starts_with('"') {
        return string(input).map(Value::Text);
    }
    if let Some(address) = address(input)? {
        return Ok(address);
    }
    let mut ahead = *input;
    let name = word(&mut ahead).unwrap_or_default();
    match name.as_str() {
        "dinc" | "ddec" | "drnd" => {
            *input = ahead;
            mark(input, '(', "after the function")?;
            function(input, at, &name)
        }
        "req" | "request" | "reply" => {
            *input = ahead;
            Ok(Value::Word(name))
        }
        _ => expression(input).map(Value::Number),
    }
}

/// What makes a field vary, behind its `(`.
fn function(input: &mut Input<'_>, at: usize, name: &str) -> Grammar<Value> {
    let mut numbers = Vec::new();
    loop {
        gap(input)?;
        if symbol(input, ')')? {
            break;
        }
        if input.is_empty() || numbers.len() == 3 {
            return Err(Trouble::cut(at, format!("the ) of {name} is missing")));
        }
        numbers.push(expression(input)?);
    }
    let down = name == "ddec";
    match (name, numbers.as_slice()) {
        ("drnd", []) => Ok(Value::Random(None)),
        ("drnd", [min, max]) => Ok(Value::Random(Some((*min, *max)))),
        ("drnd", _) => Err(Trouble::cut(
            at,
            "drnd of a field wants the least and the greatest, or nothing",
        )),
        (_, []) => Ok(Value::Count { range: None, down }),
        (_, [min, max]) => Ok(Value::Count {
            range: Some((*min, *max, 1)),
            down,
        }),
        (_, [min, max, step]) => Ok(Value::Count {
            range: Some((*min, *max, *step)),
            down,
        }),
        _ => Err(Trouble::cut(
            at,
            format!("{name} of a field wants the least, the greatest, and maybe a step"),
        )),
    }
}
