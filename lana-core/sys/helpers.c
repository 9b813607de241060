// SPDX-License-Identifier: GPL-2.0
/* See helpers.h. */

#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file_net.h>
#include <linux/siphash.h>
#include <net/net_namespace.h>
#include <net/netdev_lock.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netns/generic.h>
#include <net/sch_generic.h>
#include <net/sock.h>
#include <net/tcx.h>

#include "helpers.h"
#include "netlink-gen.h"

/*
 * Packets.
 *
 * One that comes from a device may be shared: somebody else has a reference,
 * whom netif_receive_skb() has given it to before, or who calls that. Until
 * somebody wants to change it or to keep it, it is not copied; what lana_rx()
 * has done to it is undone when it goes. As packet_rcv() does it, this goes
 * well because the others are on this CPU, before us or after us.
 */

/* __skb_pull(), but the header is known to be there. */
static void lana_skb_pull(struct sk_buff *skb)
{
	skb->len -= ETH_HLEN;
	skb->data += ETH_HLEN;
}

/* A shared packet goes back to the others as it was. */
static void lana_skb_restore(struct sk_buff *skb)
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
		lana_skb_restore(skb);
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
	diff = csum_sub(csum_partial(bytes, len, 0), csum_partial(skb->data + offset, len, 0));
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

/* One whose sum is to be restored, too: apart, as it takes a call, for which registers would be saved. */
static noinline void lana_skb_free_summed(struct sk_buff *skb, enum skb_drop_reason reason)
{
	lana_skb_restore(skb);
	kfree_skb_reason(skb, reason);
}

/* `why` is an enum lana_drop_reason. */
void lana_skb_free(struct sk_buff *skb, u32 why)
{
	static const enum skb_drop_reason reasons[] = {
		[LANA_DROP_REASON_FILTERED] = SKB_DROP_REASON_SOCKET_FILTER,
		[LANA_DROP_REASON_UNBOUND] = SKB_DROP_REASON_NOT_SPECIFIED,
		[LANA_DROP_REASON_HOP_LIMIT] = SKB_DROP_REASON_NOT_SPECIFIED,
		[LANA_DROP_REASON_BACKLOG] = SKB_DROP_REASON_NOT_SPECIFIED,
		[LANA_DROP_REASON_MALFORMED] = SKB_DROP_REASON_HDR_TRUNC,
		[LANA_DROP_REASON_TOO_BIG] = SKB_DROP_REASON_PKT_TOO_BIG,
		[LANA_DROP_REASON_DEVICE] = SKB_DROP_REASON_DEV_READY,
		[LANA_DROP_REASON_NO_MEMORY] = SKB_DROP_REASON_NOMEM,
		[LANA_DROP_REASON_QUEUE_FULL] = SKB_DROP_REASON_SOCKET_RCVBUFF,
	};

	if (skb_shared(skb)) {
		if (unlikely(skb->ip_summed == CHECKSUM_COMPLETE))
			return lana_skb_free_summed(skb, reasons[why]);
		lana_skb_pull(skb);
	}
	kfree_skb_reason(skb, reasons[why]);
}

