// SPDX-License-Identifier: GPL-2.0
/*
 * Drops, for who waits for one: while the module's parameter `watch_drops` is on, the engine calls
 * lana_dropped() for each. `otst --lana` has a kprobe there. While it is off, a drop costs the look at it.
 */
#include <linux/cache.h>
#include <linux/module.h>
#include "helpers.h"

bool lana_watch_drops __read_mostly;
module_param_named(watch_drops, lana_watch_drops, bool, 0644);
MODULE_PARM_DESC(watch_drops, "Call lana_dropped() for each drop, for kprobes");

/*
 * A block has dropped a packet, which came to it as the `hops`-th. `why` is an enum lana_drop_reason. What
 * happens here is done by kprobes and other tracers.
 */
noinline void lana_dropped(u32 why, u32 idp, u32 hops, const struct net *net)
{
	/* Not to be left out, nor its arguments. */
	asm volatile("" : : "r"(why), "r"(idp), "r"(hops), "r"(net) : "memory");
}
