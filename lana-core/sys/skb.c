// SPDX-License-Identifier: GPL-2.0
/* What blocks do to packets: see skb.h for those that are shared. */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dst.h>

#include "helpers.h"
#include "skb.h"

/* A shared packet goes back to the others as it was. */
void lana_restore(struct sk_buff *skb)
{
	if (!skb_shared(skb))
		return;
	skb_postpull_rcsum(skb, skb->data, ETH_HLEN);
	lana_skb_pull(skb);
}

/* For a packet that is shared one that is not, in its place; NULL for want of memory, and the packet stays. */
struct sk_buff *lana_skb_unshare(struct sk_buff *skb)
{
	struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC);

	if (clone) {
		lana_restore(skb);
		consume_skb(skb);
	}
	return clone;
}

bool lana_skb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

/*
 * Make the first bytes linear, and this packet's own. A super-packet that was
 * changed is not what the stack or a device has made: who takes it apart is to
 * look at it first.
 */
static int lana_skb_own(struct sk_buff *skb, unsigned int len)
{
	int err;

	/* What nearly all are, without the way to find it out. */
	if (likely(!skb->cloned && len <= skb_headlen(skb) && !skb_is_gso(skb)))
		return 0;
	if (len > skb->len)
		return -EINVAL;
	err = skb_ensure_writable(skb, len);
	if (err || !skb_is_gso(skb))
		return err;
	/* Clones share what says how it is to be taken apart. */
	err = skb_unclone(skb, GFP_ATOMIC);
	if (!err)
		skb_shinfo(skb)->gso_type |= SKB_GSO_DODGY;
	return err;
}

/* The sum over all of it, where a device has made one, is not that of what will be written. */
int lana_skb_writable(struct sk_buff *skb, unsigned int len)
{
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return lana_skb_own(skb, len);
}

/* Write bytes that are linear and our own. The sum over all of the packet stays right. */
static void lana_skb_store(struct sk_buff *skb, unsigned int offset, const void *bytes,
			   unsigned int len)
{
	void *to = skb->data + offset;

	__skb_postpull_rcsum(skb, to, len, offset);
	memcpy(to, bytes, len);
	__skb_postpush_rcsum(skb, to, len, offset);
}

/*
 * What becomes of a checksum when what it covers changes by `diff`. As
 * inet_proto_csum_replace_by_diff(), but the one that a device is to fill in is
 * known by its place; it has the sum of the pseudo-header alone.
 */
static void lana_skb_update(struct sk_buff *skb, const struct lana_sum *sum, __wsum diff)
{
	__sum16 check;

	memcpy(&check, skb->data + sum->at, sizeof(check));
	if (skb->ip_summed == CHECKSUM_PARTIAL &&
	    sum->at == skb_checksum_start_offset(skb) + skb->csum_offset) {
		if (!(sum->flags & LANA_SUM_PSEUDO))
			return;
		check = ~csum_fold(csum_add(diff, csum_unfold(check)));
	} else {
		/* UDP's 0 says that there is none. */
		if (sum->flags & LANA_SUM_OPTIONAL && !check)
			return;
		csum_replace_by_diff(&check, diff);
		if (sum->flags & LANA_SUM_OPTIONAL && !check)
			check = CSUM_MANGLED_0;
	}
	lana_skb_store(skb, sum->at, &check, sizeof(check));
}

/* The difference that new bytes make to a sum. Addresses and ports take no call. */
static __wsum lana_skb_diff(const u8 *new, const void *old, unsigned int len)
{
	__wsum to = 0, from = 0;

	if (len == 2 || len == 4) {
		memcpy(&to, new, len);
		memcpy(&from, old, len);
#ifdef __BIG_ENDIAN
		if (len == 2) {
			to = (__force __wsum)((__force u32)to >> 16);
			from = (__force __wsum)((__force u32)from >> 16);
		}
#endif
		return csum_sub(to, from);
	}
	return csum_sub(csum_partial(new, len, 0), csum_partial(old, len, 0));
}

/*
 * Write `len` bytes at `offset`, and make the checksums right that cover them.
 * False, and the packet as it was, where it is shorter or there is no memory.
 */
bool lana_skb_replace(struct sk_buff *skb, unsigned int offset, const u8 *bytes, unsigned int len,
		      const struct lana_sum *sums, unsigned int count)
{
	unsigned int i, end;
	__wsum diff;

	if (check_add_overflow(offset, len, &end))
		return false;
	for (i = 0; i < count; i++) {
		unsigned int behind;

		if (check_add_overflow(sums[i].at, (u32)sizeof(__sum16), &behind))
			return false;
		end = max(end, behind);
	}
	if (end > skb->len || lana_skb_own(skb, end))
		return false;
	diff = lana_skb_diff(bytes, skb->data + offset, len);
	lana_skb_store(skb, offset, bytes, len);
	for (i = 0; i < count; i++) {
		/* What a checksum covers begins an even number of bytes before it. */
		lana_skb_update(skb, &sums[i], csum_shift(diff, offset - sums[i].at));
	}
	return true;
}