void lana_skb_consume(struct sk_buff *skb)
{
	lana_skb_restore(skb);
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
 * The sum of a part that is there, folded, not inverted; -1 where the bytes are
 * in a device's memory, which nobody reads here.
 */
int lana_skb_checksum(const struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	if (unlikely(!skb_frags_readable(skb)))
		return -1;
	return (u16)~(__force u16)csum_fold(skb_checksum(skb, offset, len, 0));
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

static u16 lana_skb_mark(const struct sk_buff *skb)
{
	if (likely(!skb->encapsulation))
		return skb->inner_transport_header - skb->inner_mac_header;
#if defined(CONFIG_NET_SCHED) || defined(CONFIG_NET_XGRESS)
	return skb->tc_index;
#else
	return 0;
#endif
}

static u16 lana_skb_entries(const struct sk_buff *skb)
{
	u16 mark = lana_skb_mark(skb);

	return (mark & ~LANA_ENTRIES) == LANA_MARK ? mark & LANA_ENTRIES : 0;
}

static void lana_skb_set_entries(struct sk_buff *skb, u16 entries)
{
	if (likely(!skb->encapsulation))
		skb->inner_transport_header = skb->inner_mac_header + (LANA_MARK | entries);
#if defined(CONFIG_NET_SCHED) || defined(CONFIG_NET_XGRESS)
	else
		skb->tc_index = LANA_MARK | entries;
#endif
}

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
 * Send a frame by a device it may not have come from: checked and cleaned as
 * ____dev_forward_skb() does it for a frame that changes devices. Takes the
 * packet in any case. Returns -1 when it went, else the reason for its drop.
 */
int lana_skb_xmit(struct sk_buff *skb, struct net_device *dev)
{
	int why, err;

	if (unlikely(!pskb_may_pull(skb, ETH_HLEN))) {
		why = LANA_DROP_REASON_MALFORMED;
		goto drop;
	}
	if (unlikely(!netif_running(dev) || !netif_carrier_ok(dev))) {
		why = LANA_DROP_REASON_DEVICE;
		goto drop;
	}
	if (unlikely(!is_skb_forwardable(dev, skb))) {
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
	/* A variable of its own: net_xmit_eval() evaluates its argument twice. */
	err = lana_queue_xmit(skb, dev);
	return unlikely(net_xmit_eval(err)) ? LANA_DROP_REASON_DEVICE : -1;
drop:
	lana_skb_free(skb, why);
	return why;
}

/* CPUs. */

/* gcc has an address space of its own for per-CPU pointers: casts go through an integer. */
static void __percpu *lana_percpu(void *base)
{
	return (void __percpu *)(__force unsigned long)base;
}

void *lana_percpu_alloc(size_t size, size_t align)
{
	return (void *)(__force unsigned long)__alloc_percpu(size, align);
}

void lana_percpu_free(void *base)
{
	free_percpu(lana_percpu(base));
}

void *lana_percpu_ptr(void *base, unsigned int cpu)
{
	return per_cpu_ptr(lana_percpu(base), cpu);
}

/* What, added to a per-CPU base, gives this CPU's part. Preemption is off. */
unsigned long lana_this_cpu_offset(void)
{
	return (__force unsigned long)raw_cpu_ptr(lana_percpu(NULL));
}

unsigned int lana_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}

bool lana_cpu_possible(unsigned int cpu)
{
	return cpu_possible(cpu);
}

/* Time and chance. */

/* Nanoseconds that only go on with the tick, from the same beginning as those of the clock. */
u64 lana_time_coarse(void)
{
	return ktime_get_coarse_ns();
}

/* The seconds of that. */
u64 lana_time_second(void)
{
	return ktime_get_seconds();
}

u64 lana_time_now(void)
{
	return ktime_get_ns();
}

void lana_random(void *data, size_t len)
{
	get_random_bytes(data, len);
}

u64 lana_siphash(const void *key, const u64 *words, size_t count)
{
	return siphash(words, count * sizeof(*words), key);
}

/* RCU. */

unsigned long lana_rcu_state(void)
{
	return get_state_synchronize_rcu();
}

/* Wait until all that read when `state` was taken have ended. */
void lana_rcu_wait(unsigned long state)
{
	cond_synchronize_rcu_expedited(state);
}

/* Other processes. */

void lana_cond_resched(void)
{
	cond_resched();
}

/* Modules. */

bool lana_module_get(struct module *module)
{
	return try_module_get(module);
}

void lana_module_put(struct module *module)
{
	module_put(module);
}

const char *lana_module_name(struct module *module)
{
	return module ? module->name : "";
}

/* Its init runs. */
bool lana_module_coming(const struct module *module)
{
	return module && READ_ONCE(module->state) == MODULE_STATE_COMING;
}

/*
 * A module goes when its exit, or an init that failed, is over. What it has
 * registered goes then: not by its own code, which can forget it.
 */
static int lana_module_event(struct notifier_block *nb, unsigned long event, void *module)
{
	if (event == MODULE_STATE_GOING)
		lana_module_gone(module);
	return NOTIFY_DONE;
}

static struct notifier_block lana_module_notifier = {
	.notifier_call = lana_module_event,
};

int lana_module_watch(void)
{
	return register_module_notifier(&lana_module_notifier);
}

void lana_module_unwatch(void)
{
	unregister_module_notifier(&lana_module_notifier);
}

void lana_request_module(const char *prefix, const char *name)
{
	request_module("%s%s", prefix, name);
}

/* Devices. */

/* What most packets have no need of: calls, for which registers would be saved. */
static noinline rx_handler_result_t lana_rx_rarely(struct sk_buff **pskb,
						   const struct lana_hook *hook)
{
	struct sk_buff *skb = *pskb;
	u16 entries = lana_skb_entries(skb);

	if (unlikely(skb->pkt_type == PACKET_LOOPBACK))
		return RX_HANDLER_PASS;
	__skb_push(skb, ETH_HLEN);
	skb_postpush_rcsum(skb, skb->data, ETH_HLEN);
	/*
	 * A shared packet cannot wait: the others go on with it when we return. Nor can
	 * one whose bytes are in a program's pages, which writes what it likes meanwhile.
	 */
	if (READ_ONCE(hook->batch) && !skb_shared(skb) && entries < LANA_ENTRY_LIMIT &&
	    !skb_orphan_frags_rx(skb, GFP_ATOMIC)) {
		lana_batch_add(hook, skb);
		return RX_HANDLER_CONSUMED;
	}
	/* What came before goes before. */
	if (unlikely(this_cpu_read(lana_batch_waiting)))
		lana_batch_run();
	return lana_receive(hook, skb, entries, lana_this_cpu_offset(), pskb);
}

/*
 * The receive handler: lets the packet begin at its link layer header again, as
 * it did on the wire, and hands it to the engine.
 */
static rx_handler_result_t lana_rx(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	const struct lana_hook *hook;

	/* Classifiers at the ingress go by that, too. */
	if (unlikely(skb->mac_len != ETH_HLEN))
		return RX_HANDLER_PASS;
	prefetch(skb->data - ETH_HLEN);
	hook = rcu_dereference(skb->dev->rx_handler_data);
	if (READ_ONCE(hook->batch) ||
	    unlikely(skb->pkt_type == PACKET_LOOPBACK || skb->ip_summed == CHECKSUM_COMPLETE ||
		     lana_skb_mark(skb) || this_cpu_read(lana_batch_waiting)))
		return lana_rx_rarely(pskb, hook);
	__skb_push(skb, ETH_HLEN);
	return lana_receive(hook, skb, 0, lana_this_cpu_offset(), pskb);
}

/*
 * A packet is given back: its device was hooked in a change that is not
 * committed, or unhooked in one that is; or no block wanted it, of which one
 * may have changed it on the way. The stack gets it by `pskb`; one that has
 * waited gets no further. What the receive handler is to answer.
 */
rx_handler_result_t lana_give_back(struct sk_buff **pskb, struct sk_buff *skb)
{
	if (!pskb) {
		lana_batch_lost(skb);
		return RX_HANDLER_CONSUMED;
	}
	*pskb = skb;
	if (skb_shared(skb)) {
		lana_skb_restore(skb);
		return RX_HANDLER_PASS;
	}
	if (unlikely(!pskb_may_pull(skb, ETH_HLEN))) {
		kfree_skb(skb);
		return RX_HANDLER_CONSUMED;
	}
	skb->pkt_type = PACKET_HOST;
	skb->protocol = eth_type_trans(skb, skb->dev);
	skb_postpull_rcsum(skb, skb_mac_header(skb), ETH_HLEN);
	skb_reset_network_header(skb);
	return RX_HANDLER_PASS;
}

void lana_rtnl_lock(void)
{
	rtnl_lock();
}

void lana_rtnl_unlock(void)
{
	rtnl_unlock();
}

/* Frames on it begin with an Ethernet header, and it is not the loopback. */
bool lana_dev_is_ethernet(const struct net_device *dev)
{
	return dev->type == ARPHRD_ETHER;
}

struct net_device *lana_dev_find(struct net *net, const char *name)
{
	return __dev_get_by_name(net, name);
}

struct net_device *lana_dev_find_index(struct net *net, int ifindex)
{
	return __dev_get_by_index(net, ifindex);
}

/* A copy: a device can be renamed while it is looked at. */
void lana_dev_name(const struct net_device *dev, char name[IFNAMSIZ])
{
	strscpy(name, dev->name, IFNAMSIZ);
}

void lana_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void lana_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

static struct workqueue_struct *lana_wq;

static void lana_dev_put_work(struct work_struct *work)
{
	struct lana_held *held = container_of(to_rcu_work(work), struct lana_held, work);

	/* Packets that wait know their device. */
	if (READ_ONCE(held->batched))
		lana_batch_flush();
	dev_put(held->dev);
	kfree(held);
}

struct lana_held *lana_dev_held(struct net_device *dev)
{
	struct lana_held *held = kzalloc_obj(*held);

	if (held) {
		INIT_RCU_WORK(&held->work, lana_dev_put_work);
		dev_hold(dev);
		held->dev = dev;
	}
	return held;
}

/* Give it back when a grace period has passed. Nothing can hold that up. */
void lana_dev_put_held(struct lana_held *held)
{
	queue_rcu_work(lana_wq, &held->work);
}

/* What a hooked device was hooked with. */
const void *lana_dev_hooked(const struct net_device *dev)
{
	if (rtnl_dereference(dev->rx_handler) != lana_rx)
		return NULL;
	return rtnl_dereference(dev->rx_handler_data);
}

/* Who has taken the device's rx handler, in words. */
const char *lana_dev_owner(const struct net_device *dev)
{
	if (netif_is_bridge_port(dev))
		return "a bridge port";
	if (netif_is_macvlan_port(dev))
		return "a macvlan carrier";
	if (netif_is_bond_slave(dev))
		return "a bond port";
	if (netif_is_team_port(dev))
		return "a team port";
	if (netif_is_ovs_port(dev))
		return "an Open vSwitch port";
	if (lana_dev_is_carrier(dev))
		return "a carrier of virtual devices";
	if (lana_dev_hooked(dev))
		return "hooked already";
	return "taken by another rx handler";
}

bool lana_dev_is_up(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/*
 * In Mbit/s, 0 where that is not known. The caller holds RTNL and, where it has one,
 * the device's own lock.
 */
u32 lana_dev_speed(struct net_device *dev)
{
	struct ethtool_link_ksettings settings;

	if (netif_get_link_ksettings(dev, &settings) || settings.base.speed == SPEED_UNKNOWN)
		return 0;
	return settings.base.speed;
}

/*
 * What is done to a hooked device under its own lock. That lock comes before a
 * graph's: notifiers hold it when they lock a graph. So hooking and unhooking, with
 * a graph locked, only put it on a list, under RTNL, and lana_dev_settle() does it
 * when the graph's lock has been given back, before RTNL is.
 */
struct lana_todo {
	struct list_head list;
	struct net_device *dev;
	/* NULL: unhooked. */
	const struct lana_hook *hook;
};

static LIST_HEAD(lana_todos);

int lana_dev_hook(struct net_device *dev, struct lana_hook *hook)
{
	struct lana_todo *todo = kmalloc(sizeof(*todo), GFP_KERNEL);
	int err;

	if (!todo)
		return -ENOMEM;
	todo->dev = dev;
	todo->hook = hook;
	hook->todo = todo;
	err = netdev_rx_handler_register(dev, lana_rx, hook);
	if (err) {
		kfree(todo);
		return err;
	}
	dev_hold(dev);
	list_add_tail(&todo->list, &lana_todos);
	return 0;
}

static void lana_todo_end(struct lana_todo *todo)
{
	dev_put(todo->dev);
	kfree(todo);
}

static void lana_todo_undo(struct lana_todo *todo)
{
	if (!list_empty(&todo->list)) {
		/* A change that was not made: nothing has been done yet. */
		list_del(&todo->list);
		return lana_todo_end(todo);
	}
	todo->hook = NULL;
	list_add_tail(&todo->list, &lana_todos);
}

/* Afterwards no CPU runs the handler for this device. */
void lana_dev_unhook(struct net_device *dev, const struct lana_hook *hook)
{
	netdev_rx_handler_unregister(dev);
	lana_todo_undo(hook->todo);
}

/*
 * As lana_dev_unhook(), for who waits later, once for many: until a grace period
 * has passed, CPUs may be in the handler, and nobody may register another one.
 */
void lana_dev_detach(struct net_device *dev, const struct lana_hook *hook)
{
	ASSERT_RTNL();
	RCU_INIT_POINTER(dev->rx_handler, NULL);
	lana_todo_undo(hook->todo);
}

/* Do what is to be done. The caller holds RTNL and has no graph locked. */
void lana_dev_settle(void)
{
	struct lana_todo *todo;
	struct net_device *dev;

	ASSERT_RTNL();
	while ((todo = list_first_entry_or_null(&lana_todos, struct lana_todo, list))) {
		list_del_init(&todo->list);
		dev = todo->dev;
		if (!todo->hook) {
			dev_set_promiscuity(dev, -1);
			lana_todo_end(todo);
			continue;
		}
		dev_disable_lro(dev);
		dev_set_promiscuity(dev, 1);
		/* Its speed can be asked for now. */
		netdev_lock_ops(dev);
		lana_dev_event(todo->hook, dev, U32_MAX);
		netdev_unlock_ops(dev);
	}
}

/* A device that goes away or to another namespace leaves the graph. */
static int lana_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	const struct lana_hook *hook = lana_dev_hooked(dev);

	if (!hook)
		return NOTIFY_DONE;
	switch (event) {
	case NETDEV_UNREGISTER:
		/* Where it only moves, somebody else may be the next to have its handler. */
		if (dev->reg_state == NETREG_UNREGISTERING)
			lana_dev_detach(dev, hook);
		else
			lana_dev_unhook(dev, hook);
		lana_dev_settle();
		lana_dev_gone(hook);
		break;
	case NETDEV_CHANGENAME:
		lana_dev_event(hook, dev, LANA_EVENT_KIND_DEVICE_RENAMED);
		break;
	case NETDEV_UP:
		lana_dev_event(hook, dev, LANA_EVENT_KIND_DEVICE_UP);
		break;
	case NETDEV_DOWN:
		lana_dev_event(hook, dev, LANA_EVENT_KIND_DEVICE_DOWN);
		break;
	case NETDEV_CHANGE:
		lana_dev_event(hook, dev, U32_MAX);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		/* Its frames would not begin with an Ethernet header any more. */
		return NOTIFY_BAD;
	}
	return NOTIFY_DONE;
}

static struct notifier_block lana_netdev_notifier = {
	.notifier_call = lana_netdev_event,
};

/* Namespaces: each has its graph. */

static unsigned int lana_net_id __read_mostly;

struct lana_net {
	void *graph;
	struct delayed_work alarm;
	/* What has gone since the graph was locked last. */
	struct llist_head gone;
	struct delayed_work chores;
};

void *lana_net_get(struct net *net)
{
	return ((struct lana_net *)net_generic(net, lana_net_id))->graph;
}

/* Let Rust visit the graphs of all namespaces. */
void lana_net_for_each(void *data)
{
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net)
		lana_graph_visit(lana_net_get(net), data);
	up_read(&net_rwsem);
}

static void lana_net_alarm_work(struct work_struct *work)
{
	struct lana_net *ln = container_of(to_delayed_work(work), struct lana_net, alarm);

	lana_graph_alarm(ln->graph);
}

/* Have the graph told of drops: from any context, soon, and ten times a second at most. */
void lana_net_alarm(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	queue_delayed_work(system_percpu_wq, &ln->alarm, HZ / 10);
}

/* Have the graph do what it has put off: soon, or, where it had no memory for that, later. */
void lana_net_chores(struct net *net, bool later)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	queue_delayed_work(lana_wq, &ln->chores, later ? HZ / 10 : 0);
}

