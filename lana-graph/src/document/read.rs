// SPDX-License-Identifier: GPL-2.0

//! Takes what the parser tells to its place.

use super::{
    key,
    place::{set, wanted, Draft, Drafts, List, Origin, Slot, Table, Text, Xdp},
    Mistake,
};
use crate::model::{Block, Bond, Device, Kind, Name, Names, Pair, Place, Setting, Share, Target};
use std::{borrow::Cow, collections::HashSet};
use toml_parser::{
    decoder::{Encoding, ScalarKind},
    lexer::TokenKind,
    parser::{parse_document, EventReceiver, ValidateWhitespace},
    ErrorSink, Expected, ParseError, Raw, Source, Span,
};

/// So many tokens are parsed at a time, if not one value has more.
const PORTION: usize = 1 << 12;

/// Reads a file that describes a whole graph.
pub fn read<'a>(file: &'a str, names: &mut Names) -> Result<Target<'a>, Mistake> {
    let target = part(file, names)?;
    match target.stray() {
        None => Ok(target),
        Some((bond, name)) => {
            let text = format!("the file has no block or device '{}'", names.text(name));
            Err(Mistake::new(file, bond.place, text))
        }
    }
}

/// Reads a file whose bindings may be between blocks of other files.
pub fn part<'a>(file: &'a str, names: &mut Names) -> Result<Target<'a>, Mistake> {
    if Place::try_from(file.len()).is_err() {
        let text = "a file of more than 4 GiB";
        return Err(Mistake::new(file, 0, text));
    }
    let mut reader = Reader::new(file, names);
    if let Err(error) = reader.parse() {
        let place = error.unexpected().or(error.context());
        let place = place.map_or(0, place_of);
        return Err(Mistake::new(file, place, explain(&error)));
    }
    let drafts = reader.drafts;
    finish(drafts, names).map_err(|(place, text)| Mistake::new(file, place, text))
}

fn place_of(span: Span) -> Place {
    Place::try_from(span.start()).unwrap_or(Place::MAX)
}

/// What the parser has to say.
fn explain(error: &ParseError) -> String {
    let what = |expected: &Expected| match expected {
        Expected::Literal("\n") => "the end of the line".to_owned(),
        Expected::Literal(literal) => format!("'{literal}'"),
        Expected::Description(what) => (*what).to_owned(),
        _ => "something else".to_owned(),
    };
    let expected = error.expected().unwrap_or_default().iter().map(what);
    match expected.collect::<Vec<_>>().join(", ") {
        nothing if nothing.is_empty() => error.description().to_owned(),
        expected => format!("{}, expected {expected}", error.description()),
    }
}

/// What is open.
#[derive(Debug)]
enum Open {
    /// An inline table.
    Table(Table),
    /// An array of pairs.
    List(List),
    /// A pair of it.
    Pair {
        list: List,
        place: Place,
        first: Option<Name>,
        second: Option<Name>,
    },
}

struct Reader<'a, 'n> {
    source: Source<'a>,
    names: &'n mut Names,
    drafts: Drafts<'a>,
    /// The table of the last header.
    section: Table,
    open: Vec<Open>,
    /// The parts of the key that is being read.
    keys: Vec<(Cow<'a, str>, Span)>,
    /// What the next value is for.
    slot: Option<Slot>,
    /// Something is wrong already; what follows from it does not matter.
    failed: bool,
}

impl<'a, 'n> Reader<'a, 'n> {
    fn new(file: &'a str, names: &'n mut Names) -> Self {
        Reader {
            source: Source::new(file),
            names,
            drafts: Drafts::default(),
            section: Table::Root,
            open: Vec::new(),
            keys: Vec::new(),
            slot: None,
            failed: false,
        }
    }

