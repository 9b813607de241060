// SPDX-License-Identifier: GPL-2.0

//! What is on the floor itself or below is right, and `unsafe` is here.

use crate::{
    base::{error, name as other},
    fail,
    packet::{engine::{self as it, Context}, port},
};
use self::device::Device;

unsafe fn device(x: &'static Device) -> crate::graph::Graph {
    crate::prelude::made(x)
}
