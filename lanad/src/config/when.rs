// SPDX-License-Identifier: GPL-2.0

//! Conditions. In the file each is a table, which one key tells from the others.

use super::{BlockState, DeviceState, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A condition.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Table", into = "Table")]
pub enum When {
    /// Each of them.
    All(Vec<When>),
    /// One of them at least.
    Any(Vec<When>),
    /// That it is not so.
    Not(Box<When>),
    /// A block is, or is not.
    Block(String, BlockState),
    /// There is a block of this type, or there is none.
    Type(String, bool),
    /// The first block is bound on top of the second one.
    Bound(String, String),
    /// A device has a state.
    Device(String, DeviceState),
    /// A counter of a block rises by so much a second.
    Rate {
        /// The block.
        block: String,
        /// Its counter.
        counter: String,
        /// From when on.
        threshold: Threshold,
    },
    /// The part of the probes of this name that is lost, from 0 to 1.
    Loss(String, Threshold),
    /// The mean time that the probes of this name take, in seconds.
    Delay(String, Threshold),
    /// Packets come to the first block, and none to one of the others.
    Path(Vec<String>),
    /// There are blocks of these types, or of any, that are bound to nothing.
    Unused(Vec<String>),
    /// Something happens: the kind, and the block and the text, if they matter.
    Event(String, Option<String>, Option<String>),
    /// So much time passes.
    Every(Span),
}

/// From where on something counts as much, or as little.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// It is to be above this, or below.
    pub is_above: bool,
    /// What is to be passed.
    pub from: f64,
    /// What is to be passed in the other direction until it is over.
    pub until: f64,
}

impl Threshold {
    /// Whether `value` has passed it. `before` says whether it had, the last time.
    pub fn passed(&self, value: f64, before: bool) -> bool {
        let limit = if before { self.until } else { self.from };
        if self.is_above {
            value > limit
        } else {
            value < limit
        }
    }
}

/// A number, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
enum Amount {
    Number(f64),
    Time(Span),
}

/// A condition as the file has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "When")]
struct Table {
    /// Each of these conditions holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<Vec<Table>>,
    /// One of these conditions holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    any: Option<Vec<Table>>,
    /// This condition does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    not: Option<Box<Table>>,
    /// A block, for `is`; or the block that an event is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<String>,
    /// A type of blocks, for `is`.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// A device, for `is`.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    /// Of a block: present, missing, unbound. Of a type: present, missing. Of a device: up, down, missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    is: Option<String>,
    /// An upper block and the lower block that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<(String, String)>,
    /// BLOCK.COUNTER: what the counter rises by in a second. Each block counts packets, bytes and drops.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<String>,
    /// The name of a probe: the part of it that is lost, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<String>,
    /// The name of a probe: the mean time that an answer takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<String>,
    /// The condition begins above this.
    #[serde(skip_serializing_if = "Option::is_none")]
    above: Option<Amount>,
    /// The condition begins below this.
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<Amount>,
    /// It ends at this. Without it, where it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Amount>,
    /// Blocks in the order in which packets pass: packets come to the first one, and none to another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Vec<String>>,
    /// Types: blocks of these are bound to nothing. All types where it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    unused: Option<Vec<String>>,
    /// A kind of event, as `fbctl monitor` prints them.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// What the event says.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// A time that passes again and again.
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<Span>,
}

const KINDS: &str =
    "all, any, not, block, type, device, bound, rate, loss, delay, path, unused, event, every";

impl TryFrom<Table> for When {
    type Error = String;

    fn try_from(mut table: Table) -> Result<Self, String> {
        let when = take(&mut table)?;
        // What is left belongs to another kind of condition.
        if table == Table::default() {
            return Ok(when);
        }
        let left = serde_json::to_value(&table).ok();
        let left = left.as_ref().and_then(serde_json::Value::as_object);
        let key = left
            .and_then(|left| left.keys().next())
            .map_or("", String::as_str);
        Err(format!("the condition '{when}' has no '{key}'"))
    }
}