/*
 * Something has gone whose block is to go: the graph hears of it when it is
 * locked next, by the work at the latest. Any context; waits for nobody.
 */
void lana_net_gone(struct net *net, struct lana_gone *gone, bool later)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	llist_add(&gone->node, &ln->gone);
	lana_net_chores(net, later);
}

bool lana_net_any_gone(struct net *net)
{
	return !llist_empty(&((struct lana_net *)net_generic(net, lana_net_id))->gone);
}

static struct lana_gone *lana_gone_of(struct llist_node *node)
{
	return node ? llist_entry(node, struct lana_gone, node) : NULL;
}

/* Take all that has gone, in its order; a list by lana_gone_next(). */
struct lana_gone *lana_net_take_gone(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	return lana_gone_of(llist_reverse_order(llist_del_all(&ln->gone)));
}

struct lana_gone *lana_gone_next(const struct lana_gone *gone)
{
	return lana_gone_of(gone->node.next);
}

static void lana_net_chores_work(struct work_struct *work)
{
	struct lana_net *ln = container_of(to_delayed_work(work), struct lana_net, chores);

	lana_graph_chores(ln->graph);
}

static int __net_init lana_net_init(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	INIT_DELAYED_WORK(&ln->alarm, lana_net_alarm_work);
	init_llist_head(&ln->gone);
	INIT_DELAYED_WORK(&ln->chores, lana_net_chores_work);
	ln->graph = lana_graph_new(net);
	return ln->graph ? 0 : -ENOMEM;
}

