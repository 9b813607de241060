// SPDX-License-Identifier: GPL-2.0
/* What blocks need that make another packet of a packet: encrypt it, compress it, put it into a tunnel. */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/gso.h>

#include "helpers.h"
#include "skb.h"

bool lana_skb_is_super(const struct sk_buff *skb)
{
	return skb_is_gso(skb);
}

/*
 * The packets that a super-packet, which is not shared, is to be taken apart into, linked by `next`,
 * each with its checksums in it. It stays. NULL where it cannot be taken apart, or there is no memory.
 */
struct sk_buff *lana_skb_segment(struct sk_buff *skb)
{
	struct sk_buff *parts;

	if (!pskb_may_pull(skb, ETH_HLEN))
		return NULL;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	/* No feature: who gets the parts takes linear packets with sums, and nothing else. */
	parts = __skb_gso_segment(skb, 0, false);
	return IS_ERR_OR_NULL(parts) ? NULL : parts;
}

/* Put the VLAN tag beside a packet among its bytes. False, and the packet as it was, where there is no memory. */
bool lana_skb_tag_inside(struct sk_buff *skb)
{
	if (!skb_vlan_tag_present(skb))
		return true;
	if (!pskb_may_pull(skb, ETH_HLEN))
		return false;
	skb_reset_mac_header(skb);
	if (__vlan_insert_tag(skb, skb->vlan_proto, skb_vlan_tag_get(skb)))
		return false;
	skb->protocol = skb->vlan_proto;
	skb_postpush_rcsum(skb, skb->data + 2 * ETH_ALEN, VLAN_HLEN);
	__vlan_hwaccel_clear_tag(skb);
	return true;
}

/*
 * The bytes of a packet, which is not shared, are those of another one: what is known of it besides was true of
 * the old ones.
 */
void lana_skb_renew(struct sk_buff *skb)
{
	u16 entries = lana_skb_entries(skb);
	__be16 proto;

	if (skb_headlen(skb) < ETH_HLEN)
		return;
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_valid = 0;
	skb_clear_hash(skb);
	skb->encapsulation = 0;
	if (entries)
		lana_skb_set_entries(skb, entries);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	proto = eth_hdr(skb)->h_proto;
	skb->protocol = eth_proto_is_802_3(proto) ? proto : htons(ETH_P_802_2);
}