fn take(table: &mut Table) -> Result<When, String> {
    let list = |tables: Vec<Table>| {
        tables
            .into_iter()
            .map(When::try_from)
            .collect::<Result<Vec<_>, _>>()
    };
    if let Some(tables) = table.all.take() {
        return Ok(When::All(list(tables)?));
    }
    if let Some(tables) = table.any.take() {
        return Ok(When::Any(list(tables)?));
    }
    if let Some(inner) = table.not.take() {
        return Ok(When::Not(Box::new(When::try_from(*inner)?)));
    }
    if let Some(event) = table.event.take() {
        return Ok(When::Event(event, table.block.take(), table.text.take()));
    }
    if let Some(block) = table.block.take() {
        return Ok(When::Block(
            block,
            word(table.is.take(), "present, missing, unbound")?,
        ));
    }
    if let Some(kind) = table.r#type.take() {
        let words = "present, missing";
        return match word(table.is.take(), words)? {
            BlockState::Unbound => Err(format!("is: \"unbound\" is none of {words}")),
            state => Ok(When::Type(kind, state == BlockState::Present)),
        };
    }
    if let Some(device) = table.device.take() {
        return Ok(When::Device(
            device,
            word(table.is.take(), "up, down, missing")?,
        ));
    }
    if let Some((upper, lower)) = table.bound.take() {
        return Ok(When::Bound(upper, lower));
    }
    if let Some(rate) = table.rate.take() {
        let Some((block, counter)) = rate.rsplit_once('.') else {
            return Err(format!("rate: '{rate}' is no BLOCK.COUNTER"));
        };
        let (block, counter) = (block.to_owned(), counter.to_owned());
        let threshold = threshold(table, "rate", number)?;
        return Ok(When::Rate {
            block,
            counter,
            threshold,
        });
    }
    if let Some(name) = table.loss.take() {
        return Ok(When::Loss(name, threshold(table, "loss", number)?));
    }
    if let Some(name) = table.delay.take() {
        let time = |amount| match amount {
            Amount::Time(span) => Some(span.duration().as_secs_f64()),
            Amount::Number(_) => None,
        };
        return Ok(When::Delay(name, threshold(table, "delay", time)?));
    }
    if let Some(path) = table.path.take() {
        if path.len() < 2 {
            return Err("path: it has two blocks at least".to_owned());
        }
        return Ok(When::Path(path));
    }
    if let Some(types) = table.unused.take() {
        return Ok(When::Unused(types));
    }
    match table.every.take() {
        Some(every) if every.is_zero() => Err("every: it is above 0".to_owned()),
        Some(every) => Ok(When::Every(every)),
        None => Err(format!("a condition has one of these: {KINDS}")),
    }
}

fn number(amount: Amount) -> Option<f64> {
    match amount {
        Amount::Number(number) => Some(number),
        Amount::Time(_) => None,
    }
}

/// One of the words of a state.
fn word<T: for<'a> Deserialize<'a>>(text: Option<String>, words: &str) -> Result<T, String> {
    let text = text.ok_or_else(|| format!("'is' is missing: {words}"))?;
    let value = serde_json::Value::String(text);
    serde_json::from_value(value.clone()).map_err(|_| format!("is: {value} is none of {words}"))
}

fn threshold(
    table: &mut Table,
    what: &str,
    number: impl Fn(Amount) -> Option<f64>,
) -> Result<Threshold, String> {
    let (is_above, from) = match (table.above.take(), table.below.take()) {
        (Some(above), None) => (true, above),
        (None, Some(below)) => (false, below),
        _ => return Err(format!("{what}: it wants either 'above' or 'below'")),
    };
    let unit = if what == "delay" {
        "a time such as '5ms'"
    } else {
        "a number"
    };
    let read = |amount| {
        let number = number(amount).filter(|number| number.is_finite());
        number.ok_or_else(|| format!("{what}: {unit} is wanted"))
    };
    let from = read(from)?;
    let until = table.until.take().map_or(Ok(from), read)?;
    if (is_above && until > from) || (!is_above && until < from) {
        return Err(format!("{what}: 'until' is on the wrong side"));
    }
    Ok(Threshold {
        is_above,
        from,
        until,
    })
}

