// SPDX-License-Identifier: GPL-2.0

//! The ways through a graph: directions, and the ports that lead in them.

/// The way a packet goes, and the kind of port it leaves a block by.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Direction {
    /// From a device up.
    Ingress = 0,
    /// Down to a device.
    Egress = 1,
}

impl Direction {
    /// The other one.
    #[inline]
    pub fn opposite(self) -> Self {
        match self {
            Self::Ingress => Self::Egress,
            Self::Egress => Self::Ingress,
        }
    }
}

/// A port of a block. The packet that leaves by it goes in its direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Ingress ports lead up, egress ports down.
    pub direction: Direction,
    /// Number among those of its direction, from 0.
    pub index: u16,
}
