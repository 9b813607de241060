// SPDX-License-Identifier: GPL-2.0
/*
 * The least that a receive handler can do, for the benchmarks to compare with:
 * what is written to the parameter `take` is a device, whose packets are freed
 * at once, or two, DEVICE>OTHER: they leave by the other one as they are. Of
 * the namespace of who writes; for good.
 */

#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>

static rx_handler_result_t floor_drop(struct sk_buff **pskb)
{
	kfree_skb(*pskb);
	return RX_HANDLER_CONSUMED;
}

/* Packets that are nobody else's. */
static rx_handler_result_t floor_send(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;

	skb_push(skb, ETH_HLEN);
	skb->dev = rcu_dereference(skb->dev->rx_handler_data);
	dev_queue_xmit(skb);
	return RX_HANDLER_CONSUMED;
}

static int floor_take(const char *val, const struct kernel_param *kp)
{
	struct net *net = current->nsproxy->net_ns;
	struct net_device *dev, *other = NULL;
	char names[2][IFNAMSIZ] = {};
	int found, err = -ENODEV;

	found = sscanf(val, "%15[^>\n]>%15s", names[0], names[1]);
	rtnl_lock();
	dev = __dev_get_by_name(net, names[0]);
	if (found > 1)
		other = __dev_get_by_name(net, names[1]);
	if (dev && (other || found == 1))
		err = netdev_rx_handler_register(dev, other ? floor_send : floor_drop, other);
	rtnl_unlock();
	return err;
}

static const struct kernel_param_ops floor_ops = { .set = floor_take };

module_param_cb(take, &floor_ops, NULL, 0200);
MODULE_PARM_DESC(take, "DEVICE, or DEVICE>OTHER");
MODULE_DESCRIPTION("The least that a receive handler can do");
MODULE_LICENSE("GPL");

static int __init floor_init(void)
{
	return 0;
}
module_init(floor_init);
