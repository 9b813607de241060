/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: what the kernel's tracers (perf, bpftrace, retis, tracefs) see of a graph. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM lana

#if !defined(LANA_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define LANA_TRACEPOINTS_H

#include <linux/tracepoint.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>
#include <uapi/linux/lana.h>

#ifndef LANA_TRACE_NAMES
#define LANA_TRACE_NAMES
/* As `fbctl stats` has them. */
#define lana_reason_names \
	{ LANA_DROP_REASON_FILTERED, "filtered" }, \
	{ LANA_DROP_REASON_UNBOUND, "unbound" }, \
	{ LANA_DROP_REASON_HOP_LIMIT, "hop-limit" }, \
	{ LANA_DROP_REASON_BACKLOG, "backlog" }, \
	{ LANA_DROP_REASON_MALFORMED, "malformed" }, \
	{ LANA_DROP_REASON_TOO_BIG, "too-big" }, \
	{ LANA_DROP_REASON_DEVICE, "device" }, \
	{ LANA_DROP_REASON_NO_MEMORY, "no-memory" }, \
	{ LANA_DROP_REASON_QUEUE_FULL, "queue-full" }, \
	{ LANA_DROP_REASON_UNRESOLVED, "unresolved" }, \
	{ LANA_DROP_REASON_TTL_EXPIRED, "ttl-expired" }
#define lana_end_names \
	{ LANA_HOP_END_FORWARDED, "forwarded" }, \
	{ LANA_HOP_END_DROPPED, "dropped" }, \
	{ LANA_HOP_END_LEFT, "left" }, \
	{ LANA_HOP_END_UNCLAIMED, "unclaimed" }, \
	{ LANA_HOP_END_HELD, "held" }
#define lana_event_names \
	{ LANA_EVENT_KIND_ADDED, "added" }, \
	{ LANA_EVENT_KIND_REMOVED, "removed" }, \
	{ LANA_EVENT_KIND_BOUND, "bound" }, \
	{ LANA_EVENT_KIND_UNBOUND, "unbound" }, \
	{ LANA_EVENT_KIND_SUBSCRIBED, "subscribed" }, \
	{ LANA_EVENT_KIND_UNSUBSCRIBED, "unsubscribed" }, \
	{ LANA_EVENT_KIND_OPTION_SET, "option-set" }, \
	{ LANA_EVENT_KIND_DEVICE_GONE, "device-gone" }, \
	{ LANA_EVENT_KIND_REPLACED, "replaced" }, \
	{ LANA_EVENT_KIND_DEVICE_RENAMED, "device-renamed" }, \
	{ LANA_EVENT_KIND_DEVICE_UP, "device-up" }, \
	{ LANA_EVENT_KIND_DEVICE_DOWN, "device-down" }, \
	{ LANA_EVENT_KIND_HOP_LIMIT, "hop-limit" }, \
	{ LANA_EVENT_KIND_BACKLOG, "backlog" }, \
	{ LANA_EVENT_KIND_RENAMED, "renamed" }, \
	{ LANA_EVENT_KIND_XDP_REPLACED, "xdp-replaced" }, \
	{ LANA_EVENT_KIND_PORT_UP, "port-up" }, \
	{ LANA_EVENT_KIND_PORT_DOWN, "port-down" }, \
	{ LANA_EVENT_KIND_NOTICE, "notice" }

int lana_trace_drops(void);
void lana_trace_no_drops(void);
int lana_trace_hops(void);
void lana_trace_no_hops(void);
#endif

/* A block drops a packet, which came to it as the `hops`-th. No skb: a driver's frame, or none is left. */
TRACE_EVENT_FN(lana_drop,
	TP_PROTO(const struct net *net, const struct sk_buff *skb, u32 idp, u32 reason, u32 hops),
	TP_ARGS(net, skb, idp, reason, hops),
	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(unsigned int, netns)
		__field(u32, idp)
		__field(u32, reason)
		__field(u32, hops)
	),
	TP_fast_assign(
		__entry->skbaddr = skb;
		__entry->netns = net->ns.inum;
		__entry->idp = idp;
		__entry->reason = reason;
		__entry->hops = hops;
	),
	TP_printk("netns=%u idp=%u reason=%s hops=%u skbaddr=%p", __entry->netns, __entry->idp,
		  __print_symbolic(__entry->reason, lana_reason_names), __entry->hops,
		  __entry->skbaddr),
	lana_trace_drops, lana_trace_no_drops
);

/* A packet has been at a block: what became of it, with the port it left by or the reason for its drop. */
TRACE_EVENT_FN(lana_hop,
	TP_PROTO(const struct net *net, const struct sk_buff *skb, u32 idp, u32 end, u32 detail),
	TP_ARGS(net, skb, idp, end, detail),
	TP_STRUCT__entry(
		__field(const void *, skbaddr)
		__field(unsigned int, netns)
		__field(u32, idp)
		__field(u32, end)
		__field(u32, detail)
	),
	TP_fast_assign(
		__entry->skbaddr = skb;
		__entry->netns = net->ns.inum;
		__entry->idp = idp;
		__entry->end = end;
		__entry->detail = detail;
	),
	TP_printk("netns=%u idp=%u end=%s detail=%u skbaddr=%p", __entry->netns, __entry->idp,
		  __print_symbolic(__entry->end, lana_end_names), __entry->detail,
		  __entry->skbaddr),
	lana_trace_hops, lana_trace_no_hops
);

/* A graph was changed: an event, as `fbctl monitor` shows it. */
TRACE_EVENT(lana_change,
	TP_PROTO(const struct net *net, u32 kind, const char *block, size_t len, u32 idp, u32 peer),
	TP_ARGS(net, kind, block, len, idp, peer),
	TP_STRUCT__entry(
		__field(unsigned int, netns)
		__field(u32, kind)
		__field(u32, idp)
		__field(u32, peer)
		__array(char, block, LANA_NAME_MAX + 1)
	),
	TP_fast_assign(
		__entry->netns = net->ns.inum;
		__entry->kind = kind;
		__entry->idp = idp;
		__entry->peer = peer;
		len = min_t(size_t, len, LANA_NAME_MAX);
		memcpy(__entry->block, block, len);
		__entry->block[len] = '\0';
	),
	TP_printk("netns=%u kind=%s block=%s idp=%u peer=%u", __entry->netns,
		  __print_symbolic(__entry->kind, lana_event_names), __entry->block, __entry->idp,
		  __entry->peer)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints
#include <trace/define_trace.h>
