// SPDX-License-Identifier: GPL-2.0

//! The packet in a record, and when it was seen.

use lana_netlink::spec::ProbeAttrs;
use std::borrow::Cow;

/// Where a VLAN tag stands: behind the addresses.
const TAG_AT: usize = 12;
/// Its length.
const TAG: u32 = 4;

/// A packet as it is on the wire: with the VLAN tag that stood beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// Its first bytes.
    pub(crate) data: Cow<'a, [u8]>,
    /// How long it is.
    pub(crate) len: u32,
}

impl<'a> Packet<'a> {
    /// The packet of a record.
    pub(crate) fn of(record: &'a ProbeAttrs) -> Self {
        let data = record.data.as_deref().unwrap_or_default();
        let len = record.len.unwrap_or_default();
        let Some(tag) = record.vlan else {
            let data = data.into();
            return Packet { data, len };
        };
        let len = len.saturating_add(TAG);
        let data = match data.split_at_checked(TAG_AT) {
            Some((addresses, rest)) => [addresses, &tag.to_be_bytes(), rest].concat().into(),
            // Cut before the tag.
            None => data.into(),
        };
        Packet { data, len }
    }

    /// No more than so many bytes of it.
    pub(crate) fn cut(mut self, most: Option<u32>) -> Self {
        let most = most.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        match &mut self.data {
            Cow::Borrowed(data) => *data = data.get(..most).unwrap_or(data),
            Cow::Owned(data) => data.truncate(most),
        }
        self
    }
}

/// How long, with three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn span(nanos: u64) -> String {
    if nanos < 1000 {
        return format!("{nanos} ns");
    }
    let (mut value, mut unit) = (nanos as f64 / 1e3, "us");
    for larger in ["ms", "s"] {
        if value >= 999.5 {
            (value, unit) = (value / 1e3, larger);
        }
    }
    match value {
        _ if value < 9.995 => format!("{value:.2} {unit}"),
        _ if value < 99.95 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

const NANOS: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// The time of day in UTC, of nanoseconds since 1970.
pub(crate) fn clock(time: u64) -> String {
    let (seconds, nanos) = (time / NANOS % DAY, time % NANOS);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// The same with microseconds, as tcpdump has them.
pub(crate) fn clock_micros(time: u64) -> String {
    let text = clock(time);
    let micros = text.len().saturating_sub("789Z".len());
    format!("{}Z", text.get(..micros).unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(data: &[u8], vlan: Option<u32>) -> ProbeAttrs {
        ProbeAttrs {
            data: Some(data.to_vec()),
            len: Some(100),
            vlan,
            ..Default::default()
        }
    }

    #[test]
    fn the_tag_goes_behind_the_addresses() {
        let bytes: Vec<u8> = (0..20).collect();
        let plain = record(&bytes, None);
        let packet = Packet::of(&plain);
        assert_eq!((packet.data.as_ref(), packet.len), (&bytes[..], 100));
        let tagged = record(&bytes, Some(0x8100_6005));
        let packet = Packet::of(&tagged);
        let whole = [&bytes[..12], &[0x81, 0, 0x60, 5], &bytes[12..]].concat();
        assert_eq!((packet.data.as_ref(), packet.len), (&whole[..], 104));
        assert_eq!(packet.cut(Some(14)).data.as_ref(), &whole[..14]);
        let short = record(&bytes[..11], Some(0x8100_0005));
        let packet = Packet::of(&short);
        assert_eq!((packet.data.as_ref(), packet.len), (&bytes[..11], 104));
        assert_eq!(packet.cut(Some(20)).data.len(), 11);
    }

    #[test]
    fn spans_have_three_digits() {
        for (nanos, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1.00 us"),
            (1234, "1.23 us"),
            (9996, "10.0 us"),
            (12_345, "12.3 us"),
            (99_960, "100 us"),
            (999_499, "999 us"),
            (999_600, "1.00 ms"),
            (1_500_000_000, "1.50 s"),
            (4_000_000_000_000, "4000 s"),
        ] {
            assert_eq!(span(nanos), text);
        }
    }

    #[test]
    fn clocks_have_nanoseconds() {
        assert_eq!(clock(0), "00:00:00.000000000Z");
        assert_eq!(clock(1_735_689_599_000_000_007), "23:59:59.000000007Z");
        assert_eq!(clock_micros(1_735_689_599_000_001_007), "23:59:59.000001Z");
    }
}
