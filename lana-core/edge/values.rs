// SPDX-License-Identifier: GPL-2.0

//! Values of options that are longer than a message: how they come, in parts of a transaction, and how they are shown.

use crate::{
    base::{error::Failure, name::Shown},
    fail,
    graph::{
        block::{Elements, Options, Whole},
        change::Change,
        object::Object,
        Graph,
    },
    sys::{
        bindings,
        context::Process,
        genl::{dump::Dump, message::Message, request::Operation},
    },
};
use core::fmt::{self, Write};
use kernel::{prelude::*, str::CString};

/// The longest list that is shown among the other options: all of a block have to fit into a megabyte.
const SHORT: usize = 8000;

/// Sets options, whose values may come in parts.
#[derive(Default)]
pub(super) struct Setter<'a> {
    /// The block and the option of which a value is not complete yet.
    open: Option<(&'a [u8], &'a [u8])>,
    /// As far as it has come.
    text: KVVec<u8>,
}

impl<'a> Setter<'a> {
    /// Does `fb-set`: sets the option, or waits for more of its value.
    pub(super) fn set(
        &mut self,
        change: &mut Change<'_>,
        operation: &Operation<'a>,
    ) -> Result<(), Failure> {
        const MAX: usize = bindings::LANA_VALUE_MAX as usize;
        let at = bindings::LANA_A_FB_OPTION;
        let name = operation.attrs.str(bindings::LANA_A_FB_NAME)?;
        let option = operation.attrs.option(at)?;
        let value = option.value;
        let value = value.ok_or_else(|| fail!(EINVAL, "the option has no value").at(at))?;
        let this = (name, option.key);
        if self.open.is_some_and(|open| open != this) {
            return self.check();
        }
        if self.open.is_none() && !option.more {
            return change.set(name, option.key, value);
        }
        if self.text.len().saturating_add(value.len()) > MAX {
            let key = Shown(option.key);
            return Err(fail!(E2BIG, "option '{}' has more than {} bytes", key, MAX).at(at));
        }
        self.text.extend_from_slice(value, GFP_KERNEL)?;
        self.open = option.more.then_some(this);
        if option.more {
            return Ok(());
        }
        let text = core::mem::take(&mut self.text);
        change.set(name, option.key, &text)
    }

    /// A failure if a value is not complete.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.open {
            None => Ok(()),
            Some((name, key)) => {
                let (name, key) = (Shown(name), Shown(key));
                Err(fail!(
                    EINVAL,
                    "the rest of option '{}' of '{}' is missing",
                    key,
                    name
                ))
            }
        }
    }
}

/// Puts the options of a block into a message, without its configuration unless who asks is an administrator.
pub(super) fn put_options(msg: &mut Message, block: &dyn Object, admin: bool) -> Result {
    let mut options = PutOptions {
        msg,
        result: Ok(()),
        partial: false,
        admin,
        withheld: false,
    };
    block.options(&mut options, &Process::new());
    options.result?;
    let PutOptions {
        partial, withheld, ..
    } = options;
    if partial {
        msg.put_flag(bindings::LANA_A_FB_PARTIAL)?;
    }
    if withheld {
        msg.put_flag(bindings::LANA_A_FB_WITHHELD)?;
    }
    Ok(())
}

/// Shows options.
struct PutOptions<'a> {
    msg: &'a mut Message,
    result: Result,
    /// One is longer than an attribute can be.
    partial: bool,
    /// Who asks may see the configuration.
    admin: bool,
    /// There is some that was not shown.
    withheld: bool,
}

impl PutOptions<'_> {
    fn nest(&mut self, key: &str, value: fmt::Arguments<'_>, config: bool) {
        let mut put = || -> Result {
            let value = CString::try_from_fmt(value)?;
            if value.to_bytes().len() > bindings::LANA_OPTION_MAX as usize {
                self.partial = true;
                return Ok(());
            }
            self.msg.nest(bindings::LANA_A_FB_OPTION, |msg| {
                msg.put_str(bindings::LANA_A_OPTION_KEY, key)?;
                msg.put_text(bindings::LANA_A_OPTION_VALUE, value.to_bytes())?;
                if config {
                    msg.put_flag(bindings::LANA_A_OPTION_CONFIG)?;
                }
                Ok(())
            })
        };
        if self.result.is_ok() {
            self.result = put();
        }
    }
}

