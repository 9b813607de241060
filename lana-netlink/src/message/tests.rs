// SPDX-License-Identifier: GPL-2.0

//! Messages built by hand, and bytes that are none.

use super::*;
use crate::spec::{self, *};
use crate::testing::{body, bytes_of};
use crate::wire::{Attributes, Value};

/// Repeatable noise (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

fn sample() -> FbAttrs {
    let drop = DropAttrs {
        reason: Some(Value::Known(DropReason::HopLimit)),
        packets: Some(3),
        ..Default::default()
    };
    let port = PortAttrs {
        direction: Some(Value::Known(Direction::Egress)),
        index: Some(0),
        peer: Some(1),
        peer_name: Some("eth0".into()),
        ..Default::default()
    };
    FbAttrs {
        name: Some("fb2".into()),
        r#type: Some("tee".into()),
        idp: Some(2),
        refcnt: Some(10),
        port: vec![port.clone(), port],
        publisher: vec![1, 5],
        stats: Some(StatsAttrs {
            packets: Some(1 << 40),
            bytes: Some(7),
            drop: vec![drop],
            ..Default::default()
        }),
        option: vec![OptionAttrs {
            key: Some("k".into()),
            value: Some("v".into()),
            ..Default::default()
        }],
        ifname: None,
        ..Default::default()
    }
}

#[test]
#[cfg(target_endian = "little")]
fn request_is_what_the_kernel_wants() {
    let attrs = FbAttrs {
        name: Some("fb2".into()),
        r#type: Some("tee".into()),
        ..Default::default()
    };
    let request = Request::new(Command::FbNew, 0x1b, 4, 9, body(&attrs)).unwrap();
    #[rustfmt::skip]
    let expected = [
        36, 0, 0, 0, 0x1b, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr
        2, 1, 0, 0, // genlmsghdr: fb-new, version 1
        8, 0, 1, 0, b'f', b'b', b'2', 0,
        8, 0, 2, 0, b't', b'e', b'e', 0,
    ];
    assert_eq!(request.bytes, expected);
}

#[test]
fn structs_survive_the_wire() {
    let sample = sample();
    let bytes = bytes_of(&sample);
    assert_eq!(FbAttrs::decode(&bytes), Ok(sample));
}

#[test]
#[cfg(target_endian = "little")]
fn short_counters_and_unknown_attributes_are_read() {
    #[rustfmt::skip]
    let bytes = [
        24, 0, 7, 0x80, // stats
            8, 0, 1, 0, 5, 0, 0, 0, // packets, in 4 bytes
            12, 0, 2, 0, 6, 0, 0, 0, 0, 0, 0, 0, // bytes, in 8
        8, 0, 0x77, 0x3f, 1, 2, 3, 4, // not in our specification
    ];
    let stats = FbAttrs::decode(&bytes).unwrap().stats.unwrap();
    assert_eq!((stats.packets, stats.bytes), (Some(5), Some(6)));
}

#[test]
fn malformed_attribute_is_named() {
    let bytes = [12, 0, 7, 0, 7, 0, 1, 0, 1, 2, 3, 0];
    let error = FbAttrs::decode(&bytes).unwrap_err().to_string();
    assert_eq!(
        error,
        "malformed message: attribute stats.packets: 3 bytes where 4 or 8 belong"
    );
}

#[test]
#[cfg(target_endian = "little")]
fn acks_are_read_capped_and_whole() {
    let ack_text = [9u8, 0, 1, 0, b't', b'a', b'k', b'e', 0, 0, 0, 0];
    let mut attrs = Writer::behind(BODY);
    attrs.put(1, &1u32).unwrap();
    let header = GenlHeader { cmd: 2, version: 1 };
    let echo = compose(0x1b, 4, 9, header, attrs).unwrap();
    for (flags, echoed) in [(0x300u16, &echo[..16]), (0x200, &echo[..])] {
        let length = u8::try_from(16 + 4 + echoed.len() + ack_text.len()).unwrap();
        let mut bytes = vec![length, 0, 0, 0, 2, 0];
        bytes.extend(flags.to_le_bytes());
        bytes.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend((-17i32).to_le_bytes());
        bytes.extend(echoed);
        bytes.extend(ack_text);
        let all: Vec<_> = messages(&bytes).map(Result::unwrap).collect();
        let Content::Ack { code, ack } = &all[0].content else {
            panic!("{all:?}")
        };
        assert_eq!((*code, ack.message.as_deref()), (-17, Some("take")));
        assert_eq!((all.len(), all[0].seq), (1, 9));
    }
}

#[test]
#[cfg(target_endian = "little")]
fn several_messages_share_a_datagram() {
    #[rustfmt::skip]
    let bytes = [
        28, 0, 0, 0, 0x1b, 0, 0x12, 0, 9, 0, 0, 0, 7, 0, 0, 0, // multipart, interrupted
        1, 1, 0, 0, 8, 0, 1, 0, b'f', b'b', b'2', 0,
        20, 0, 0, 0, 3, 0, 2, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, // done
    ];
    let all: Vec<_> = messages(&bytes).map(Result::unwrap).collect();
    assert!(all[0].interrupted);
    let Content::Family { command: 1, attrs } = all[0].content else {
        panic!("{all:?}")
    };
    assert_eq!(FbAttrs::decode(attrs).unwrap().name.unwrap(), "fb2");
    assert!(matches!(all[1].content, Content::Done { code: 0, .. }));
}

/// Whatever comes in, nothing panics.
fn digest(bytes: &[u8]) {
    for message in messages(bytes).flatten() {
        if let Content::Family { attrs, .. } = message.content {
            decode_all(attrs);
        }
    }
    decode_all(bytes);
    let _ = ExtAck::decode(bytes);
    for offset in 0..40 {
        let _ = spec::FB.resolve(bytes, 0, offset);
    }
}

fn decode_all(attrs: &[u8]) {
    let _ = FbAttrs::decode(attrs);
    let _ = TypeAttrs::decode(attrs);
    let _ = PpeAttrs::decode(attrs);
    let _ = VlinkAttrs::decode(attrs);
    let _ = EventAttrs::decode(attrs);
}

#[test]
fn noise_does_no_harm() {
    let mut noise = Noise(0x1a5a);
    for _ in 0..20_000 {
        let length = noise.below(96);
        digest(&noise.bytes(length));
    }
}

#[test]
fn damaged_messages_do_no_harm() {
    let mut noise = Noise(0xf00d);
    let good = Request::new(Command::FbGet, 0x1b, 0, 1, body(&sample()))
        .unwrap()
        .bytes;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..=noise.below(4) {
            let at = noise.below(bytes.len());
            bytes[at] = noise.bytes(1)[0];
        }
        if noise.below(3) == 0 {
            bytes.truncate(noise.below(good.len() + 1));
        }
        digest(&bytes);
    }
}
