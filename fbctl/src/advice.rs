// SPDX-License-Identifier: GPL-2.0

//! What a user may have meant by a name that the kernel does not know.

use crate::types;
use lana_cli::{tip, Session};
use lana_netlink::{Op, Refusal};

/// What to say behind the refusal of the last of `ops`, which were to be made in this order. What cannot be
/// asked for gives no advice.
pub(crate) fn advice(refusal: &Refusal, ops: &[Op<'_>], session: &mut Session) -> Option<String> {
    const ENOENT: i32 = 2;
    let (refused, before) = ops.split_last()?;
    if refusal.errno != ENOENT {
        return None;
    }
    match (refused, refusal.attribute.as_deref()) {
        (Op::FbNew { kind, .. }, Some("type")) => {
            let types = types::all(session).ok()?;
            let known = types.iter().filter_map(|kind| kind.name.as_deref());
            Some(tip("type", kind, known))
        }
        (Op::FbSet { name, key, .. }, Some("option")) => {
            let made = before.iter().rev().find_map(|op| match op {
                Op::FbNew { name: made, kind } if made == name => Some((*kind).to_owned()),
                _ => None,
            });
            let kind = match made {
                Some(kind) => Some(kind),
                None => session.lana().ok()?.fb(name).ok()?.r#type,
            };
            let mut types = types::all(session).ok()?.into_iter();
            let options = types.find(|other| other.name == kind)?.option;
            let known = options.iter().filter_map(|option| option.key.as_deref());
            Some(tip("option", key, known))
        }
        _ => None,
    }
}
