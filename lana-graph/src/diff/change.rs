// SPDX-License-Identifier: GPL-2.0

//! A change, for people, for programs, and for the kernel.

use crate::{
    model::{Device, Name, Names, Pair, Place, Share},
    program,
};
use lana_cli::{
    is_secret,
    previous::{self, shown, Source},
    word, SECRET,
};
use lana_netlink::Op;
use serde::Serialize;

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What<'t> {
    Block {
        name: Name,
        kind: Name,
    },
    Device {
        name: Name,
        device: Device,
    },
    Option {
        name: Name,
        key: Name,
        value: &'t str,
    },
    Binding(Pair),
    Subscription(Pair),
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum How {
    Add,
    Remove,
    /// An option gets a value; a binding or subscription is made anew.
    Change,
    /// It goes and comes back by a change that is yet to come, which is what is told of.
    Suspend,
}

/// What an option has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Was {
    /// There was none: it is of a new block. So is all that is no option.
    Nothing,
    /// Nobody had set it.
    Unset,
    Set(String),
}

/// The values of an option before and after a change.
#[derive(Debug, PartialEq, Eq)]
pub struct Values {
    /// Nothing for a new block, and where it is not known.
    old: Option<String>,
    new: String,
}

/// One operation for the kernel, in the order in which it is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'t> {
    how: How,
    what: What<'t>,
    was: Was,
    /// Where the file asks for it.
    pub place: Option<Place>,
}

/// A change as JSON.
#[derive(Serialize)]
pub struct Told<'a> {
    change: How,
    #[serde(flatten)]
    item: Item<'a>,
}

#[derive(Serialize)]
#[serde(tag = "item", rename_all = "lowercase")]
enum Item<'a> {
    Block {
        name: &'a str,
        #[serde(rename = "type")]
        kind: &'a str,
    },
    Device {
        name: &'a str,
        subsystem: &'a str,
        ifname: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        carrier: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u8>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        xdp: bool,
    },
    Option {
        name: &'a str,
        key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<&'a str>,
        value: &'a str,
    },
    Binding {
        upper: &'a str,
        lower: &'a str,
    },
    Subscription {
        subscriber: &'a str,
        publisher: &'a str,
    },
}

impl<'t> Change<'t> {
    pub(super) fn new(how: How, what: What<'t>, place: Option<Place>) -> Self {
        Change {
            how,
            what,
            was: Was::Nothing,
            place,
        }
    }

    /// An option is set.
    pub(super) fn option(what: What<'t>, was: Was, place: Option<Place>) -> Self {
        Change {
            was,
            ..Change::new(How::Change, what, place)
        }
    }

    /// Whether it is told of.
    pub fn shows(&self) -> bool {
        self.how != How::Suspend
    }

    /// The values of the option that is set. `known` asks for those that the graph does not show, before the change.
    pub fn values(
        &self,
        known: &mut previous::Values,
        source: &mut impl Source,
        names: &Names,
    ) -> Option<Values> {
        let What::Option { name, key, value } = self.what else {
            return None;
        };
        let (name, key) = (names.text(name), names.text(key));
        if is_secret(key) {
            return Some(Values {
                old: None,
                new: SECRET.to_owned(),
            });
        }
        let old = match &self.was {
            Was::Nothing => None,
            Was::Unset => known.unset(source, name, key),
            Was::Set(value) => Some(value.clone()),
        };
        let new = if value.trim_end().is_empty() {
            known.declared_as(source, name, key).unwrap_or_default()
        } else {
            value.to_owned()
        };
        Some(Values { old, new })
    }

    /// In a line, as the log has it.
    pub fn line(&self, values: Option<&Values>, names: &Names) -> String {
        let mut line = self.describe(names);
        if let (What::Option { key, .. }, Some(Values { old, new })) = (self.what, values) {
            let shown = |value: &str| shown(names.text(key), value);
            line += &match old {
                Some(old) => format!(": {} -> {}", shown(old), shown(new)),
                None => format!("={}", shown(new)),
            };
        }
        line
    }