static void __net_exit lana_net_exit(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	/* No device and no socket is left to go, and those that went go with the graph. */
	disable_delayed_work_sync(&ln->chores);
	lana_graph_clear(ln->graph);
	/* No packet is there any more to raise another one. */
	cancel_delayed_work_sync(&ln->alarm);
	lana_graph_free(ln->graph);
	ln->graph = NULL;
}

static struct pernet_operations lana_net_ops = {
	.init = lana_net_init,
	.exit = lana_net_exit,
	.id = &lana_net_id,
	.size = sizeof(struct lana_net),
};

int lana_net_register(void)
{
	int err = -ENOMEM;

	lana_wq = alloc_workqueue("lana", WQ_UNBOUND, 0);
	if (!lana_wq)
		return err;
	err = lana_batch_init();
	if (err)
		goto wq;
	err = register_pernet_subsys(&lana_net_ops);
	if (err)
		goto batch;
	err = register_netdevice_notifier(&lana_netdev_notifier);
	if (err)
		goto pernet;
	return 0;
pernet:
	unregister_pernet_subsys(&lana_net_ops);
batch:
	lana_batch_exit();
wq:
	destroy_workqueue(lana_wq);
	return err;
}

void lana_net_unregister(void)
{
	unregister_netdevice_notifier(&lana_netdev_notifier);
	unregister_pernet_subsys(&lana_net_ops);
	/* Devices are given back: the grace period, and then the work. */
	rcu_barrier();
	destroy_workqueue(lana_wq);
	lana_batch_exit();
}