    /// Parses the file, some lines at a time: all its tokens at once would be a multiple of it.
    fn parse(&mut self) -> Result<(), ParseError> {
        let (mut tokens, mut depth) = (Vec::new(), 0u32);
        let mut first = None;
        for token in self.source.lex() {
            tokens.push(token);
            let end = match token.kind() {
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                    depth += 1;
                    false
                }
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    depth = depth.saturating_sub(1);
                    false
                }
                TokenKind::Newline => depth == 0 && tokens.len() >= PORTION,
                TokenKind::Eof => true,
                _ => false,
            };
            if end {
                let source = self.source;
                let mut receiver = ValidateWhitespace::new(self, source);
                parse_document(&tokens, &mut receiver, &mut first);
                if let Some(error) = first {
                    return Err(error);
                }
                tokens.clear();
            }
        }
        Ok(())
    }

    /// Notes what is wrong with what was told.
    fn judge(&mut self, result: Result<(), String>, span: Span, errors: &mut dyn ErrorSink) {
        if let Err(text) = result {
            self.failed = true;
            errors.report_error(ParseError::new(text).with_unexpected(span));
        }
    }

    fn raw(&self, span: Span, encoding: Option<Encoding>) -> Raw<'a> {
        let text = self.source.input().get(span.start()..span.end());
        Raw::new_unchecked(text.unwrap_or_default(), encoding, span)
    }

    /// Follows the key that was read, up to what its last part stands for.
    fn follow(&mut self, from: Table, through: Origin) -> Result<Slot, (Span, String)> {
        let mut slot = Slot::Table(from);
        let mut before = Span::default();
        for (number, (text, span)) in self.keys.drain(..).enumerate() {
            let Slot::Table(table) = slot else {
                return Err((before, "it is no table".to_owned()));
            };
            let result = match number {
                0 => Ok(()),
                _ => self.drafts.define(table, through),
            };
            result.map_err(|text| (before, text))?;
            let found = self.drafts.slot(table, &text, place_of(span), self.names);
            slot = found.map_err(|text| (span, text))?;
            before = span;
        }
        Ok(slot)
    }

    fn take_string(&mut self, text: Cow<'a, str>, span: Span) -> Result<(), String> {
        if let Some(open) = self.open.last_mut() {
            match open {
                Open::List(list) => return Err(format!("{} is wanted here", list.form())),
                Open::Pair {
                    list,
                    first,
                    second,
                    ..
                } => {
                    let name = self.names.name(&text);
                    let free = [first, second].into_iter().find(|end| end.is_none());
                    *free.ok_or_else(|| format!("{} has two names", list.form()))? = Some(name);
                    return Ok(());
                }
                Open::Table(_) => {}
            }
        }
        let (item, what) = match self.slot.take() {
            Some(Slot::Text(item, what)) => (item, what),
            None => return Ok(()),
            slot => return Err(wanted(slot)),
        };
        let Some(draft) = self.drafts.items.at(item) else {
            return Ok(());
        };
        match what {
            Text::Kind => set(&mut draft.kind, self.names.name(&text)),
            Text::Ifname => set(&mut draft.ifname, self.names.name(&text)),
            Text::Carrier => set(&mut draft.carrier, self.names.name(&text)),
            Text::Value(key) => draft.configure(Setting {
                key,
                value: text,
                place: place_of(span),
            }),
        }
    }

    fn take_id(&mut self, item: usize, digits: &str, radix: u32) -> Result<(), String> {
        let slot = self.slot.take();
        let id = u8::from_str_radix(digits, radix).map_err(|_| wanted(slot))?;
        match self.drafts.items.at(item) {
            Some(draft) => set(&mut draft.id, id),
            None => Ok(()),
        }
    }

    fn take_xdp(&mut self, item: usize, xdp: Xdp) -> Result<(), String> {
        self.slot = None;
        match self.drafts.items.at(item) {
            Some(draft) => set(&mut draft.xdp, xdp),
            None => Ok(()),
        }
    }

    fn enter_array(&mut self, span: Span) -> Result<(), String> {
        let open = match (self.open.last(), self.slot.take()) {
            (Some(Open::List(list)), _) => Open::Pair {
                list: *list,
                place: place_of(span),
                first: None,
                second: None,
            },
            (Some(Open::Pair { .. }), _) => return Err("a name is wanted here".to_owned()),
            (_, Some(Slot::List(list))) => {
                set(self.list(list), Vec::new())?;
                Open::List(list)
            }
            (_, slot) => return Err(wanted(slot)),
        };
        self.open.push(open);
        Ok(())
    }

    fn leave_array(&mut self) -> Result<(), String> {
        if let Some(Open::Pair {
            list,
            place,
            first,
            second,
        }) = self.open.pop()
        {
            let (Some(first), Some(second)) = (first, second) else {
                return Err(format!("{} has two names", list.form()));
            };
            let pair = (first, second);
            let bonds = self.list(list);
            bonds.get_or_insert_default().push(Bond { pair, place });
        }
        Ok(())
    }

    fn list(&mut self, list: List) -> &mut Option<Vec<Bond>> {
        match list {
            List::Bindings => &mut self.drafts.bindings,
            List::Subscriptions => &mut self.drafts.subscriptions,
        }
    }

    fn enter_table(&mut self) -> Result<(), String> {
        let table = match (self.open.last(), self.slot.take()) {
            (Some(Open::List(list) | Open::Pair { list, .. }), _) => {
                return Err(format!("{} is wanted here", list.form()));
            }
            (_, Some(Slot::Table(table))) => table,
            (_, slot) => return Err(wanted(slot)),
        };
        self.drafts.define(table, Origin::Inline)?;
        self.open.push(Open::Table(table));
        Ok(())
    }
}

impl EventReceiver for Reader<'_, '_> {
    fn std_table_open(&mut self, _span: Span, _errors: &mut dyn ErrorSink) {
        self.keys.clear();
    }

    fn std_table_close(&mut self, span: Span, errors: &mut dyn ErrorSink) {
        if self.failed {
            return;
        }
        let last = self.keys.last().map_or(span, |(_, span)| *span);
        let result = match self.follow(Table::Root, Origin::Implied) {
            Ok(Slot::Table(table)) => {
                self.section = table;
                let defined = self.drafts.define(table, Origin::Header);
                defined.map_err(|text| (last, text))
            }
            Ok(_) => Err((last, "it is no table".to_owned())),
            Err(error) => Err(error),
        };
        if let Err((span, text)) = result {
            self.judge(Err(text), span, errors);
        }
    }