    /// In a line, without values.
    pub fn describe(&self, names: &Names) -> String {
        let sign = match self.how {
            How::Add => '+',
            How::Remove | How::Suspend => '-',
            How::Change => '~',
        };
        let (item, first, second) = match self.what {
            What::Block { name, kind } => ("block", name, kind),
            What::Device { name, device } => ("device", name, device.subsystem),
            What::Option { name, key, .. } => ("option", name, key),
            What::Binding((upper, lower)) => ("binding", upper, lower),
            What::Subscription((subscriber, publisher)) => ("subscription", subscriber, publisher),
        };
        let (first, second) = (word(names.text(first)), word(names.text(second)));
        let option = match (self.how, self.what) {
            (How::Add, What::Device { device, .. }) if device.xdp => " --xdp",
            _ => "",
        };
        format!("{sign} {item} {first} {second}{option}")
    }

    /// For programs.
    pub fn told<'a>(&'a self, values: Option<&'a Values>, names: &'a Names) -> Told<'a> {
        let item = match self.what {
            What::Block { name, kind } => Item::Block {
                name: names.text(name),
                kind: names.text(kind),
            },
            What::Device { name, device } => Item::Device {
                name: names.text(name),
                subsystem: names.text(device.subsystem),
                ifname: names.text(device.ifname),
                carrier: device.share.map(|share| names.text(share.carrier)),
                id: device.share.map(|share| share.id),
                xdp: device.xdp,
            },
            What::Option { name, key, value } => Item::Option {
                name: names.text(name),
                key: names.text(key),
                old: values.and_then(|values| values.old.as_deref()),
                value: match values {
                    Some(values) => &values.new,
                    None if is_secret(names.text(key)) => SECRET,
                    None => value,
                },
            },
            What::Binding((upper, lower)) => Item::Binding {
                upper: names.text(upper),
                lower: names.text(lower),
            },
            What::Subscription((subscriber, publisher)) => Item::Subscription {
                subscriber: names.text(subscriber),
                publisher: names.text(publisher),
            },
        };
        let change = self.how;
        Told { change, item }
    }

    /// For the kernel.
    pub fn op<'a>(&'a self, names: &'a Names) -> Op<'a> {
        let off = matches!(self.how, How::Remove | How::Suspend);
        match self.what {
            What::Block { name, .. } if off => Op::FbDel {
                name: names.text(name),
            },
            What::Block { name, kind } => Op::FbNew {
                name: names.text(name),
                kind: names.text(kind),
            },
            What::Device { name, device } => {
                let (subsystem, ifname) = (names.text(device.subsystem), names.text(device.ifname));
                let hooked = lana_netlink::Device::Block(names.text(name));
                let block = (name != device.ifname).then(|| names.text(name));
                match device.share {
                    None if off => Op::VlinkUnhook {
                        subsystem,
                        device: hooked,
                    },
                    None => Op::VlinkHook {
                        subsystem,
                        device: lana_netlink::Device::Name(ifname),
                        block,
                        xdp: device.xdp,
                    },
                    Some(_) if off => Op::VlinkDel {
                        subsystem,
                        device: hooked,
                    },
                    Some(Share { carrier, id }) => Op::VlinkNew {
                        subsystem,
                        ifname,
                        carrier: names.text(carrier),
                        id: Some(id),
                        block,
                    },
                }
            }
            What::Option { name, key, value } => Op::FbSet {
                name: names.text(name),
                key: names.text(key),
                value: program::fitting(value.into()),
            },
            What::Binding((upper, lower)) => {
                let (upper, lower) = (names.text(upper), names.text(lower));
                if off {
                    Op::Unbind { upper, lower }
                } else {
                    Op::Bind { upper, lower }
                }
            }
            What::Subscription((subscriber, publisher)) => {
                let (subscriber, publisher) = (names.text(subscriber), names.text(publisher));
                if off {
                    Op::Unsubscribe {
                        subscriber,
                        publisher,
                    }
                } else {
                    Op::Subscribe {
                        subscriber,
                        publisher,
                    }
                }
            }
        }
    }
}
