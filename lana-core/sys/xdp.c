// SPDX-License-Identifier: GPL-2.0
/*
 * Frames: packets in the buffers of a driver, before an skb is made for them.
 *
 * The driver has a program (struct bpf_prog) that is ours: its function is not
 * generated from instructions, it is lana_xdp_run(). It is installed as bonding
 * installs the program of a bond at its ports, and so is none of those that
 * "ip link" shows. Whoever installs another one replaces it: the driver gives
 * our program back then, and its count of references tells.
 */

#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/unaligned.h>
#include <net/netdev_lock.h>
#include <net/xdp.h>

#include "helpers.h"
#include "skb.h"

/*
 * Between the frame and what is in front of it a frame that leaves a graph has a
 * word of metadata: how often it has done so. Drivers and veth hand it on, and so
 * does the skb that is made of the frame.
 */
#define LANA_FRAME_MARK		0x4c414e00u
#define LANA_FRAME_ENTRIES	0x000000ffu

static __always_inline u16 lana_frame_entries(const struct xdp_buff *xdp)
{
	u32 mark;

	/* None, or a driver that has no room for it: then it is behind the data. */
	if (xdp->data_meta >= xdp->data)
		return 0;
	if (xdp->data - xdp->data_meta != sizeof(mark))
		return 0;
	mark = get_unaligned((u32 *)xdp->data_meta);
	return (mark & ~LANA_FRAME_ENTRIES) == LANA_FRAME_MARK ? mark & LANA_FRAME_ENTRIES : 0;
}

static __always_inline void lana_frame_set_entries(struct xdp_buff *xdp, u16 entries)
{
	u32 mark = LANA_FRAME_MARK | min(entries, LANA_FRAME_ENTRIES);

	if (unlikely(xdp_data_meta_unsupported(xdp)))
		return;
	if (xdp->data - sizeof(mark) < xdp->data_hard_start + sizeof(struct xdp_frame))
		return;
	xdp->data_meta = xdp->data - sizeof(mark);
	put_unaligned(mark, (u32 *)xdp->data_meta);
}

/* Whether a driver can tell which VLAN tag it has taken out of a frame. */
static bool lana_dev_tells_tags(const struct net_device *dev)
{
	return dev->xdp_metadata_ops && dev->xdp_metadata_ops->xmo_rx_vlan_tag;
}

/* A program has the address of its hook in the place of its only instruction. */
static const struct lana_hook **lana_xdp_hook(const struct bpf_insn *insn)
{
	BUILD_BUG_ON(sizeof(struct bpf_insn) < sizeof(void *));
	BUILD_BUG_ON(offsetof(struct bpf_prog, insnsi) % sizeof(void *));
	return (const struct lana_hook **)insn;
}

/* The device that a frame on this CPU is to leave by, as long as the read-side section lasts. */
static DEFINE_PER_CPU(struct net_device *, lana_frame_target);

/* Tells the driver the device that a frame leaves by, as bpf_redirect() does it for an index. */
static __always_inline void lana_frame_tell(int index)
{
	struct bpf_redirect_info *ri = bpf_net_ctx_get_ri();

	ri->tgt_index = index;
	ri->map_id = INT_MAX;
	ri->map_type = BPF_MAP_TYPE_UNSPEC;
}

/* What most frames have no need of: calls, for which registers would be saved. */
static noinline unsigned int lana_xdp_rarely(const struct lana_hook *hook, struct xdp_buff *xdp)
{
	u16 entries;

	if (READ_ONCE(hook->neighbours))
		lana_neigh_frame(xdp);
	entries = lana_frame_entries(xdp);
	/* As an skb, which has the way for what has left graphs too often, too. */
	if (xdp_buff_has_frags(xdp) || entries >= LANA_ENTRY_LIMIT)
		return lana_receive_parts(hook, xdp, entries, lana_cpu_offset());
	return lana_receive_frame(hook, xdp, lana_cpu_offset());
}

