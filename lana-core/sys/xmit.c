// SPDX-License-Identifier: GPL-2.0
/* A packet leaves the graph by a device. */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/tcp.h>
#include <net/gso.h>
#include <net/neighbour.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/sch_generic.h>
#include <net/tcx.h>

#include "helpers.h"
#include "skb.h"

/*
 * Whether anybody looks at what leaves by a device: not the clsact qdisc alone,
 * which is there for the sake of filters at the ingress, too.
 */
static bool lana_dev_hooks_egress(const struct net_device *dev)
{
#ifdef CONFIG_NET_XGRESS
	struct bpf_mprog_entry *tcx = rcu_dereference_bh(dev->tcx_egress);

	if (tcx && (READ_ONCE(tcx->fp_items[0].prog) || rcu_access_pointer(tcx_entry(tcx)->miniq)))
		return true;
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(dev->nf_hooks_egress))
		return true;
#endif
	return false;
}

/*
 * Hand a frame to its device, as dev_queue_xmit() does it. Most go to a device
 * without a queue, with nobody who would see them first, and have nothing that
 * had to be done for a device which cannot do it: of all that __dev_queue_xmit()
 * does only the call of the driver is left then. What is asked here is what that
 * asks, in dev_queue_xmit_nit(), validate_xmit_skb() and netdev_core_pick_tx(), too;
 * whenever an answer is another one, it does the work. Bottom halves are off.
 */
static int lana_queue_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	int err = NETDEV_TX_BUSY;

	if (dev->real_num_tx_queues != 1 || rcu_dereference_bh(txq->qdisc)->enqueue ||
	    lana_dev_hooks_egress(dev) || skb->sk || skb->data_len || skb_vlan_tag_present(skb) ||
	    skb->ip_summed == CHECKSUM_PARTIAL || shinfo->gso_size || shinfo->tx_flags ||
	    netif_tx_owned(txq, smp_processor_id()) || dev_xmit_recursion() ||
	    dev_nit_active_rcu(dev))
		return dev_queue_xmit(skb);

	tcx_set_ingress(skb, false);
	skb_set_queue_mapping(skb, 0);
	HARD_TX_LOCK(dev, txq, smp_processor_id());
	/* Drivers stop their queue with the lock held, and get nothing from then on. */
	if (likely(!netif_xmit_frozen_or_stopped(txq))) {
		dev_xmit_recursion_inc();
		err = netdev_start_xmit(skb, dev, txq, false);
		dev_xmit_recursion_dec();
	}
	HARD_TX_UNLOCK(dev, txq);
	if (likely(dev_xmit_complete(err)))
		return err;
	/* Without a queue it cannot wait. */
	dev_core_stats_tx_dropped_inc(dev);
	kfree_skb(skb);
	return -ENETDOWN;
}

/*
 * Whether each part of a super-packet fits. A device does not look: some send what is
 * too long for the wire, and some stop working. Where its headers are is known of those
 * which the stack has made, or GRO; what nobody knows of goes, as elsewhere in the kernel.
 */
static noinline bool lana_parts_fit(struct sk_buff *skb, unsigned int most)
{
	int transport;

	if (!skb_is_gso(skb))
		return false;
	if (!skb_transport_header_was_set(skb))
		return true;
	transport = skb_transport_offset(skb);
	if (transport <= ETH_HLEN || !pskb_may_pull(skb, transport + sizeof(struct tcphdr)))
		return true;
	skb_reset_mac_header(skb);
	return skb_gso_validate_mac_len(skb, most);
}

/* Whether a frame fits a device, as __is_skb_forwardable() finds it; or each part of it does. */
static __always_inline bool lana_skb_fits(struct sk_buff *skb, const struct net_device *dev)
{
	const unsigned int most = READ_ONCE(dev->mtu) + dev->hard_header_len + VLAN_HLEN;

	return likely(skb->len <= most) || lana_parts_fit(skb, most);
}

/*
 * Make a frame ready to be sent by a device it may not have come from: checked and
 * cleaned as ____dev_forward_skb() does it for a frame that changes devices. Returns
 * -1, or the reason for its drop, for which it is freed.
 */