/* procfs. */

struct proc_dir_entry *lana_proc_mkdir(struct net *net, const char *name,
				       struct proc_dir_entry *parent)
{
	return proc_net_mkdir(net, name, parent ?: net->proc_net);
}

/* Who has one of these files open keeps its namespace. */
struct proc_dir_entry *lana_proc_single(const char *name, struct proc_dir_entry *parent,
					int (*show)(struct seq_file *, void *))
{
	return proc_create_net_single(name, 0444, parent, show, NULL);
}

void *lana_proc_single_graph(struct seq_file *m)
{
	return lana_net_get(seq_file_single_net(m));
}

static const struct seq_operations lana_fblocks_ops = {
	.start = lana_fblocks_start,
	.next = lana_fblocks_next,
	.stop = lana_fblocks_stop,
	.show = lana_fblocks_show,
};

struct proc_dir_entry *lana_proc_fblocks(struct proc_dir_entry *parent)
{
	return proc_create_net("fblocks", 0444, parent, &lana_fblocks_ops,
			       sizeof(struct seq_net_private));
}

void *lana_proc_fblocks_graph(struct seq_file *m)
{
	return lana_net_get(seq_file_net(m));
}

static int lana_fblock_proc_show(struct seq_file *m, void *v)
{
	const struct net *net = proc_get_parent_data(file_inode(m->file));

	/* As netlink shows options. */
	return lana_fblock_show(m, file_ns_capable(m->file, net->user_ns, CAP_NET_ADMIN));
}

