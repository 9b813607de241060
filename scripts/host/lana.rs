// SPDX-License-Identifier: GPL-2.0

//! The part of `lana::prelude` that needs no kernel, for the unit tests of a block on the host: `scripts/test-block`
//! compiles this as the crate `lana`, and programs that share code with a block use it. The sources are those of the core.

#![expect(dead_code, reason = "some of it is for the rest of the core")]

#[path = "../../lana-core/base/address.rs"]
mod address;
#[path = "../../lana-core/base/checksum.rs"]
mod checksum;
mod error;
mod hash;
#[path = "../../lana-core/base/headers.rs"]
mod headers;
#[path = "../../lana-core/base/heap.rs"]
mod heap;
pub mod list;
#[path = "../../lana-core/base/option.rs"]
mod option;
#[path = "../../lana-core/base/port.rs"]
mod port;
#[path = "../../lana-core/sys/prefetch.rs"]
mod prefetch;
#[path = "../../lana-core/base/prefixes.rs"]
mod prefixes;
#[path = "../../lana-core/base/siphash.rs"]
mod siphash;
#[path = "../../lana-core/base/units.rs"]
mod units;

/// What authors of blocks have, as far as it does not need the kernel.
pub mod prelude {
    pub use crate::{
        error::{Failure, EINVAL},
        fail,
        hash::HashKey,
        list,
        option::{Initial, OptionSpec, Values},
        options,
        port::{Direction, Port},
        prefetch::prefetch,
        texts, words,
    };
    pub use core::fmt;

    /// Addresses, prefixes, and tables of them.
    pub mod address {
        pub use crate::{address::*, prefixes::*};
    }
    /// The Internet checksum.
    pub mod checksum {
        pub use crate::checksum::*;
    }
    /// The headers of packets.
    pub mod headers {
        pub use crate::headers::*;
    }
    /// The types of options.
    pub mod option {
        pub use crate::option::*;
    }
    /// Quantities as people write them.
    pub mod units {
        pub use crate::units::*;
    }

    /// Takes what a block has to say of itself.
    pub trait Options {
        /// A part of the configuration.
        fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>);
        /// A value that shows, but cannot be set.
        fn put(&mut self, key: &str, value: fmt::Arguments<'_>);
    }
}

/// What lists are here.
type List<T> = Vec<T>;

/// There is always memory here.
#[derive(Debug)]
pub enum NoMemory {}

/// Adds an item to a list.
fn try_push<T>(list: &mut List<T>, item: T) -> Result<(), NoMemory> {
    list.push(item);
    Ok(())
}