/* A frame is received: NAPI of the driver, with bottom halves off, so a read-side section. */
static unsigned int lana_xdp_run(const void *ctx, const struct bpf_insn *insn)
{
	const struct lana_hook *hook = READ_ONCE(*lana_xdp_hook(insn));
	struct xdp_buff *xdp = (struct xdp_buff *)ctx;

	/* Not hooked yet, or not any more. */
	if (unlikely(!hook || xdp->data + ETH_HLEN > xdp->data_end))
		return XDP_PASS;
	if (unlikely(READ_ONCE(hook->neighbours) || xdp_buff_has_frags(xdp) ||
		     xdp->data_meta < xdp->data))
		return lana_xdp_rarely(hook, xdp);
	return lana_receive_frame(hook, xdp, lana_cpu_offset());
}

static struct bpf_prog *lana_xdp_prog(void)
{
	struct bpf_prog *prog = bpf_prog_alloc(bpf_prog_size(1), 0);

	if (!prog)
		return NULL;
	prog->type = BPF_PROG_TYPE_XDP;
	prog->len = 1;
	prog->gpl_compatible = 1;
	prog->bpf_func = lana_xdp_run;
	prog->aux->xdp_has_frags = true;
	/*
	 * A driver may refuse to give a program back, and keep it until its device goes. Its
	 * function is in this module, which stays as long: bpf_prog_put() gives it back.
	 */
	__module_get(THIS_MODULE);
	prog->aux->mod = THIS_MODULE;
	atomic64_set(&prog->aux->refcnt, 1);
	return prog;
}

static int lana_xdp_install(struct net_device *dev, struct bpf_prog *prog,
			    struct netlink_ext_ack *extack)
{
	struct netdev_bpf xdp = { .command = XDP_SETUP_PROG, .prog = prog, .extack = extack };
	int err;

	/* What is installed is the driver's. */
	if (prog)
		bpf_prog_inc(prog);
	err = dev_xdp_propagate(dev, &xdp);
	if (err && prog)
		bpf_prog_put(prog);
	return err;
}

/*
 * Has a driver run a program that passes all to the stack until it gets a hook. The
 * caller holds RTNL and has no graph locked. The reason why not is written to `why`,
 * where the driver tells one.
 */
struct bpf_prog *lana_xdp_attach(struct net_device *dev, char *why, size_t len, int *err)
{
	struct netlink_ext_ack extack = {};
	struct bpf_prog *prog;

	ASSERT_RTNL();
	*why = 0;
	if (netif_is_bond_slave(dev)) {
		strscpy(why, "it is a port of a bond: hook the bond without --xdp", len);
		*err = -EBUSY;
		return NULL;
	}
	/* Its ports would run the program before bonding has looked: at LACP, and who is active. */
	if (netif_is_bond_master(dev)) {
		strscpy(why, "it is a bond: hook it without --xdp", len);
		*err = -EOPNOTSUPP;
		return NULL;
	}
	if (!dev->netdev_ops->ndo_bpf || !(dev->xdp_features & NETDEV_XDP_ACT_BASIC)) {
		strscpy(why, "its driver has no native XDP: hook it without --xdp", len);
		*err = -EOPNOTSUPP;
		return NULL;
	}
	if ((dev->features & (NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX)) &&
	    !lana_dev_tells_tags(dev)) {
		strscpy(why, "its driver takes VLAN tags out: ethtool -K DEVICE rxvlan off", len);
		*err = -EOPNOTSUPP;
		return NULL;
	}
	if (dev_xdp_prog_count(dev)) {
		strscpy(why, "it has an XDP program: ip link set dev DEVICE xdp off", len);
		*err = -EBUSY;
		return NULL;
	}
	prog = lana_xdp_prog();
	if (!prog) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = lana_xdp_install(dev, prog, &extack);
	if (*err) {
		if (extack._msg)
			strscpy(why, extack._msg, len);
		bpf_prog_put(prog);
		return NULL;
	}
	return prog;
}

/* From now on frames enter by the hook, or by none. */
void lana_xdp_set_hook(struct bpf_prog *prog, const struct lana_hook *hook)
{
	/* What the hook consists of is there before it is seen. */
	smp_store_release(lana_xdp_hook(prog->insnsi), hook);
}