static int lana_fblock_proc_open(struct inode *inode, struct file *file)
{
	/* The directory's data is its namespace, as proc_net_mkdir() has it. */
	struct net *net = maybe_get_net(proc_get_parent_data(inode));
	void *opened;
	int err;

	if (!net)
		return -ENXIO;
	opened = lana_fblock_open(pde_data(inode));
	err = opened ? single_open(file, lana_fblock_proc_show, opened) : -ENOMEM;
	if (err) {
		if (opened)
			lana_fblock_close(opened);
		put_net(net);
	}
	return err;
}

/* Nobody gets what this returns. It is also called when the block goes. */
static int lana_fblock_proc_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	lana_fblock_close(m->private);
	put_net(proc_get_parent_data(inode));
	return single_release(inode, file);
}

static ssize_t lana_fblock_proc_write(struct file *file, const char __user *buf,
				      size_t len, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	ssize_t done;

	/* As for netlink: root of a user namespace may not change a graph. */
	if (!file_ns_capable(file, &init_user_ns, CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&m->lock);
	done = lana_fblock_write(m->private, buf, len, *pos);
	mutex_unlock(&m->lock);
	if (done > 0)
		*pos += done;
	return done;
}

static const struct proc_ops lana_fblock_ops = {
	.proc_open = lana_fblock_proc_open,
	.proc_read = seq_read,
	.proc_write = lana_fblock_proc_write,
	.proc_lseek = seq_lseek,
	.proc_release = lana_fblock_proc_release,
};

struct proc_dir_entry *lana_proc_fblock(const char *name, struct proc_dir_entry *parent,
					void *file)
{
	return proc_create_data(name, 0644, parent, &lana_fblock_ops, file);
}

void lana_proc_remove(struct proc_dir_entry *entry)
{
	proc_remove(entry);
}

void lana_seq_write(struct seq_file *m, const void *data, size_t len)
{
	seq_write(m, data, len);
}

void lana_seq_pointer(struct seq_file *m, const void *p)
{
	seq_printf(m, "%p", p);
}

/* Generic netlink. */

int lana_genl_register(void)
{
	return genl_register_family(&lana_nl_family);
}

void lana_genl_unregister(void)
{
	genl_unregister_family(&lana_nl_family);
}

struct net *lana_genl_net(struct genl_info *info)
{
	return genl_info_net(info);
}

/* Whether the sender of a request may see what is for who configures its namespace. */
bool lana_genl_capable(struct sk_buff *request)
{
	return netlink_net_capable(request, CAP_NET_ADMIN);
}

u32 lana_genl_dump_portid(struct netlink_callback *cb)
{
	return NETLINK_CB(cb->skb).portid;
}

struct net *lana_genl_dump_net(struct netlink_callback *cb)
{
	return sock_net(cb->skb->sk);
}

void lana_genl_dump_check(struct netlink_callback *cb, void *head)
{
	genl_dump_check_consistent(cb, head);
}

struct sk_buff *lana_genl_new(size_t size)
{
	return genlmsg_new(size, GFP_KERNEL);
}

void *lana_genl_put(struct sk_buff *skb, u32 portid, u32 seq, int flags, u8 cmd)
{
	return genlmsg_put(skb, portid, seq, &lana_nl_family, flags, cmd);
}

void lana_genl_end(struct sk_buff *skb, void *head)
{
	genlmsg_end(skb, head);
}

void lana_genl_cancel(struct sk_buff *skb, void *head)
{
	genlmsg_cancel(skb, head);
}

int lana_genl_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

void lana_genl_multicast(struct net *net, struct sk_buff *skb)
{
	genlmsg_multicast_netns(&lana_nl_family, net, skb, 0, LANA_NLGRP_EVENTS, GFP_KERNEL);
}

bool lana_genl_listeners(struct net *net)
{
	return genl_has_listeners(&lana_nl_family, net, LANA_NLGRP_EVENTS);
}

void lana_genl_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

int lana_nla_put(struct sk_buff *skb, u16 type, const void *data, size_t len)
{
	return nla_put(skb, type, len, data);
}

int lana_nla_put_uint(struct sk_buff *skb, u16 type, u64 value)
{
	return nla_put_uint(skb, type, value);
}

struct nlattr *lana_nla_nest(struct sk_buff *skb, u16 type)
{
	return nla_nest_start(skb, type);
}

void lana_nla_nest_end(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_end(skb, nest);
}

void lana_nla_nest_cancel(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_cancel(skb, nest);
}

/* The first attribute of a type, from the one after `prev` on or from the first one. */
const struct nlattr *lana_genl_attr(const struct genl_info *info, const struct nlattr *prev, u16 type)
{
	const struct nlattr *attrs = nlmsg_attrdata(info->nlhdr, GENL_HDRLEN);
	int len = nlmsg_attrlen(info->nlhdr, GENL_HDRLEN);

	if (prev) {
		len -= (const char *)nla_next(prev, &(int){ 0 }) - (const char *)attrs;
		attrs = nla_next(prev, &(int){ 0 });
	}
	while (nla_ok(attrs, len)) {
		if (nla_type(attrs) == type)
			return attrs;
		attrs = nla_next(attrs, &len);
	}
	return NULL;
}

/* The only attribute in a nest, or NULL where there is none or more. */
const struct nlattr *lana_nla_only(const struct nlattr *nest)
{
	const struct nlattr *attr = nla_data(nest);
	int rest = nla_len(nest);

	if (!nla_ok(attr, rest))
		return NULL;
	nla_next(attr, &rest);
	return rest ? NULL : attr;
}

/* Find the attributes in a nest, which the policy has checked. `tb` has room for `max` + 1. */
int lana_nla_parse(struct nlattr **tb, u32 max, const struct nlattr *nest)
{
	return __nla_parse(tb, max, nla_data(nest), nla_len(nest), NULL, NL_VALIDATE_TRAILING,
			   NULL);
}

void lana_extack_set(struct netlink_ext_ack *extack, const char *text, size_t len,
		     const struct nlattr *culprit)
{
	if (text)
		NL_SET_ERR_MSG_FMT(extack, "%.*s", (int)len, text);
	if (extack && culprit)
		NL_SET_BAD_ATTR(extack, culprit);
}

void lana_extack_missing(struct netlink_ext_ack *extack, const struct nlattr *nest, u32 attr)
{
	if (!extack)
		return;
	NL_SET_ERR_ATTR_MISS(extack, nest, attr);
}

/* BPF. */

struct bpf_prog *lana_bpf_create(struct sock_filter *program, u16 len, int *err)
{
	struct sock_fprog_kern fprog = { .len = len, .filter = program };
	struct bpf_prog *prog;

	*err = bpf_prog_create(&prog, &fprog);
	return *err ? NULL : prog;
}

u32 lana_bpf_run(const struct bpf_prog *prog, struct sk_buff *skb)
{
	return bpf_prog_run_clear_cb(prog, skb);
}

bool lana_bpf_jited(const struct bpf_prog *prog)
{
	return prog->jited;
}

void lana_bpf_destroy(struct bpf_prog *prog)
{
	bpf_prog_destroy(prog);
}
