// SPDX-License-Identifier: GPL-2.0
/*
 * The least that a receive handler can do, for the benchmarks to compare with:
 * what is written to the parameter `take` is a device, whose packets are freed
 * at once, or two, DEVICE>OTHER: they leave by the other one as they are; or
 * DEVICE*STEPS: they are freed after as many steps, each of which has counted
 * them and called a function of its own that does nothing. Of the namespace of
 * who writes; for good.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

static rx_handler_result_t floor_drop(struct sk_buff **pskb)
{
	kfree_skb(*pskb);
	return RX_HANDLER_CONSUMED;
}

/* Packets that are nobody else's, by a device that has no queue and wants no lock. */
static rx_handler_result_t floor_send(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct net_device *dev = rcu_dereference(skb->dev->rx_handler_data);

	skb_push(skb, ETH_HLEN);
	skb->dev = dev;
	netdev_start_xmit(skb, dev, netdev_get_tx_queue(dev, 0), false);
	return RX_HANDLER_CONSUMED;
}

struct floor_counts {
	u64 packets;
	u64 bytes;
};

struct floor_step {
	void (*call)(struct sk_buff *skb);
	struct floor_counts __percpu *counts;
	struct floor_step *next;
} ____cacheline_aligned;

static void floor_nothing(struct sk_buff *skb)
{
	/* It is called all the same. */
	asm volatile("");
}

static rx_handler_result_t floor_walk(struct sk_buff **pskb)
{
	const struct floor_step *step;

	for (step = rcu_dereference((*pskb)->dev->rx_handler_data); step; step = step->next) {
		struct floor_counts *counts = this_cpu_ptr(step->counts);

		counts->packets++;
		counts->bytes += (*pskb)->len;
		step->call(*pskb);
	}
	kfree_skb(*pskb);
	return RX_HANDLER_CONSUMED;
}

/* Steps, the last first; they stay. */
static struct floor_step *floor_steps(unsigned int steps)
{
	struct floor_step *first = NULL;

	while (steps--) {
		struct floor_step *step = kzalloc(sizeof(*step), GFP_KERNEL);

		if (step)
			step->counts = alloc_percpu(struct floor_counts);
		if (!step || !step->counts)
			return NULL;
		step->call = floor_nothing;
		step->next = first;
		first = step;
	}
	return first;
}

static int floor_take(const char *val, const struct kernel_param *kp)
{
	struct net *net = current->nsproxy->net_ns;
	rx_handler_func_t *handler = floor_drop;
	char names[2][IFNAMSIZ] = {};
	struct net_device *dev;
	void *data = NULL;
	int err = -ENODEV;
	char how = 0;

	sscanf(val, "%15[^>*\n]%c%15s", names[0], &how, names[1]);
	rtnl_lock();
	dev = __dev_get_by_name(net, names[0]);
	if (how == '>') {
		handler = floor_send;
		data = __dev_get_by_name(net, names[1]);
	} else if (how == '*') {
		handler = floor_walk;
		data = floor_steps(simple_strtoul(names[1], NULL, 10));
	}
	if (dev && (data || handler == floor_drop))
		err = netdev_rx_handler_register(dev, handler, data);
	rtnl_unlock();
	return err;
}

static const struct kernel_param_ops floor_ops = { .set = floor_take };

module_param_cb(take, &floor_ops, NULL, 0200);
MODULE_PARM_DESC(take, "DEVICE, DEVICE>OTHER, or DEVICE*STEPS");
MODULE_DESCRIPTION("The least that a receive handler can do");
MODULE_LICENSE("GPL");

static int __init floor_init(void)
{
	return 0;
}
module_init(floor_init);
