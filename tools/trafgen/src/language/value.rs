// SPDX-License-Identifier: GPL-2.0

//! Numbers that are worked out, and addresses.

use super::{
    ast::Value,
    token::{blank, mark, number, symbol, Grammar, Input, Trouble},
};
use winnow::{prelude::*, stream::Location, token::take_while};

/// The most bytes that a packet can have.
pub const MOST_BYTES: usize = 65_535;

/// How deep brackets may lie in brackets.
const DEEPEST: usize = 100;

/// A number that is worked out while the text is read: C's operators, with C's precedence.
pub(crate) fn expression(input: &mut Input<'_>) -> Grammar<u64> {
    binary(input, 0, DEEPEST)
}

/// The operators, those first that bind least.
const LEVELS: &[&[&str]] = &[
    &["|"],
    &["^"],
    &["&"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

fn binary(input: &mut Input<'_>, level: usize, depth: usize) -> Grammar<u64> {
    let Some(operators) = LEVELS.get(level) else {
        return unary(input, depth);
    };
    let mut left = binary(input, level + 1, depth)?;
    loop {
        let mut ahead = *input;
        blank(&mut ahead)?;
        let at = ahead.current_token_start();
        let rest: &str = ahead.as_ref();
        let Some(operator) = operators
            .iter()
            .find(|operator| rest.starts_with(**operator))
        else {
            return Ok(left);
        };
        winnow::token::literal::<_, _, winnow::error::ErrMode<Trouble>>(*operator)
            .parse_next(&mut ahead)?;
        *input = ahead;
        blank(input)?;
        let right = binary(input, level + 1, depth)?;
        left = apply(operator, left, right).ok_or_else(|| {
            Trouble::cut(
                at,
                format!("{left} {operator} {right} cannot be worked out"),
            )
        })?;
    }
}

fn apply(operator: &str, left: u64, right: u64) -> Option<u64> {
    let shift = u32::try_from(right).ok();
    match operator {
        "|" => Some(left | right),
        "^" => Some(left ^ right),
        "&" => Some(left & right),
        "<<" => left.checked_shl(shift?),
        ">>" => left.checked_shr(shift?),
        "+" => Some(left.wrapping_add(right)),
        "-" => Some(left.wrapping_sub(right)),
        "*" => Some(left.wrapping_mul(right)),
        "/" => left.checked_div(right),
        _ => left.checked_rem(right),
    }
}

fn unary(input: &mut Input<'_>, depth: usize) -> Grammar<u64> {
    let at = input.current_token_start();
    let deeper = || {
        depth
            .checked_sub(1)
            .ok_or_else(|| Trouble::cut(at, "brackets lie too deep here"))
    };
    if symbol(input, '-')? {
        blank(input)?;
        Ok(unary(input, deeper()?)?.wrapping_neg())
    } else if symbol(input, '~')? {
        blank(input)?;
        Ok(!unary(input, deeper()?)?)
    } else if symbol(input, '(')? {
        blank(input)?;
        let value = binary(input, 0, deeper()?)?;
        mark(input, ')', "after the number")?;
        Ok(value)
    } else {
        number(input)
    }
}

/// An address, if one is here.
pub(crate) fn address(input: &mut Input<'_>) -> Grammar<Option<Value>> {
    let at = input.current_token_start();
    let mut ahead = *input;
    let mut letters = take_while(0.., |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.');
    let text: &str = letters.parse_next(&mut ahead)?;
    if !text.contains([':', '.']) {
        return Ok(None);
    }
    *input = ahead;
    let found = if let Some(mac) = mac(text) {
        Some(Value::Mac(mac))
    } else if text.contains(':') {
        text.parse()
            .ok()
            .map(|ip: std::net::Ipv6Addr| Value::Ip6(ip.octets()))
    } else {
        text.parse()
            .ok()
            .map(|ip: std::net::Ipv4Addr| Value::Ip4(ip.octets()))
    };
    match found {
        Some(value) => Ok(Some(value)),
        None => Err(Trouble::cut(at, format!("{text} is no address"))),
    }
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let lana_socket::Mac(mac) = text.parse().ok()?;
    Some(mac)
}