impl Options for PutOptions<'_> {
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>) {
        self.nest(key, value, false);
    }

    fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>) {
        if self.admin {
            self.nest(key, value, true);
        } else {
            self.withheld = true;
        }
    }

    fn put_list(&mut self, key: &str, list: &dyn Elements) {
        let size = list.size();
        if size <= SHORT || !self.admin {
            return self.put_config(key, format_args!("{}", Whole(list)));
        }
        let put = |msg: &mut Message| {
            msg.put_str(bindings::LANA_A_OPTION_KEY, key)?;
            msg.put_uint(bindings::LANA_A_OPTION_SIZE, size as u64)?;
            msg.put_flag(bindings::LANA_A_OPTION_CONFIG)
        };
        if self.result.is_ok() {
            self.result = self.msg.nest(bindings::LANA_A_FB_OPTION, put);
        }
    }
}

/// Dump of `option-get`: a list, in messages of as many elements as there is room for. The cursor is the number of the
/// next element.
pub(super) fn dump(dump: &mut Dump<'_>) -> Result {
    if !dump.is_admin() {
        return Err(EPERM);
    }
    let state = dump.graph::<Graph>()?.lock();
    dump.set_generation(state.generation);
    let attrs = dump.attrs(bindings::LANA_A_FB_OPTION);
    let name = attrs.str(bindings::LANA_A_FB_NAME).map_err(|e| e.error)?;
    let option = attrs.option(bindings::LANA_A_FB_OPTION);
    let key = option.map_err(|e| e.error)?.key;
    let (_, face) = state.registry.find(name).map_err(|e| e.error)?;
    let mut part = Part {
        key,
        dump,
        // No list has this key.
        result: Err(ENOENT),
    };
    face.block.object().options(&mut part, &Process::new());
    part.result
}

/// A part of a value.
struct Part<'a, 'd> {
    key: &'a [u8],
    dump: &'a mut Dump<'d>,
    result: Result,
}

impl Part<'_, '_> {
    /// Writes a message with the elements from the cursor on.
    fn write(&mut self, list: &dyn Elements) -> Result {
        // What the attributes around the text take.
        const AROUND: usize = 64;
        let first = usize::try_from(self.dump.cursor()).unwrap_or(usize::MAX);
        if first >= list.count() {
            return Ok(());
        }
        let mut next = first;
        let (key, cmd) = (self.key, bindings::LANA_CMD_OPTION_GET);
        let done = self.dump.message(cmd, |msg| {
            msg.nest(bindings::LANA_A_FB_OPTION, |msg| {
                msg.put_text(bindings::LANA_A_OPTION_KEY, key)?;
                let room = msg.room().saturating_sub(AROUND);
                let mut text = Text::new(room.min(bindings::LANA_OPTION_MAX as usize))?;
                while next < list.count() && text.push(list, next) {
                    next = next.saturating_add(1);
                }
                if next == first {
                    return Err(EMSGSIZE);
                }
                msg.put_text(bindings::LANA_A_OPTION_VALUE, &text.0)
            })
        })?;
        if !done {
            return Err(EMSGSIZE);
        }
        self.dump.set_cursor(next as u64);
        Ok(())
    }
}

impl Options for Part<'_, '_> {
    fn put(&mut self, _: &str, _: fmt::Arguments<'_>) {}

    fn put_config(&mut self, _: &str, _: fmt::Arguments<'_>) {}

    fn put_list(&mut self, key: &str, list: &dyn Elements) {
        if key.as_bytes() == self.key {
            self.result = self.write(list);
        }
    }
}

/// Elements of a list, with a comma in front of each but the first of all. It does not grow.
struct Text(KVVec<u8>);

impl Text {
    fn new(room: usize) -> Result<Self> {
        Ok(Self(KVVec::with_capacity(room, GFP_KERNEL)?))
    }

    /// Adds an element; false if there is no room for it.
    fn push(&mut self, list: &dyn Elements, number: usize) -> bool {
        let before = self.0.len();
        let comma = if number > 0 { "," } else { "" };
        let done = self
            .write_str(comma)
            .and_then(|()| list.write(number, self));
        if done.is_err() {
            self.0.truncate(before);
        }
        done.is_ok()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            self.0.push_within_capacity(byte).map_err(|_| fmt::Error)?;
        }
        Ok(())
    }
}
