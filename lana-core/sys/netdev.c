// SPDX-License-Identifier: GPL-2.0
/* Devices: holding one, and what there is to say of it. */

#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/netdev_lock.h>

#include "helpers.h"

/* A copy: a device can be renamed while it is looked at. */
void lana_dev_name(const struct net_device *dev, char name[IFNAMSIZ])
{
	strscpy(name, dev->name, IFNAMSIZ);
}

u32 lana_dev_mtu(const struct net_device *dev)
{
	return READ_ONCE(dev->mtu);
}

void lana_dev_address(const struct net_device *dev, u8 address[ETH_ALEN])
{
	memcpy(address, dev->dev_addr, ETH_ALEN);
}

void lana_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void lana_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

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

/* Give it back when a grace period has passed, by a work of its own: who waits for readers cannot hold that up. */
void lana_dev_put_held(struct lana_held *held)
{
	queue_rcu_work(lana_wq, &held->work);
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

/* What it has sent: bytes and packets. Read-side section. */
void lana_dev_sent(struct net_device *dev, u64 sent[2])
{
	struct rtnl_link_stats64 stats;

	dev_get_stats(dev, &stats);
	sent[0] = stats.tx_bytes;
	sent[1] = stats.tx_packets;
}
