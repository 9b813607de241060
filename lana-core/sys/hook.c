// SPDX-License-Identifier: GPL-2.0
/*
 * A hooked device: its receive handler, by which packets enter the graph, and what
 * becomes of the device.
 */

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/netdev_lock.h>

#include "helpers.h"
#include "skb.h"

/*
 * A packet that tells of neighbours goes both ways: the stack gets it, and the graph a
 * clone, before. Without memory for that the stack alone: it is a packet that is sent again.
 */
static rx_handler_result_t lana_rx_heard(struct sk_buff *skb, const struct lana_hook *hook,
					 u16 entries)
{
	struct sk_buff *clone = skb_clone(skb, GFP_ATOMIC);

	if (unlikely(!clone)) {
		dev_core_stats_rx_dropped_inc(skb->dev);
		return RX_HANDLER_PASS;
	}
	__skb_push(clone, ETH_HLEN);
	skb_postpush_rcsum(clone, clone->data, ETH_HLEN);
	if (READ_ONCE(hook->batch) && entries < LANA_ENTRY_LIMIT) {
		lana_batch_add(hook, clone);
		return RX_HANDLER_PASS;
	}
	if (unlikely(this_cpu_read(lana_batch_waiting)))
		lana_batch_run();
	/* One that no block takes is freed, as the stack has it anyway. */
	lana_receive(hook, clone, entries, lana_cpu_offset(), NULL);
	return RX_HANDLER_PASS;
}

