// SPDX-License-Identifier: GPL-2.0

//! The thin layer over the kernel's C side: the only place with `unsafe`.
//!
//! Each file wraps one thing of the kernel and says which guarantees its types carry. What is
//! above this layer, the blocks included, is safe Rust.
//!
//! It knows nothing that is above it. Where the kernel calls us, a trait says what is called, and a macro,
//! used once by the floor that has the answer, defines the function for that: it costs no call more
//! than a function by name.

pub mod bpf;
pub(crate) mod bytes;
pub(crate) mod compat;
pub(crate) mod context;
pub(crate) mod cpu_cell;
pub mod crypto;
pub(crate) mod frame;
pub(crate) mod genl;
pub(crate) mod handle;
pub(crate) mod hash;
pub(crate) mod hold;
pub(crate) mod hook;
pub mod list;
pub(crate) mod lock;
pub(crate) mod module;
pub(crate) mod neigh;
pub(crate) mod net;
pub(crate) mod netdev;
pub(crate) mod packets;
pub(crate) mod percpu;
pub(crate) mod prefetch;
pub(crate) mod proc;
pub(crate) mod queue;
pub(crate) mod rcu;
pub(crate) mod reason;
pub mod send;
pub(crate) mod sent;
pub(crate) mod skb;
pub(crate) mod slot;
pub(crate) mod sock;
pub mod time;
pub(crate) mod udp;
pub(crate) mod vdev;
pub(crate) mod verdict;
pub(crate) mod version;
pub(crate) mod watch;
pub(crate) mod wiring;
pub(crate) mod work;
pub(crate) mod xdp;
pub(crate) mod zstd;

/// Declarations of C, generated from `sys/bindings.h`.
#[cfg_attr(CONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES, allow(unnecessary_transmutes))]
#[allow(
    clippy::all,
    clippy::arithmetic_side_effects,
    clippy::cast_lossless,
    clippy::indexing_slicing,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
pub(crate) mod bindings {
    use pin_init::MaybeZeroable;

    type __kernel_size_t = usize;
    type __kernel_ssize_t = isize;
    type __kernel_ptrdiff_t = isize;

    include!(env!("LANA_BINDINGS"));
}