    fn array_table_open(&mut self, span: Span, errors: &mut dyn ErrorSink) {
        self.judge(
            Err("no array of tables belongs here".to_owned()),
            span,
            errors,
        );
    }

    fn simple_key(&mut self, span: Span, kind: Option<Encoding>, errors: &mut dyn ErrorSink) {
        if self.failed {
            return;
        }
        let mut text = Cow::Borrowed("");
        self.raw(span, kind).decode_key(&mut text, errors);
        self.keys.push((text, span));
    }

    fn key_val_sep(&mut self, _span: Span, errors: &mut dyn ErrorSink) {
        if self.failed {
            return;
        }
        let from = match self.open.last() {
            Some(Open::Table(table)) => *table,
            _ => self.section,
        };
        match self.follow(from, Origin::Dotted) {
            Ok(slot) => self.slot = Some(slot),
            Err((span, text)) => self.judge(Err(text), span, errors),
        }
    }

    fn scalar(&mut self, span: Span, kind: Option<Encoding>, errors: &mut dyn ErrorSink) {
        if self.failed {
            return;
        }
        let mut text = Cow::Borrowed("");
        let scalar = self.raw(span, kind).decode_scalar(&mut text, errors);
        let result = match (self.slot, scalar) {
            (_, ScalarKind::String) => self.take_string(text, span),
            (Some(Slot::Id(item)), ScalarKind::Integer(radix)) => {
                self.take_id(item, &text, radix.value())
            }
            (Some(Slot::Xdp(item)), ScalarKind::Boolean(on)) => {
                let place = place_of(span);
                self.take_xdp(item, Xdp { on, place })
            }
            (slot, other) => Err(format!("{}, not {}", wanted(slot), other.description())),
        };
        self.judge(result, span, errors);
    }

    fn array_open(&mut self, span: Span, errors: &mut dyn ErrorSink) -> bool {
        if !self.failed {
            let result = self.enter_array(span);
            self.judge(result, span, errors);
        }
        !self.failed
    }

    fn array_close(&mut self, span: Span, errors: &mut dyn ErrorSink) {
        if !self.failed {
            let result = self.leave_array();
            self.judge(result, span, errors);
        }
    }

    fn inline_table_open(&mut self, span: Span, errors: &mut dyn ErrorSink) -> bool {
        if !self.failed {
            let result = self.enter_table();
            self.judge(result, span, errors);
        }
        !self.failed
    }

    fn inline_table_close(&mut self, _span: Span, _errors: &mut dyn ErrorSink) {
        self.open.pop();
    }
}

/// Checks what can only be checked when all has been read.
fn finish<'a>(drafts: Drafts<'a>, names: &Names) -> Result<Target<'a>, (Place, String)> {
    let (bindings, subscriptions) = (drafts.bindings, drafts.subscriptions);
    let blocks = drafts
        .items
        .try_map(|name, draft| block(name, draft, names))?;
    let target = Target {
        blocks,
        bindings: bindings.unwrap_or_default(),
        subscriptions: subscriptions.unwrap_or_default(),
    };
    for (bonds, what) in [
        (&target.bindings, "binding"),
        (&target.subscriptions, "subscription"),
    ] {
        let mut seen: HashSet<Pair> = HashSet::with_capacity(bonds.len());
        for Bond { pair, place } in bonds {
            if !seen.insert(*pair) {
                let (first, second) = (names.text(pair.0), names.text(pair.1));
                return Err((
                    *place,
                    format!("the {what} {first} {second} is there twice"),
                ));
            }
        }
    }
    Ok(target)
}

fn block<'a>(name: Name, draft: Draft<'a>, names: &Names) -> Result<Block<'a>, (Place, String)> {
    let place = draft.place;
    let lacks = |key| (place, format!("'{}' has no {key}", names.text(name)));
    let kind = if draft.device {
        let share = match (draft.carrier, draft.id) {
            (Some(carrier), Some(id)) => Some(Share { carrier, id }),
            (Some(_), None) => return Err(lacks(key::ID)),
            (None, Some(_)) => return Err(lacks(key::CARRIER)),
            (None, None) => None,
        };
        let xdp = draft.xdp.filter(|xdp| xdp.on);
        if let (Some(_), Some(Xdp { place, .. })) = (share, xdp) {
            let text = format!(
                "'{}' is virtual: {} is for hooked devices",
                names.text(name),
                key::XDP
            );
            return Err((place, text));
        }
        Kind::Device(Device {
            subsystem: draft.kind.ok_or_else(|| lacks(key::SUBSYSTEM))?,
            ifname: draft.ifname.unwrap_or(name),
            share,
            xdp: xdp.is_some(),
        })
    } else {
        Kind::Made(draft.kind.ok_or_else(|| lacks(key::TYPE))?)
    };
    Ok(Block {
        kind,
        settings: draft.settings,
        place,
    })
}
