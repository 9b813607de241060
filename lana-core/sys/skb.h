/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets as they come from a device and go to one.
 *
 * One that comes from a device may be shared: somebody else has a reference,
 * whom netif_receive_skb() has given it to before, or who calls that. Until
 * somebody wants to change it or to keep it, it is not copied; what lana_rx()
 * has done to it is undone when it goes. As packet_rcv() does it, this goes
 * well because the others are on this CPU, before us or after us.
 */
#ifndef LANA_SKB_H
#define LANA_SKB_H

#include <linux/etherdevice.h>
#include <linux/sched.h>
#include <linux/skbuff.h>

/* __skb_pull(), but the header is known to be there. */
static inline void lana_skb_pull(struct sk_buff *skb)
{
	skb->len -= ETH_HLEN;
	skb->data += ETH_HLEN;
}

void lana_restore(struct sk_buff *skb);

/*
 * By which device a frame leaves, its driver is told in a context of the task. Classifiers that
 * run while a packet is sent would write there, too: without one they have their own. So who sends
 * from a graph takes it away meanwhile, and gives it back.
 */
static inline struct bpf_net_context *lana_take_net_ctx(void)
{
	struct bpf_net_context *ctx = current->bpf_net_context;

	current->bpf_net_context = NULL;
	return ctx;
}

static inline void lana_give_net_ctx(struct bpf_net_context *ctx)
{
	current->bpf_net_context = ctx;
}

/*
 * How often a packet has left a graph goes with it through the devices of this
 * machine, where nobody else looks: the offsets of the inner headers mean nothing
 * while `encapsulation` is not set, and what moves the data (skb_headers_offset_update())
 * moves them alike. So their distance holds the count, under a mark that no header is as
 * long as. A tunnel's packet that was not cut yet does have inner headers; that has the
 * count in `tc_index`, since an endless loop is worse than what a classifier thinks of it.
 */
#define LANA_ENTRIES	0x01ff
#define LANA_MARK	0xac00

static inline u16 lana_skb_mark(const struct sk_buff *skb)
{
	if (likely(!skb->encapsulation))
		return skb->inner_transport_header - skb->inner_mac_header;
#if defined(CONFIG_NET_SCHED) || defined(CONFIG_NET_XGRESS)
	return skb->tc_index;
#else
	return 0;
#endif
}

static inline u16 lana_skb_entries(const struct sk_buff *skb)
{
	u16 mark = lana_skb_mark(skb);

	return (mark & ~LANA_ENTRIES) == LANA_MARK ? mark & LANA_ENTRIES : 0;
}

static inline void lana_skb_set_entries(struct sk_buff *skb, u16 entries)
{
	if (likely(!skb->encapsulation))
		skb->inner_transport_header = skb->inner_mac_header + (LANA_MARK | entries);
#if defined(CONFIG_NET_SCHED) || defined(CONFIG_NET_XGRESS)
	else
		skb->tc_index = LANA_MARK | entries;
#endif
}

#endif