/* The driver has another program now, or none: it has given ours back. */
bool lana_xdp_displaced(const struct bpf_prog *prog)
{
	return atomic64_read(&prog->aux->refcnt) == 1;
}

/* Take a program back, which has no hook. The caller holds RTNL and has no graph locked. */
void lana_xdp_detach(struct net_device *dev, struct bpf_prog *prog)
{
	int err = 0;

	ASSERT_RTNL();
	if (!lana_xdp_displaced(prog))
		err = lana_xdp_install(dev, NULL, NULL);
	if (err)
		netdev_warn(dev, "lana: the driver keeps the XDP program: error %d\n", err);
	bpf_prog_put(prog);
}

/*
 * Whether the driver has taken a VLAN tag out of a frame: which one. It stays beside
 * the packet, as in the way of skbs.
 */
static __always_inline bool lana_frame_tag(const struct xdp_buff *xdp, __be16 *proto, u16 *tci)
{
	const struct net_device *dev = xdp->rxq->dev;

	return lana_dev_tells_tags(dev) &&
	       !dev->xdp_metadata_ops->xmo_rx_vlan_tag((const struct xdp_md *)xdp, proto, tci);
}

/* The tag that the driver has taken out: EtherType and tag; 0 for none. */
u32 lana_frame_vlan(const struct xdp_buff *xdp)
{
	__be16 proto;
	u16 tci;

	return lana_frame_tag(xdp, &proto, &tci) ? ntohs(proto) << 16 | tci : 0;
}

/* Move the beginning of a frame, as bpf_xdp_adjust_head() does, and its addresses with it. */
static bool lana_frame_move(struct xdp_buff *xdp, int offset)
{
	unsigned long metalen = xdp_data_meta_unsupported(xdp) ? 0 : xdp->data - xdp->data_meta;
	void *from = xdp->data - metalen;

	if (from + offset < xdp->data_hard_start + sizeof(struct xdp_frame))
		return false;
	memmove(from + offset, from, metalen + 2 * ETH_ALEN);
	xdp->data_meta += offset;
	xdp->data += offset;
	return true;
}

/*
 * Put an 802.1Q tag outside of all others. False, and the frame as it was, where there is no room in front of it, or
 * its driver has taken out a tag: then it would be outside of this one.
 */
bool lana_frame_push_vlan(struct xdp_buff *xdp, u16 tci)
{
	struct vlan_ethhdr *veth;

	if (lana_frame_vlan(xdp) || !lana_frame_move(xdp, -VLAN_HLEN))
		return false;
	veth = xdp->data;
	veth->h_vlan_proto = htons(ETH_P_8021Q);
	veth->h_vlan_TCI = htons(tci);
	return true;
}

/* Remove the outermost tag. False, and the frame as it was, where it has none, or its driver has taken it out. */
bool lana_frame_pop_vlan(struct xdp_buff *xdp)
{
	const struct ethhdr *eth = xdp->data;

	if (xdp->data + VLAN_ETH_HLEN > xdp->data_end || !eth_type_vlan(eth->h_proto))
		return false;
	return !lana_frame_vlan(xdp) && lana_frame_move(xdp, VLAN_HLEN);
}

/*
 * An skb with a copy of a frame, as the receive handler hands skbs to a graph. The
 * buffer itself stays the driver's, who reuses it when we have answered: a program
 * cannot keep it. NULL for want of memory.
 */
struct sk_buff *lana_frame_skb(const struct xdp_buff *xdp)
{
	const struct skb_shared_info *shinfo = NULL;
	struct net_device *dev = xdp->rxq->dev;
	unsigned int i, linear = xdp->data_end - xdp->data, len = linear;
	struct sk_buff *skb;
	__be16 proto;
	u16 tci;