static __always_inline int lana_skb_ready(struct sk_buff *skb, struct net_device *dev)
{
	int why;

	if (unlikely(!pskb_may_pull(skb, ETH_HLEN))) {
		why = LANA_DROP_REASON_MALFORMED;
		goto drop;
	}
	if (unlikely(!netif_running(dev) || !netif_carrier_ok(dev))) {
		why = LANA_DROP_REASON_DEVICE;
		goto drop;
	}
	if (unlikely(!lana_skb_fits(skb, dev))) {
		why = LANA_DROP_REASON_TOO_BIG;
		goto drop;
	}
	if (unlikely(skb_orphan_frags(skb, GFP_ATOMIC))) {
		why = LANA_DROP_REASON_NO_MEMORY;
		goto drop;
	}
	if (likely(skb->dev)) {
		skb_clear_tstamp(skb);
		skb->priority = 0;
	} else if (is_zero_ether_addr(skb->data + ETH_ALEN)) {
		/*
		 * From a socket, which does not know by which device its packets leave;
		 * its priority and the time to send it go with it.
		 */
		if (skb_ensure_writable(skb, ETH_HLEN)) {
			why = LANA_DROP_REASON_NO_MEMORY;
			goto drop;
		}
		ether_addr_copy(skb->data + ETH_ALEN, dev->dev_addr);
	}
	skb_scrub_packet(skb, false);
	skb_forward_csum(skb);
	lana_skb_set_entries(skb, lana_skb_entries(skb) + 1);
	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	return -1;
drop:
	lana_skb_free(skb, why);
	return why;
}

/*
 * Send a frame by a device. Takes the packet in any case. Returns -1 when it went, else
 * the reason for its drop.
 */
int lana_skb_xmit(struct sk_buff *skb, struct net_device *dev)
{
	int err = lana_skb_ready(skb, dev);
	struct bpf_net_context *ctx;

	if (unlikely(err >= 0))
		return err;
	ctx = lana_take_net_ctx();
	/* A variable of its own: net_xmit_eval() evaluates its argument twice. */
	err = lana_queue_xmit(skb, dev);
	lana_give_net_ctx(ctx);
	return unlikely(net_xmit_eval(err)) ? LANA_DROP_REASON_DEVICE : -1;
}

/*
 * Send an IP packet to a neighbour whose address may not be known yet: then the stack
 * asks for it, and sends the packet once it knows, or frees it when nobody answers. As
 * lana_skb_xmit() otherwise. -1 for a packet that waits, too.
 */
int lana_neigh_xmit(struct sk_buff *skb, struct net_device *dev, const u8 *address, bool v6)
{
	int why = lana_skb_ready(skb, dev), err = 0;
	struct bpf_net_context *ctx;
	struct neighbour *n;
	unsigned int len;

	if (unlikely(why >= 0))
		return why;
	skb->protocol = eth_hdr(skb)->h_proto;
	/* The stack looks at the source of what waits. */
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		len = sizeof(struct iphdr);
		break;
	case htons(ETH_P_IPV6):
		len = sizeof(struct ipv6hdr);
		break;
	default:
		why = LANA_DROP_REASON_UNRESOLVED;
		goto drop;
	}
	if (!pskb_may_pull(skb, ETH_HLEN + len)) {
		why = LANA_DROP_REASON_MALFORMED;
		goto drop;
	}
	/* The header is written anew. */
	if (skb_cow_head(skb, 0)) {
		why = LANA_DROP_REASON_NO_MEMORY;
		goto drop;
	}
	ctx = lana_take_net_ctx();
	n = lana_neigh_of(dev, address, v6, true);
	if (n && !(READ_ONCE(n->nud_state) & NUD_NOARP))
		err = READ_ONCE(n->output)(n, skb);
	else
		why = LANA_DROP_REASON_UNRESOLVED;
	lana_give_net_ctx(ctx);
	if (unlikely(why >= 0))
		goto drop;
	return unlikely(net_xmit_eval(err)) ? LANA_DROP_REASON_DEVICE : -1;
drop:
	lana_skb_free(skb, why);
	return why;
}