/* What is known of the checksum: an ip_summed, and with CHECKSUM_COMPLETE the sum over all bytes. */
u8 lana_skb_summed(const struct sk_buff *skb, u16 *sum)
{
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		*sum = (u16)~(__force u16)csum_fold(skb->csum);
	return skb->ip_summed;
}

/* Fill in the checksum that a device was to. False for a super-packet: each part gets its own. */
bool lana_skb_complete(struct sk_buff *skb)
{
	int end;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return true;
	end = skb_checksum_start_offset(skb) + skb->csum_offset + sizeof(__sum16);
	if (skb_is_gso(skb) || skb_checksum_start_offset(skb) < 0 || end > skb->len)
		return false;
	return !lana_skb_own(skb, end) && !skb_csum_hwoffload_help(skb, 0);
}

struct sk_buff *lana_skb_clone(struct sk_buff *skb)
{
	return skb_clone(skb, GFP_ATOMIC);
}

/*
 * An skb of these bytes, of which the first are an Ethernet header. It comes from no
 * device, and nobody has checked its sums. NULL for want of memory.
 */
struct sk_buff *lana_skb_make(const u8 *bytes, unsigned int len)
{
	struct sk_buff *skb = alloc_skb(NET_SKB_PAD + NET_IP_ALIGN + len, GFP_ATOMIC);
	__be16 proto;

	if (unlikely(!skb))
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put_data(skb, bytes, len);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	proto = eth_hdr(skb)->h_proto;
	skb->protocol = eth_proto_is_802_3(proto) ? proto : htons(ETH_P_802_2);
	return skb;
}

/* One whose sum is to be restored, too: apart, as it takes a call, for which registers would be saved. */
static noinline void lana_skb_free_summed(struct sk_buff *skb, enum skb_drop_reason reason)
{
	lana_restore(skb);
	kfree_skb_reason(skb, reason);
}

/* What Linux calls a reason. No array: its bounds may be checked, by a call. */
static enum skb_drop_reason lana_skb_reason(enum lana_drop_reason why)
{
	switch (why) {
	case LANA_DROP_REASON_FILTERED:
		return SKB_DROP_REASON_SOCKET_FILTER;
	case LANA_DROP_REASON_MALFORMED:
		return SKB_DROP_REASON_HDR_TRUNC;
	case LANA_DROP_REASON_TOO_BIG:
		return SKB_DROP_REASON_PKT_TOO_BIG;
	case LANA_DROP_REASON_DEVICE:
		return SKB_DROP_REASON_DEV_READY;
	case LANA_DROP_REASON_NO_MEMORY:
		return SKB_DROP_REASON_NOMEM;
	case LANA_DROP_REASON_QUEUE_FULL:
		return SKB_DROP_REASON_SOCKET_RCVBUFF;
	case LANA_DROP_REASON_UNRESOLVED:
		return SKB_DROP_REASON_NEIGH_FAILED;
	case LANA_DROP_REASON_TTL_EXPIRED:
		return SKB_DROP_REASON_IP_INHDR;
	default:
		return SKB_DROP_REASON_NOT_SPECIFIED;
	}
}

/* `why` is an enum lana_drop_reason. */
void lana_skb_free(struct sk_buff *skb, u32 why)
{
	enum skb_drop_reason reason = lana_skb_reason(why);

	if (skb_shared(skb)) {
		if (unlikely(skb->ip_summed == CHECKSUM_COMPLETE))
			return lana_skb_free_summed(skb, reason);
		lana_skb_pull(skb);
	}
	kfree_skb_reason(skb, reason);
}

void lana_skb_consume(struct sk_buff *skb)
{
	lana_restore(skb);
	consume_skb(skb);
}

/*
 * Cut off the end of a packet, or put zeros there. What is known of a checksum over all of it stays true.
 * A super-packet stays as long as it is: its length goes with the parts it is to be taken apart into.
 */