impl When {
    /// Whether it is a moment, and no state.
    pub fn is_momentary(&self) -> bool {
        matches!(self, When::Event(..) | When::Every(_))
    }

    /// Whether it wants counters.
    pub fn samples(&self) -> bool {
        match self {
            When::All(inner) | When::Any(inner) => inner.iter().any(When::samples),
            When::Not(inner) => inner.samples(),
            When::Rate { .. } | When::Path(_) => true,
            _ => false,
        }
    }
}

/// As the messages have it.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, inner: &[When], between: &str| {
            let words: Vec<_> = inner.iter().map(ToString::to_string).collect();
            f.write_str(&words.join(between))
        };
        match self {
            When::All(inner) => list(f, inner, " and "),
            When::Any(inner) => list(f, inner, " or "),
            When::Not(inner) => write!(f, "not {inner}"),
            When::Block(block, state) => write!(f, "block {block} is {}", state.word()),
            When::Type(kind, true) => write!(f, "a block of type {kind} is present"),
            When::Type(kind, false) => write!(f, "no block of type {kind} is present"),
            When::Bound(upper, lower) => write!(f, "{upper} is bound to {lower}"),
            When::Device(device, state) => write!(f, "device {device} is {}", state.word()),
            When::Rate {
                block,
                counter,
                threshold,
            } => write!(f, "rate of {block}.{counter} {threshold}"),
            When::Loss(name, threshold) => write!(f, "loss of {name} {threshold}"),
            When::Delay(name, threshold) => write!(f, "delay of {name} {threshold} s"),
            When::Path(path) => write!(f, "path {} is interrupted", path.join(" ")),
            When::Unused(_) => f.write_str("blocks are unused"),
            When::Event(kind, block, _) => {
                write!(f, "event {kind}")?;
                block
                    .as_ref()
                    .map_or(Ok(()), |block| write!(f, " of {block}"))
            }
            When::Every(span) => write!(f, "every {span}"),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_above { "above" } else { "below" };
        write!(f, "{word} {}", self.from)
    }
}

impl JsonSchema for When {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Table::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Table::json_schema(generator)
    }
}

impl From<When> for Table {
    fn from(when: When) -> Table {
        let mut table = Table::default();
        let list = |inner: Vec<When>| Some(inner.into_iter().map(Table::from).collect());
        match when {
            When::All(inner) => table.all = list(inner),
            When::Any(inner) => table.any = list(inner),
            When::Not(inner) => table.not = Some(Box::new(Table::from(*inner))),
            When::Block(block, state) => {
                table.block = Some(block);
                table.is = Some(state.word().to_owned());
            }
            When::Type(kind, there) => {
                let state = if there {
                    BlockState::Present
                } else {
                    BlockState::Missing
                };
                table.r#type = Some(kind);
                table.is = Some(state.word().to_owned());
            }
            When::Device(device, state) => {
                table.device = Some(device);
                table.is = Some(state.word().to_owned());
            }
            When::Bound(upper, lower) => table.bound = Some((upper, lower)),
            When::Rate {
                block,
                counter,
                threshold,
            } => {
                table.rate = Some(format!("{block}.{counter}"));
                table.limit(threshold, Amount::Number);
            }
            When::Loss(name, threshold) => {
                table.loss = Some(name);
                table.limit(threshold, Amount::Number);
            }
            When::Delay(name, threshold) => {
                table.delay = Some(name);
                table.limit(threshold, |seconds| {
                    Amount::Time(Span::from_seconds(seconds))
                });
            }
            When::Path(path) => table.path = Some(path),
            When::Unused(types) => table.unused = Some(types),
            When::Event(kind, block, text) => {
                (table.event, table.block, table.text) = (Some(kind), block, text);
            }
            When::Every(span) => table.every = Some(span),
        }
        table
    }
}

impl Table {
    fn limit(&mut self, threshold: Threshold, amount: impl Fn(f64) -> Amount) {
        let from = Some(amount(threshold.from));
        if threshold.is_above {
            self.above = from;
        } else {
            self.below = from;
        }
        self.until = Some(amount(threshold.until));
    }
}
