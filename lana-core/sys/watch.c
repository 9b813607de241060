// SPDX-License-Identifier: GPL-2.0
/*
 * For who watches a graph from outside: the tracepoints of tracepoints.h, and, while the module's parameter
 * `watch_drops` is on, a call of lana_dropped() for each drop, where `otst --lana` has a kprobe. While nobody
 * watches, a drop costs the look at one byte, and a hop nothing.
 */
#include <linux/cache.h>
#include <linux/module.h>
#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "tracepoints.h"

/* Bits: whether somebody watches by the parameter, or by the tracepoint. */
#define LANA_WATCH_PARAMETER	1
#define LANA_WATCH_TRACEPOINT	2
u8 lana_watch_drops __read_mostly;
/* Whether the tracepoint for hops is on. */
u8 lana_watch_hops __read_mostly;
static DEFINE_MUTEX(lana_watch_lock);

static void lana_watch_set(u8 bit, bool on)
{
	mutex_lock(&lana_watch_lock);
	WRITE_ONCE(lana_watch_drops, on ? lana_watch_drops | bit : lana_watch_drops & ~bit);
	mutex_unlock(&lana_watch_lock);
}

static bool lana_watch_parameter;

static int lana_watch_param(const char *value, const struct kernel_param *param)
{
	int err = param_set_bool(value, param);

	if (!err)
		lana_watch_set(LANA_WATCH_PARAMETER, lana_watch_parameter);
	return err;
}

static const struct kernel_param_ops lana_watch_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = lana_watch_param,
	.get = param_get_bool,
};
module_param_cb(watch_drops, &lana_watch_ops, &lana_watch_parameter, 0644);
__MODULE_PARM_TYPE(watch_drops, "bool");
MODULE_PARM_DESC(watch_drops, "Call lana_dropped() for each drop, for kprobes");

int lana_trace_drops(void)
{
	lana_watch_set(LANA_WATCH_TRACEPOINT, true);
	return 0;
}

void lana_trace_no_drops(void)
{
	lana_watch_set(LANA_WATCH_TRACEPOINT, false);
}

/* Packets go by the engine's code that looks at them, in all graphs, as if there were a probe: soon. */
int lana_trace_hops(void)
{
	WRITE_ONCE(lana_watch_hops, 1);
	lana_net_chores_all();
	return 0;
}

void lana_trace_no_hops(void)
{
	WRITE_ONCE(lana_watch_hops, 0);
	lana_net_chores_all();
}

/*
 * A block has dropped a packet, which came to it as the `hops`-th. `why` is an enum lana_drop_reason. What
 * happens here is done by kprobes and other tracers.
 */
noinline void lana_dropped(u32 why, u32 idp, u32 hops, const struct net *net,
			   const struct sk_buff *skb)
{
	/* Not to be left out, nor its arguments. */
	asm volatile("" : : "r"(why), "r"(idp), "r"(hops), "r"(net) : "memory");
	trace_lana_drop(net, skb, idp, why, hops);
}

void lana_hopped(const struct net *net, const struct sk_buff *skb, u32 idp, u32 end, u32 detail)
{
	trace_lana_hop(net, skb, idp, end, detail);
}

void lana_changed(const struct net *net, u32 kind, const char *block, size_t len, u32 idp, u32 peer)
{
	trace_lana_change(net, kind, block, len, idp, peer);
}
