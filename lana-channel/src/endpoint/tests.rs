// SPDX-License-Identifier: GPL-2.0

//! Two endpoints, a link that loses, doubles and reorders messages, two graphs, and packets that pass all the time.

mod graphs;
mod steps;
mod world;