/* What most packets have no need of: calls, for which registers would be saved. */
static noinline rx_handler_result_t lana_rx_rarely(struct sk_buff **pskb,
						   const struct lana_hook *hook)
{
	struct sk_buff *skb = *pskb;
	u16 entries = lana_skb_entries(skb);

	if (unlikely(skb->pkt_type == PACKET_LOOPBACK))
		return RX_HANDLER_PASS;
	if (READ_ONCE(hook->neighbours) && unlikely(lana_neigh_hears(skb)))
		return lana_rx_heard(skb, hook, entries);
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
	return lana_receive(hook, skb, entries, lana_cpu_offset(), pskb);
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
	if (READ_ONCE(hook->detours) ||
	    unlikely(skb->pkt_type == PACKET_LOOPBACK || skb->ip_summed == CHECKSUM_COMPLETE ||
		     lana_skb_mark(skb) || this_cpu_read(lana_batch_waiting)))
		return lana_rx_rarely(pskb, hook);
	__skb_push(skb, ETH_HLEN);
	return lana_receive(hook, skb, 0, lana_cpu_offset(), pskb);
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
		lana_restore(skb);
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

/*
 * An skb of a device whose frames enter before: it has passed the graph, or came
 * before the program. But where somebody else's program has taken the place of
 * ours, what that one passes enters here.
 */
static rx_handler_result_t lana_rx_behind(struct sk_buff **pskb)
{
	const struct lana_hook *hook = rcu_dereference((*pskb)->dev->rx_handler_data);

	return unlikely(READ_ONCE(hook->displaced)) ? lana_rx(pskb) : RX_HANDLER_PASS;
}

/* What a hooked device was hooked with. */
const void *lana_dev_hooked(const struct net_device *dev)
{
	rx_handler_func_t *handler = rtnl_dereference(dev->rx_handler);

	if (handler != lana_rx && handler != lana_rx_behind)
		return NULL;
	return rtnl_dereference(dev->rx_handler_data);
}

/* The same for who is in a read-side section. */
struct lana_hook *lana_hook_rcu(const struct net_device *dev)
{
	rx_handler_func_t *handler = rcu_dereference(dev->rx_handler);

	if (handler != lana_rx && handler != lana_rx_behind)
		return NULL;
	return rcu_dereference(dev->rx_handler_data);
}

/* Whether what a device receives is collected. */
void lana_hook_set_batch(struct lana_hook *hook, bool batch)
{
	WRITE_ONCE(hook->batch, batch);
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
	/* Of the driver, where frames enter. */
	struct bpf_prog *prog;
	/* It was done. */
	bool done;
};

static LIST_HEAD(lana_todos);

/*
 * Whoever installs a program of their own takes the frames away. Nobody tells of it, so
 * it is looked for.
 */
static LIST_HEAD(lana_framed);
static void lana_framed_look(struct work_struct *work);
static DECLARE_DELAYED_WORK(lana_framed_work, lana_framed_look);
#define LANA_FRAMED_EACH	(HZ / 2)

static void lana_framed_look(struct work_struct *work)
{
	struct lana_hook *hook;

	/* Who waits for this to end may hold it. */
	if (!rtnl_trylock()) {
		schedule_delayed_work(&lana_framed_work, 1);
		return;
	}
	list_for_each_entry(hook, &lana_framed, framed) {
		struct net_device *dev = hook->todo->dev;

		if (hook->displaced || !lana_xdp_displaced(hook->todo->prog))
			continue;
		WRITE_ONCE(hook->displaced, true);
		netdev_lock_ops(dev);
		lana_dev_event(hook, dev, LANA_EVENT_KIND_XDP_REPLACED);
		netdev_unlock_ops(dev);
	}
	if (!list_empty(&lana_framed))
		schedule_delayed_work(&lana_framed_work, LANA_FRAMED_EACH);
	rtnl_unlock();
}

/* No device is hooked any more, nor can one be. */
void lana_hook_exit(void)
{
	cancel_delayed_work_sync(&lana_framed_work);
}

/* With a program, which is given to us unless this fails, frames enter; else skbs. */
int lana_dev_hook(struct net_device *dev, struct lana_hook *hook, struct bpf_prog *prog)
{
	struct lana_todo *todo = kmalloc(sizeof(*todo), GFP_KERNEL);
	int err;

	if (!todo)
		return -ENOMEM;
	*todo = (struct lana_todo){ .dev = dev, .hook = hook, .prog = prog };
	hook->todo = todo;
	err = netdev_rx_handler_register(dev, prog ? lana_rx_behind : lana_rx, hook);
	if (err) {
		kfree(todo);
		return err;
	}
	dev_hold(dev);
	list_add_tail(&todo->list, &lana_todos);
	if (prog) {
		list_add(&hook->framed, &lana_framed);
		lana_xdp_set_hook(prog, hook);
		schedule_delayed_work(&lana_framed_work, LANA_FRAMED_EACH);
	}
	return 0;
}

static void lana_todo_end(struct lana_todo *todo)
{
	if (todo->done)
		dev_set_promiscuity(todo->dev, -1);
	if (todo->prog)
		lana_xdp_detach(todo->dev, todo->prog);
	dev_put(todo->dev);
	kfree(todo);
}

/* Frames do not enter any more, but for those that are on their way. */
static void lana_todo_leave(struct lana_hook *hook)
{
	if (!hook->todo->prog)
		return;
	lana_xdp_set_hook(hook->todo->prog, NULL);
	list_del(&hook->framed);
}

static void lana_todo_undo(struct lana_todo *todo)
{
	todo->hook = NULL;
	/* It is there still if nothing was done yet, in a change that was not made. */
	if (list_empty(&todo->list))
		list_add_tail(&todo->list, &lana_todos);
}

/* Afterwards no CPU runs the handler for this device, nor the program's function. */
void lana_dev_unhook(struct net_device *dev, struct lana_hook *hook)
{
	lana_todo_leave(hook);
	netdev_rx_handler_unregister(dev);
	lana_todo_undo(hook->todo);
}

/*
 * As lana_dev_unhook(), for who waits later, once for many: until a grace period
 * has passed, CPUs may be in the handler, and nobody may register another one.
 */
void lana_dev_detach(struct net_device *dev, struct lana_hook *hook)
{
	ASSERT_RTNL();
	lana_todo_leave(hook);
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
			lana_todo_end(todo);
			continue;
		}
		todo->done = true;
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
	struct lana_hook *hook = (struct lana_hook *)lana_dev_hooked(dev);

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
	case NETDEV_CHANGEMTU:
	case NETDEV_CHANGEADDR:
		lana_dev_event(hook, dev, LANA_DEV_ADDRESS);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		/* Its frames would not begin with an Ethernet header any more. */
		return NOTIFY_BAD;
	}
	return NOTIFY_DONE;
}

struct notifier_block lana_netdev_notifier = {
	.notifier_call = lana_netdev_event,
};
