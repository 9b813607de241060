// SPDX-License-Identifier: GPL-2.0
/*
 * Carriers: what a device that virtual devices share receives for them, and what
 * becomes of them when something happens to it.
 */

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>

#include "helpers.h"
#include "vdev.h"

#define LANA_IDS	256

/* A carrier: what its receive handler looks at. */
struct lana_carrier {
	struct net_device __rcu *vdevs[LANA_IDS];
	unsigned int count;
};

/*
 * The receive handler of a carrier: a frame of a virtual device is received by
 * that, all others go on to Linux. So do those in a VLAN, which are not ours.
 */
static rx_handler_result_t lana_carrier_rx(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	u16 type = ntohs(skb->protocol);
	struct lana_carrier *carrier;
	struct net_device *dev;

	if (likely((type & 0xff00) != LANA_ETHERTYPE) || skb_vlan_tag_get_id(skb) ||
	    skb->pkt_type == PACKET_LOOPBACK)
		return RX_HANDLER_PASS;
	carrier = rcu_dereference(skb->dev->rx_handler_data);
	dev = rcu_dereference(carrier->vdevs[type & 0xff]);
	if (!dev)
		return RX_HANDLER_PASS;
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (unlikely(!skb))
		goto drop;
	*pskb = skb;
	if (unlikely(!(dev->flags & IFF_UP))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY);
		goto drop;
	}
	skb->dev = dev;
	if (skb->pkt_type == PACKET_HOST || skb->pkt_type == PACKET_OTHERHOST)
		skb->pkt_type = ether_addr_equal_64bits(eth_hdr(skb)->h_dest, dev->dev_addr) ?
				PACKET_HOST : PACKET_OTHERHOST;
	dev_sw_netstats_rx_add(dev, skb->len + ETH_HLEN);
	return RX_HANDLER_ANOTHER;
drop:
	dev_core_stats_rx_dropped_inc(dev);
	return RX_HANDLER_CONSUMED;
}

static struct lana_carrier *lana_carrier(const struct net_device *dev)
{
	if (rtnl_dereference(dev->rx_handler) != lana_carrier_rx)
		return NULL;
	return rtnl_dereference(dev->rx_handler_data);
}

#define lana_for_each_vdev(c, i, vdev)			\
	for (i = 0; i < LANA_IDS; i++)			\
		if (!(vdev = rtnl_dereference((c)->vdevs[i]))) \
			continue; else

bool lana_dev_is_carrier(const struct net_device *dev)
{
	return lana_carrier(dev);
}

/* The device of an id, NULL for none. */
struct net_device *lana_carrier_vdev(const struct net_device *dev, u8 id)
{
	struct lana_carrier *carrier = lana_carrier(dev);

	return carrier ? rtnl_dereference(carrier->vdevs[id]) : NULL;
}

int lana_carrier_join(struct net_device *dev, struct net_device *vdev, u8 id)
{
	struct lana_carrier *carrier = lana_carrier(dev);
	int err;

	if (!carrier) {
		carrier = kzalloc(sizeof(*carrier), GFP_KERNEL);
		if (!carrier)
			return -ENOMEM;
		err = netdev_rx_handler_register(dev, lana_carrier_rx, carrier);
		if (err) {
			kfree(carrier);
			return err;
		}
	}
	rcu_assign_pointer(carrier->vdevs[id], vdev);
	carrier->count++;
	return 0;
}

void lana_carrier_leave(struct net_device *dev, u8 id)
{
	struct lana_carrier *carrier = lana_carrier(dev);

	RCU_INIT_POINTER(carrier->vdevs[id], NULL);
	if (--carrier->count)
		return;
	/* Waits until nobody looks at it. */
	netdev_rx_handler_unregister(dev);
	kfree(carrier);
}

static void lana_carrier_gone(struct lana_carrier *carrier)
{
	struct net_device *vdev;
	LIST_HEAD(list);
	int i;

	/* With the last one the carrier is none any more. */
	for (i = 0; carrier && i < LANA_IDS; i++) {
		vdev = rtnl_dereference(carrier->vdevs[i]);
		if (!vdev)
			continue;
		netdev_info(vdev, "goes with its carrier %s\n", lana_vdev(vdev)->carrier->name);
		if (carrier->count == 1)
			carrier = NULL;
		lana_vdev_dellink(vdev, &list);
	}
	unregister_netdevice_many(&list);
}

/* What happens to a carrier happens to its virtual devices. */
static int lana_carrier_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr), *vdev;
	struct lana_carrier *carrier = lana_carrier(dev);
	int i;

	if (!carrier)
		return NOTIFY_DONE;
	switch (event) {
	case NETDEV_UP:
	case NETDEV_DOWN:
	case NETDEV_CHANGE:
		lana_for_each_vdev(carrier, i, vdev)
			netif_stacked_transfer_operstate(dev, vdev);
		break;
	case NETDEV_CHANGEMTU:
		lana_for_each_vdev(carrier, i, vdev)
			netdev_work_sched(vdev, 1);
		break;
	case NETDEV_CHANGEADDR:
		lana_for_each_vdev(carrier, i, vdev) {
			if (vdev->addr_assign_type == NET_ADDR_STOLEN) {
				eth_hw_addr_set(vdev, dev->dev_addr);
				call_netdevice_notifiers(NETDEV_CHANGEADDR, vdev);
			}
			if (vdev->flags & IFF_UP)
				lana_vdev_listen(vdev, vdev->dev_addr);
		}
		break;
	case NETDEV_UNREGISTER:
		/* It may as well only move to another namespace. */
		if (dev->reg_state == NETREG_UNREGISTERING)
			lana_carrier_gone(carrier);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		return NOTIFY_BAD;
	}
	return NOTIFY_DONE;
}

struct notifier_block lana_carrier_notifier = {
	.notifier_call = lana_carrier_event,
};