	if (unlikely(xdp_buff_has_frags(xdp))) {
		shinfo = xdp_get_shared_info_from_buff((struct xdp_buff *)xdp);
		len += shinfo->xdp_frags_size;
	}
	skb = netdev_alloc_skb_ip_align(dev, len);
	if (unlikely(!skb))
		return NULL;
	skb_put_data(skb, xdp->data, linear);
	for (i = 0; shinfo && i < shinfo->nr_frags; i++)
		skb_put_data(skb, skb_frag_address(&shinfo->frags[i]),
			     skb_frag_size(&shinfo->frags[i]));
	skb_record_rx_queue(skb, xdp->rxq->queue_index);
	skb->protocol = eth_type_trans(skb, dev);
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	__skb_push(skb, ETH_HLEN);
	if (lana_frame_tag(xdp, &proto, &tci))
		__vlan_hwaccel_put_tag(skb, proto, tci);
	i = lana_frame_entries(xdp);
	if (unlikely(i))
		lana_skb_set_entries(skb, i);
	return skb;
}

/* The stack gets an skb that was made of a frame. */
void lana_frame_up(struct sk_buff *skb)
{
	if (unlikely(!pskb_may_pull(skb, ETH_HLEN))) {
		kfree_skb(skb);
		return;
	}
	skb->pkt_type = PACKET_HOST;
	skb->protocol = eth_type_trans(skb, skb->dev);
	skb_reset_network_header(skb);
	netif_receive_skb(skb);
}

/* As long as it can get: the driver needs what is behind. */
unsigned int lana_frame_room(const struct xdp_buff *xdp)
{
	return xdp_data_hard_end(xdp) - xdp->data;
}

/*
 * netif_running() and netif_carrier_ok(), by one load. A device that moves to another namespace, or
 * goes, is not running for a grace period before: so what is up has its index all along the section.
 */
static bool lana_frame_dev_up(const struct net_device *dev)
{
	const unsigned long start = BIT(__LINK_STATE_START), no_carrier = BIT(__LINK_STATE_NOCARRIER);

	return (READ_ONCE(dev->state) & (start | no_carrier)) == start;
}

/*
 * Whether a frame that leaves by a device may enter a graph of this machine again, with its
 * metadata. A way round goes by devices of software, in and out; on a wire nothing is left of
 * metadata. To write it touches memory that nothing else of the frame is in.
 */
static bool lana_frame_may_come_again(const struct net_device *from, const struct net_device *dev)
{
	return !from->dev.parent && !dev->dev.parent;
}

/* What drivers write tags to that nobody reads. Variables on the stack would be guarded, and zeroed before. */
static DEFINE_PER_CPU(struct lana_frame_tag {
	__be16 proto;
	u16 tci;
}, lana_frame_any_tag);

/* No frame can have its tag beside it: this asks a driver that tells tags. */
static __always_inline bool lana_frame_is_tagged(const struct xdp_buff *xdp)
{
	const struct net_device *dev = xdp->rxq->dev;
	struct lana_frame_tag *any = this_cpu_ptr(&lana_frame_any_tag);

	return lana_dev_tells_tags(dev) &&
	       !dev->xdp_metadata_ops->xmo_rx_vlan_tag((struct xdp_md *)xdp, &any->proto, &any->tci);
}

static __always_inline bool lana_frame_fits(const struct xdp_buff *xdp, const struct net_device *dev)
{
	return xdp->data_end - xdp->data <= dev->mtu + dev->hard_header_len + VLAN_HLEN;
}

static __always_inline struct lana_said lana_frame_leaves(enum xdp_action action)
{
	return (struct lana_said) { .verdict = LANA_VERDICT_LEFT | action };
}

/* What few frames come to is apart: so no registers are saved for its sake. */
static noinline struct lana_said lana_frame_ends(enum lana_drop_reason why)
{
	return (struct lana_said) { .verdict = LANA_VERDICT_ENDED | why };
}

static noinline struct lana_said lana_frame_as_skb(struct xdp_buff *xdp)
{
	return (struct lana_said) { .frame = xdp, .verdict = LANA_VERDICT_AS_SKB };
}

