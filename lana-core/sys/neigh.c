// SPDX-License-Identifier: GPL-2.0
/*
 * Next hops: neighbours on the link of a hooked device, whose Ethernet addresses the
 * stack resolves by ARP and neighbour discovery, and keeps fresh. They are looked up for
 * each packet, as ip_finish_output2() does it, so nothing refers to one for longer.
 */

#include <linux/etherdevice.h>
#include <linux/icmpv6.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <net/arp.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include <net/netevent.h>
#include <net/route.h>
#include <net/xdp.h>

#include "helpers.h"
#include "skb.h"

/* Whether there is IPv6: with ipv6.disable=1 its table of neighbours is not set up. */
bool lana_neigh_has_v6(void)
{
	return ipv6_mod_enabled();
}

/* The neighbour of an address, if there is one or one can be made. Read-side section, bottom halves off. */
struct neighbour *lana_neigh_of(struct net_device *dev, const u8 *address, bool v6, bool create)
{
	struct neighbour *n = NULL;
	struct in6_addr key6;
	__be32 key;

	if (!v6) {
		memcpy(&key, address, sizeof(key));
		n = create ? ip_neigh_gw4(dev, key) :
			     __ipv4_neigh_lookup_noref(dev, (__force u32)key);
	} else if (ipv6_mod_enabled()) {
		memcpy(&key6, address, sizeof(key6));
		n = create ? ip_neigh_gw6(dev, &key6) : __ipv6_neigh_lookup_noref(dev, &key6);
	}
	return IS_ERR(n) ? NULL : n;
}

static struct neighbour *lana_neigh_hold(struct net_device *dev, const u8 *address, bool v6)
{
	struct neighbour *n = lana_neigh_of(dev, address, v6, true);

	return n && refcount_inc_not_zero(&n->refcnt) ? n : NULL;
}

/*
 * Whether packets can be sent to the address of a neighbour. A device without ARP has
 * its own in the place of that of any other one.
 */
static bool lana_neigh_ha(struct net_device *dev, const struct neighbour *n, u8 ha[ETH_ALEN])
{
	neigh_ha_snapshot(ha, n, dev);
	return is_valid_ether_addr(ha) && !ether_addr_equal(ha, dev->dev_addr);
}

/*
 * What a frame to a neighbour begins with: its address and that of the device. Asks for
 * the former when it is not known or has become old. False as long as it is not known.
 * Read-side section, bottom halves off.
 */
bool lana_neigh_resolve(struct net_device *dev, const u8 *address, bool v6,
			u8 addresses[2 * ETH_ALEN])
{
	struct bpf_net_context *ctx = lana_take_net_ctx();
	struct neighbour *n = lana_neigh_of(dev, address, v6, true);
	const bool unknown = !n || neigh_event_send(n, NULL);

	lana_give_net_ctx(ctx);
	if (unlikely(unknown))
		return false;
	ether_addr_copy(addresses + ETH_ALEN, dev->dev_addr);
	return lana_neigh_ha(dev, n, addresses);
}

/*
 * The state of a neighbour, its address, and how many nanoseconds ago it has answered.
 * 0 when nothing is known. Read-side section.
 */
u32 lana_neigh_state(struct net_device *dev, const u8 *address, bool v6, u8 ha[ETH_ALEN], u64 *age)
{
	const struct neighbour *n;
	u32 state = 0;

	local_bh_disable();
	n = lana_neigh_of(dev, address, v6, false);
	if (n) {
		state = READ_ONCE(n->nud_state);
		*age = jiffies_to_nsecs(jiffies - READ_ONCE(n->confirmed));
		if (state & NUD_VALID && !lana_neigh_ha(dev, n, ha))
			state = NUD_FAILED;
	}
	local_bh_enable();
	return state;
}

/* Ask a neighbour now, whatever is known of it. Read-side section. */
void lana_neigh_solicit(struct net_device *dev, const u8 *address, bool v6)
{
	struct bpf_net_context *ctx;
	struct neighbour *n;
	u8 state, ha[ETH_ALEN];

	local_bh_disable();
	ctx = lana_take_net_ctx();
	n = lana_neigh_hold(dev, address, v6);
	if (n) {
		state = READ_ONCE(n->nud_state);
		/* In a namespace that has had no IPv4 address yet all addresses are taken for those of broadcasts. */
		if (state & NUD_NOARP && !(dev->flags & IFF_NOARP) && !lana_neigh_ha(dev, n, ha)) {
			neigh_update(n, NULL, NUD_FAILED, NEIGH_UPDATE_F_ADMIN, 0);
			state = NUD_FAILED;
		}
		/* The stack does so by itself in other states, or not at all. */
		if (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY))
			n->ops->solicit(n, NULL);
		else if (!(state & (NUD_PERMANENT | NUD_NOARP)))
			neigh_event_send(n, NULL);
		neigh_release(n);
	}
	lana_give_net_ctx(ctx);
	local_bh_enable();
}

