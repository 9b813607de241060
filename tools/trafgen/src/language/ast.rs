// SPDX-License-Identifier: GPL-2.0

//! What a text of the language says, before it becomes frames.

/// A packet: what is between `{` and `}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The CPUs that send it, the first and the last; all if none are named.
    pub cpus: Option<(u32, u32)>,
    /// What it consists of, in order.
    pub items: Vec<Item>,
    /// Where in the text it begins, in bytes.
    pub at: usize,
}

/// An element of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where in the text it begins, in bytes.
    pub at: usize,
    /// What it is.
    pub element: Element,
}

/// What stands in a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// Random bytes that are the same in each frame: `rnd(n)`.
    Random(usize),
    /// Random bytes that are new in each frame: `drnd(n)`, `$PRB`.
    Fresh(usize),
    /// A byte that counts: `dinc()`, `ddec()`, `$II0`.
    Count(Count),
    /// Two bytes that hold a checksum.
    Sum {
        /// Which checksum.
        kind: SumKind,
        /// The first offset that it names.
        from: usize,
        /// The second.
        to: usize,
    },
    /// A header function.
    Header(Call),
}

/// How a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The least value.
    pub min: u64,
    /// The greatest.
    pub max: u64,
    /// How much is added for each frame.
    pub step: u64,
    /// It is subtracted.
    pub down: bool,
    /// The first frame has the value after the first: `dinc()` and `ddec()` of bytes do that.
    pub ahead: bool,
}

/// A checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SumKind {
    /// Of the bytes between two offsets, both included.
    Internet,
    /// UDP, over the pseudo-header of an IPv4 header.
    Udp,
    /// TCP over IPv4.
    Tcp,
    /// UDP over IPv6.
    Udp6,
    /// TCP over IPv6.
    Tcp6,
}

/// `name(argument, …)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name, in small letters.
    pub name: String,
    /// What is between the brackets.
    pub arguments: Vec<Argument>,
}

/// An argument: `field`, `field=value`, `field[index:length]=value`, `field(number)=value`, `field(argument, …)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Where in the text it begins, in bytes.
    pub at: usize,
    /// The name of the field, in small letters; empty for a value that stands alone.
    pub name: String,
    /// A part of the field: from which byte, and how many.
    pub part: Option<(usize, usize)>,
    /// What is in brackets behind the name.
    pub inner: Option<Vec<Argument>>,
    /// What the field is to be.
    pub value: Option<Value>,
}

/// What a field is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// An Ethernet address.
    Mac([u8; 6]),
    /// An IPv4 address.
    Ip4([u8; 4]),
    /// An IPv6 address.
    Ip6([u8; 16]),
    /// A string.
    Text(Vec<u8>),
    /// A word, such as `request`.
    Word(String),
    /// `dinc()`, `ddec()`: without a range, from what the field is.
    Count {
        /// The least value, the greatest, and the step.
        range: Option<(u64, u64, u64)>,
        /// It goes down.
        down: bool,
    },
    /// `drnd()`: the least and the greatest value.
    Random(Option<(u64, u64)>),
}
