/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of virtual devices share: vdev.c, vdev-carrier.c and link.c. */
#ifndef LANA_VDEV_H
#define LANA_VDEV_H

#include <linux/etherdevice.h>
#include <linux/netdevice.h>

#define LANA_ETHERTYPE	0xac00

/* What a virtual device has of its own. */
struct lana_vdev {
	struct net_device *carrier;
	netdevice_tracker tracker;
	u8 id;
	bool filtered;		/* the carrier listens to this address, too: */
	u8 filter[ETH_ALEN];
};

static inline struct lana_vdev *lana_vdev(const struct net_device *dev)
{
	return netdev_priv(dev);
}

/* vdev.c */
const struct lana_vdev *lana_vdev_of(const struct net_device *dev);
int lana_vdev_listen(struct net_device *dev, const u8 *addr);
void lana_vdev_setup(struct net_device *dev);
void lana_vdev_dellink(struct net_device *dev, struct list_head *head);

/* vdev-carrier.c */
int lana_carrier_join(struct net_device *dev, struct net_device *vdev, u8 id);
void lana_carrier_leave(struct net_device *dev, u8 id);
extern struct notifier_block lana_carrier_notifier;

/* link.c */
extern struct rtnl_link_ops lana_link_ops;

#endif