/* Back by the device that it came by. */
static noinline struct lana_said lana_frame_turn(struct xdp_buff *xdp, struct net_device *dev)
{
	if (unlikely(!lana_frame_fits(xdp, dev)))
		return lana_frame_ends(LANA_DROP_REASON_TOO_BIG);
	/*
	 * A driver that can send frames may say that it does not now: a veth whose other
	 * end takes none. It would lose what it is told to send, without a word.
	 */
	if (unlikely(!(dev->xdp_features & NETDEV_XDP_ACT_NDO_XMIT) &&
		     dev->netdev_ops->ndo_xdp_xmit))
		return lana_frame_as_skb(xdp);
	if (lana_frame_may_come_again(dev, dev))
		lana_frame_set_entries(xdp, lana_frame_entries(xdp) + 1);
	return lana_frame_leaves(XDP_TX);
}

/*
 * What becomes of a frame that is to leave by a device. The driver is to answer XDP_TX for
 * the one that it came by, XDP_REDIRECT for another one whose driver takes frames. Else it leaves
 * as an skb, by lana_frame_xmit_skb(): not from here, so that few registers are saved.
 */
struct lana_said lana_frame_xmit(struct xdp_buff *xdp, struct net_device *dev)
{
	const struct net_device *from;

	__this_cpu_write(lana_frame_target, dev);
	/* The driver is called first, when there is least to keep. */
	if (lana_frame_is_tagged(xdp))
		return lana_frame_as_skb(xdp);
	from = xdp->rxq->dev;
	if (dev == from)
		return lana_frame_turn(xdp, dev);
	if (unlikely(!lana_frame_dev_up(dev)))
		return lana_frame_ends(LANA_DROP_REASON_DEVICE);
	if (unlikely(!lana_frame_fits(xdp, dev)))
		return lana_frame_ends(LANA_DROP_REASON_TOO_BIG);
	/* Blocks of several namespaces may share a device's handle; an index is one of a namespace. */
	if (unlikely(!(dev->xdp_features & NETDEV_XDP_ACT_NDO_XMIT) ||
		     !(from->xdp_features & NETDEV_XDP_ACT_REDIRECT) ||
		     !net_eq(dev_net(dev), dev_net(from))))
		return lana_frame_as_skb(xdp);
	if (lana_frame_may_come_again(from, dev))
		lana_frame_set_entries(xdp, lana_frame_entries(xdp) + 1);
	lana_frame_tell(dev->ifindex);
	return lana_frame_leaves(XDP_REDIRECT);
}

/*
 * Send the skb that was made of a frame by the device that lana_frame_xmit() was given last, on this CPU
 * and in this read-side section. As lana_skb_xmit().
 */
int lana_frame_xmit_skb(struct sk_buff *skb)
{
	return lana_skb_xmit(skb, __this_cpu_read(lana_frame_target));
}

/*
 * Run a socket filter on a frame. Such a program only reads an skb, and writes to cb[]
 * (sk_filter_is_valid_access(), sk_filter_func_proto()), so one that has no buffer of
 * its own will do: this CPU's.
 */
static DEFINE_PER_CPU(struct sk_buff, lana_frame_shadow);

u32 lana_bpf_run_frame(const struct bpf_prog *prog, const struct xdp_buff *xdp)
{
	struct sk_buff *skb = this_cpu_ptr(&lana_frame_shadow);
	const struct ethhdr *eth = xdp->data;
	u32 tag = lana_frame_vlan(xdp);

	skb->dev = xdp->rxq->dev;
	__vlan_hwaccel_clear_tag(skb);
	if (tag)
		__vlan_hwaccel_put_tag(skb, htons(tag >> 16), (u16)tag);
	skb->head = xdp->data_hard_start;
	skb->data = xdp->data;
	skb->len = xdp->data_end - xdp->data;
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_set_tail_pointer(skb, skb->len);
	skb_set_end_offset(skb, xdp_data_hard_end(xdp) - xdp->data_hard_start);
	skb->protocol = eth_proto_is_802_3(eth->h_proto) ? eth->h_proto : htons(ETH_P_802_2);
	skb->pkt_type = PACKET_HOST;
	eth_skb_pkt_type(skb, skb->dev);
	skb_record_rx_queue(skb, xdp->rxq->queue_index);
	return bpf_prog_run_save_cb(prog, skb);
}