/*
 * A neighbour has not answered at the address that is known: the stack asks it some more
 * times, and then forgets the address. Read-side section.
 */
void lana_neigh_suspect(struct net_device *dev, const u8 *address, bool v6)
{
	struct bpf_net_context *ctx;
	struct neighbour *n;

	local_bh_disable();
	ctx = lana_take_net_ctx();
	n = lana_neigh_hold(dev, address, v6);
	if (n) {
		if (READ_ONCE(n->nud_state) & (NUD_REACHABLE | NUD_STALE | NUD_DELAY))
			neigh_update(n, NULL, NUD_PROBE, NEIGH_UPDATE_F_ADMIN, 0);
		neigh_release(n);
	}
	lana_give_net_ctx(ctx);
	local_bh_enable();
}

/* --- The devices on whose links there are next hops --- */

static DEFINE_SPINLOCK(lana_neigh_lock);

/* There is one more. The device is hooked, unless it has just gone. Read-side section. */
void lana_neigh_join(struct net_device *dev)
{
	struct lana_hook *hook = lana_hook_rcu(dev);

	if (!hook)
		return;
	spin_lock_bh(&lana_neigh_lock);
	hook->next_hops++;
	WRITE_ONCE(hook->neighbours, true);
	spin_unlock_bh(&lana_neigh_lock);
}

/* One less. */
void lana_neigh_leave(struct net_device *dev)
{
	struct lana_hook *hook = lana_hook_rcu(dev);

	if (!hook)
		return;
	spin_lock_bh(&lana_neigh_lock);
	if (!--hook->next_hops)
		WRITE_ONCE(hook->neighbours, false);
	spin_unlock_bh(&lana_neigh_lock);
}

struct lana_nd {
	struct ipv6hdr ip;
	struct icmp6hdr icmp;
} __packed;

static bool lana_nd_hears(const struct lana_nd *nd)
{
	return nd->ip.nexthdr == IPPROTO_ICMPV6 && nd->ip.hop_limit == 255 &&
	       (nd->icmp.icmp6_type == NDISC_NEIGHBOUR_SOLICITATION ||
		nd->icmp.icmp6_type == NDISC_NEIGHBOUR_ADVERTISEMENT);
}

/* Whether the stack is to have a packet that goes to the graph, which begins at its network header. */
bool lana_neigh_hears(const struct sk_buff *skb)
{
	const struct lana_nd *nd;
	struct lana_nd buffer;

	if (skb->protocol != htons(ETH_P_IPV6))
		return skb->protocol == htons(ETH_P_ARP);
	nd = skb_header_pointer(skb, 0, sizeof(buffer), &buffer);
	return nd && lana_nd_hears(nd);
}

/* The same of a frame, which has a whole Ethernet header: the stack gets an skb with a copy. */
void lana_neigh_frame(const struct xdp_buff *xdp)
{
	const struct ethhdr *eth = xdp->data;
	const struct lana_nd *nd = (const void *)(eth + 1);
	struct sk_buff *skb;

	if (eth->h_proto == htons(ETH_P_IPV6)) {
		if ((const void *)(nd + 1) > xdp->data_end || !lana_nd_hears(nd))
			return;
	} else if (eth->h_proto != htons(ETH_P_ARP)) {
		return;
	}
	skb = lana_frame_skb(xdp);
	if (skb)
		lana_frame_up(skb);
}

/* Something has happened to a neighbour: blocks look again at what their ports lead to. Any context. */
static int lana_neigh_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct lana_hook *hook;
	const struct neighbour *n = ptr;

	if (event != NETEVENT_NEIGH_UPDATE)
		return NOTIFY_DONE;
	rcu_read_lock();
	hook = lana_hook_rcu(n->dev);
	if (hook && READ_ONCE(hook->neighbours))
		lana_net_chores(dev_net(n->dev), false);
	rcu_read_unlock();
	return NOTIFY_DONE;
}

static struct notifier_block lana_neigh_notifier = {
	.notifier_call = lana_neigh_event,
};

int lana_neigh_register(void)
{
	return register_netevent_notifier(&lana_neigh_notifier);
}

void lana_neigh_unregister(void)
{
	unregister_netevent_notifier(&lana_neigh_notifier);
}
