// SPDX-License-Identifier: GPL-2.0
/*
 * odd0, an Ethernet device that does what drivers may, but those of the test kernels do not: it stops its
 * queue after each frame, until the next tick, and says whether it got a frame meanwhile. It says of which
 * type the last super-packet was, and can receive a frame from the reserves of memory.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/timer.h>

static struct net_device *odd;
static atomic_t frames, late;
static unsigned int gso_type;
static bool stops;
module_param(gso_type, uint, 0644);
MODULE_PARM_DESC(gso_type, "What the last super-packet said of itself");
module_param(stops, bool, 0644);
MODULE_PARM_DESC(stops, "Stop the queue after each frame");

static int odd_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", atomic_read((atomic_t *)kp->arg));
}

static const struct kernel_param_ops odd_count = { .get = odd_get };
module_param_cb(frames, &odd_count, &frames, 0444);
MODULE_PARM_DESC(frames, "How many frames it got");
module_param_cb(late, &odd_count, &late, 0444);
MODULE_PARM_DESC(late, "How many of them while its queue was stopped");

static void odd_wake(struct timer_list *timer)
{
	netif_wake_queue(odd);
}
static DEFINE_TIMER(odd_timer, odd_wake);

static netdev_tx_t odd_xmit(struct sk_buff *skb, struct net_device *dev)
{
	atomic_inc(&frames);
	if (netif_queue_stopped(dev))
		atomic_inc(&late);
	if (skb_is_gso(skb))
		gso_type = skb_shinfo(skb)->gso_type;
	if (stops && !netif_queue_stopped(dev)) {
		/* Who asks now, without the lock that is held here, finds the queue running. */
		udelay(50);
		netif_stop_queue(dev);
		mod_timer(&odd_timer, jiffies + 1);
	}
	consume_skb(skb);
	return NETDEV_TX_OK;
}

/* A broadcast of EtherType 0x88b5 is received, in memory that is for those by whom more is freed. */
static int odd_receive(const char *value, const struct kernel_param *kp)
{
	struct sk_buff *skb = netdev_alloc_skb(odd, ETH_ZLEN);
	struct ethhdr *eth;
	bool reserve;

	if (!skb)
		return -ENOMEM;
	if (kstrtobool(value, &reserve)) {
		kfree_skb(skb);
		return -EINVAL;
	}
	eth = skb_put_zero(skb, ETH_ZLEN);
	eth_broadcast_addr(eth->h_dest);
	eth->h_proto = htons(0x88b5);
	skb->protocol = eth_type_trans(skb, odd);
	skb->pfmemalloc = reserve;
	return netif_rx(skb) == NET_RX_SUCCESS ? 0 : -ENOBUFS;
}

static const struct kernel_param_ops odd_receives = { .set = odd_receive };
module_param_cb(receive, &odd_receives, NULL, 0200);
MODULE_PARM_DESC(receive, "Receives a frame; 1: from the reserves of memory");

static const struct net_device_ops odd_ops = { .ndo_start_xmit = odd_xmit };

static void odd_setup(struct net_device *dev)
{
	ether_setup(dev);
	eth_hw_addr_random(dev);
	dev->netdev_ops = &odd_ops;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA | NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ROBUST;
}

static int __init odd_init(void)
{
	int err;

	odd = alloc_netdev(0, "odd0", NET_NAME_USER, odd_setup);
	if (!odd)
		return -ENOMEM;
	err = register_netdev(odd);
	if (err)
		free_netdev(odd);
	return err;
}
module_init(odd_init);

static void __exit odd_exit(void)
{
	unregister_netdev(odd);
	timer_shutdown_sync(&odd_timer);
	free_netdev(odd);
}
module_exit(odd_exit);

MODULE_DESCRIPTION("An Ethernet device for tests that does what few drivers do");
MODULE_LICENSE("GPL");