bool lana_skb_resize(struct sk_buff *skb, unsigned int len)
{
	unsigned int more;

	if (len == skb->len)
		return true;
	if (skb_is_gso(skb))
		return false;
	if (len < skb->len)
		return !pskb_trim_rcsum(skb, len);
	if (len > LANA_LEN_MAX)
		return false;
	more = len - skb->len;
	/* Zeros add nothing to a sum, wherever they begin. */
	if (skb_is_nonlinear(skb) || skb_cloned(skb) || skb_tailroom(skb) < more) {
		if (skb_linearize(skb) || pskb_expand_head(skb, 0, more, GFP_ATOMIC))
			return false;
	}
	skb_put_zero(skb, more);
	return true;
}

/*
 * Make a packet, which is not shared, one that can wait for longer than the read-side section lasts in which it came:
 * it has nothing of a socket, a route, a connection or a device any more, but the number of that. False where
 * there is no memory, or only such as is wanted elsewhere.
 */
bool lana_skb_hold(struct sk_buff *skb, u32 *ifindex)
{
	if (skb_pfmemalloc(skb) || skb_orphan_frags_rx(skb, GFP_ATOMIC))
		return false;
	skb_orphan(skb);
	skb_dst_drop(skb);
	skb_ext_reset(skb);
	nf_reset_ct(skb);
	*ifindex = skb->dev ? skb->dev->ifindex : 0;
	skb->dev = NULL;
	return true;
}

/* It has waited. Its device is set again, unless that has gone. In a read-side section. */
void lana_skb_resume(struct sk_buff *skb, struct net *net, u32 ifindex)
{
	skb->dev = ifindex ? dev_get_by_index_rcu(net, ifindex) : NULL;
}

/* Copy bytes of a packet; false where it is shorter, or they are in a device's memory. */
bool lana_skb_read(const struct sk_buff *skb, unsigned int offset, void *to, unsigned int len)
{
	return !skb_copy_bits(skb, offset, to, len);
}

/* The VLAN tag beside a packet: EtherType and tag; 0 for none. */
u32 lana_skb_tag(const struct sk_buff *skb)
{
	return skb_vlan_tag_present(skb) ? ntohs(skb->vlan_proto) << 16 | skb_vlan_tag_get(skb) : 0;
}

/*
 * The kernel's functions for VLAN tags go by the link layer header and by skb->protocol. Blocks change the EtherType
 * without it. False if the outermost tag of the packet is not among its bytes.
 */
static bool lana_skb_tagged(struct sk_buff *skb)
{
	__be16 proto;

	if (!pskb_may_pull(skb, ETH_HLEN))
		return false;
	skb_reset_mac_header(skb);
	proto = eth_hdr(skb)->h_proto;
	if (eth_type_vlan(proto) || eth_type_vlan(skb->protocol))
		skb->protocol = proto;
	return !skb_vlan_tag_present(skb) && eth_type_vlan(proto) && skb->len >= VLAN_ETH_HLEN;
}

/* Put an 802.1Q tag outside of all others. It stands beside the bytes, and the one that stood there among them. */
bool lana_skb_push_vlan(struct sk_buff *skb, u16 tci)
{
	lana_skb_tagged(skb);
	return !skb_vlan_push(skb, htons(ETH_P_8021Q), tci);
}

/*
 * Remove the outermost tag. As with skb_vlan_pop() the next one stands beside the bytes afterwards; but where it is cut
 * off, or there is no memory, it stays among them. False, and the packet as it was, if it has none.
 */
bool lana_skb_pop_vlan(struct sk_buff *skb)
{
	__be16 proto;
	u16 tci;

	if (lana_skb_tagged(skb)) {
		if (__skb_vlan_pop(skb, &tci))
			return false;
	} else if (skb_vlan_tag_present(skb)) {
		__vlan_hwaccel_clear_tag(skb);
	} else {
		return false;
	}
	proto = skb->protocol;
	if (lana_skb_tagged(skb) && !__skb_vlan_pop(skb, &tci))
		__vlan_hwaccel_put_tag(skb, proto, tci);
	return true;
}

/* Give the outermost tag other tag control information. False, and the packet as it was, if it has none. */
bool lana_skb_set_vlan(struct sk_buff *skb, u16 tci)
{
	__be16 bytes = htons(tci);

	if (skb_vlan_tag_present(skb)) {
		__vlan_hwaccel_put_tag(skb, skb->vlan_proto, tci);
		return true;
	}
	return lana_skb_tagged(skb) &&
	       lana_skb_replace(skb, ETH_HLEN, (const u8 *)&bytes, sizeof(bytes), NULL, 0);
}

/*
 * The sum of a part that is there, folded, not inverted; -1 where the bytes are
 * in a device's memory, which nobody reads here.
 */
int lana_skb_checksum(const struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	if (unlikely(!skb_frags_readable(skb)))
		return -1;
	return (u16)~(__force u16)csum_fold(skb_checksum(skb, offset, len, 0));
}
