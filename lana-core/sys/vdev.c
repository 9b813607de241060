// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual devices: Ethernet devices that share a carrier, each with an EtherType
 * of its own, 0xac00 and its id. They are what any device is to the rest of Linux
 * and of LANA: a block takes what one receives as it does of a real one.
 */

#include <linux/ethtool.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/netdev_lock.h>

#include "helpers.h"
#include "vdev.h"

/* --- Packets --- */

/*
 * A frame that leaves by a virtual device leaves by its carrier, under its EtherType.
 * One in a VLAN does not: the type would take its tag's place, or nobody would receive
 * it, as above. A tag that has only a priority stays.
 */
static netdev_tx_t lana_vdev_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct lana_vdev *vdev = lana_vdev(dev);
	__be16 type = htons(LANA_ETHERTYPE | vdev->id);
	unsigned int len = skb->len;
	int ret;

	if (unlikely(skb_vlan_tag_get_id(skb) || eth_type_vlan(eth_hdr(skb)->h_proto))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_UNHANDLED_PROTO);
		goto drop;
	}
	if (eth_hdr(skb)->h_proto != type) {
		if (unlikely(skb_cow_head(skb, 0))) {
			kfree_skb_reason(skb, SKB_DROP_REASON_NOMEM);
			goto drop;
		}
		skb_reset_mac_header(skb);
		eth_hdr(skb)->h_proto = type;
	}
	skb->protocol = type;
	skb->dev = vdev->carrier;
	ret = dev_queue_xmit(skb);
	if (likely(!net_xmit_eval(ret))) {
		dev_sw_netstats_tx_add(dev, 1, len);
		return NETDEV_TX_OK;
	}
drop:
	dev_core_stats_tx_dropped_inc(dev);
	return NETDEV_TX_OK;
}

/* --- The device --- */

/* Has the carrier listen to an address, if it is another one than its own; or to none. */
int lana_vdev_listen(struct net_device *dev, const u8 *addr)
{
	struct lana_vdev *vdev = lana_vdev(dev);
	bool other = addr && !ether_addr_equal(addr, vdev->carrier->dev_addr);
	int err = other ? dev_uc_add(vdev->carrier, addr) : 0;

	if (err)
		return err;
	if (vdev->filtered)
		dev_uc_del(vdev->carrier, vdev->filter);
	vdev->filtered = other;
	if (other)
		ether_addr_copy(vdev->filter, addr);
	return 0;
}

static int lana_vdev_open(struct net_device *dev)
{
	struct net_device *carrier = lana_vdev(dev)->carrier;

	if (!(carrier->flags & IFF_UP))
		return -ENETDOWN;
	return lana_vdev_listen(dev, dev->dev_addr);
}

static int lana_vdev_stop(struct net_device *dev)
{
	struct net_device *carrier = lana_vdev(dev)->carrier;

	dev_mc_unsync(carrier, dev);
	dev_uc_unsync(carrier, dev);
	return lana_vdev_listen(dev, NULL);
}

static int lana_vdev_set_mac_address(struct net_device *dev, void *p)
{
	const struct sockaddr *addr = p;
	int err;

	if (!is_valid_ether_addr(addr->sa_data))
		return -EADDRNOTAVAIL;
	if (dev->flags & IFF_UP) {
		err = lana_vdev_listen(dev, addr->sa_data);
		if (err)
			return err;
	}
	eth_hw_addr_set(dev, addr->sa_data);
	return 0;
}

static int lana_vdev_change_mtu(struct net_device *dev, int mtu)
{
	if (mtu > lana_vdev(dev)->carrier->mtu)
		return -ERANGE;
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

/* The carrier's MTU has become smaller. */
static void lana_vdev_work(struct net_device *dev, unsigned long events)
{
	unsigned int mtu = lana_vdev(dev)->carrier->mtu;

	if (dev->mtu > mtu)
		netif_set_mtu(dev, mtu);
}

static void lana_vdev_change_rx_flags(struct net_device *dev, int change)
{
	struct net_device *carrier = lana_vdev(dev)->carrier;

	if (change & IFF_ALLMULTI)
		dev_set_allmulti(carrier, dev->flags & IFF_ALLMULTI ? 1 : -1);
	if (change & IFF_PROMISC)
		dev_set_promiscuity(carrier, dev->flags & IFF_PROMISC ? 1 : -1);
}

static void lana_vdev_set_rx_mode(struct net_device *dev)
{
	dev_mc_sync(lana_vdev(dev)->carrier, dev);
	dev_uc_sync(lana_vdev(dev)->carrier, dev);
}

static int lana_vdev_get_iflink(const struct net_device *dev)
{
	return READ_ONCE(lana_vdev(dev)->carrier->ifindex);
}

static int lana_vdev_init(struct net_device *dev)
{
	struct lana_vdev *vdev = lana_vdev(dev);
	struct net_device *carrier = vdev->carrier;

	dev->state = (dev->state & ~(BIT(__LINK_STATE_NOCARRIER) | BIT(__LINK_STATE_DORMANT))) |
		     (carrier->state & (BIT(__LINK_STATE_NOCARRIER) | BIT(__LINK_STATE_DORMANT)));
	if (is_zero_ether_addr(dev->dev_addr)) {
		eth_hw_addr_set(dev, carrier->dev_addr);
		dev->addr_assign_type = NET_ADDR_STOLEN;
	}
	dev->needed_headroom = carrier->needed_headroom;
	dev->needed_tailroom = carrier->needed_tailroom;
	dev->hard_header_len = carrier->hard_header_len;
	netdev_lockdep_set_classes(dev);
	netdev_hold(carrier, &vdev->tracker, GFP_KERNEL);
	return 0;
}

/* What the carrier does for this device, and no longer for anybody. */
static void lana_vdev_uninit(struct net_device *dev)
{
	struct net_device *carrier = lana_vdev(dev)->carrier;

	if (dev->flags & IFF_ALLMULTI)
		dev_set_allmulti(carrier, -1);
	if (dev->flags & IFF_PROMISC)
		dev_set_promiscuity(carrier, -1);
}

static void lana_vdev_free(struct net_device *dev)
{
	struct lana_vdev *vdev = lana_vdev(dev);

	netdev_put(vdev->carrier, &vdev->tracker);
}

static const struct net_device_ops lana_vdev_ops = {
	.ndo_init		= lana_vdev_init,
	.ndo_uninit		= lana_vdev_uninit,
	.ndo_open		= lana_vdev_open,
	.ndo_stop		= lana_vdev_stop,
	.ndo_start_xmit		= lana_vdev_xmit,
	.ndo_set_mac_address	= lana_vdev_set_mac_address,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_change_mtu		= lana_vdev_change_mtu,
	.ndo_change_rx_flags	= lana_vdev_change_rx_flags,
	.ndo_set_rx_mode	= lana_vdev_set_rx_mode,
	.ndo_get_iflink		= lana_vdev_get_iflink,
	.ndo_work		= lana_vdev_work,
};

static void lana_vdev_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "lana", sizeof(info->driver));
	strscpy(info->bus_info, lana_vdev(dev)->carrier->name, sizeof(info->bus_info));
}

static int lana_vdev_get_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *cmd)
{
	return __ethtool_get_link_ksettings(lana_vdev(dev)->carrier, cmd);
}

static const char lana_vdev_stats[][ETH_GSTRING_LEN] = {
	"rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_bytes", "tx_dropped", "id",
};

static int lana_vdev_get_sset_count(struct net_device *dev, int set)
{
	return set == ETH_SS_STATS ? ARRAY_SIZE(lana_vdev_stats) : -EOPNOTSUPP;
}

static void lana_vdev_get_strings(struct net_device *dev, u32 set, u8 *to)
{
	if (set == ETH_SS_STATS)
		memcpy(to, lana_vdev_stats, sizeof(lana_vdev_stats));
}

static void lana_vdev_get_ethtool_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *to)
{
	struct rtnl_link_stats64 s;

	dev_get_stats(dev, &s);
	*to++ = s.rx_packets;
	*to++ = s.rx_bytes;
	*to++ = s.rx_dropped;
	*to++ = s.tx_packets;
	*to++ = s.tx_bytes;
	*to++ = s.tx_dropped;
	*to++ = lana_vdev(dev)->id;
}

static const struct ethtool_ops lana_vdev_ethtool_ops = {
	.get_drvinfo		= lana_vdev_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= lana_vdev_get_link_ksettings,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= lana_vdev_get_sset_count,
	.get_strings		= lana_vdev_get_strings,
	.get_ethtool_stats	= lana_vdev_get_ethtool_stats,
};

static const struct device_type lana_vdev_type = {
	.name = "lana",
};

void lana_vdev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &lana_vdev_ops;
	dev->ethtool_ops = &lana_vdev_ethtool_ops;
	dev->rtnl_link_ops = &lana_link_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->priv_destructor = lana_vdev_free;
	dev->needs_free_netdev = true;
	dev->lltx = true;
	dev->min_mtu = 0;
	dev->max_mtu = ETH_MAX_MTU;
	/* What is sent has no protocol that hardware knows, so there is nothing that it could do. */
	dev->features = NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA;
	dev->hw_features = dev->features;
	/*
	 * The type would take the place of a tag. One that has only a priority
	 * stays beside the frame.
	 */
	dev->features |= NETIF_F_VLAN_CHALLENGED | NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX;
	/* Linux's protocols cannot be told apart on it. */
	dev->flags |= IFF_NOARP;
	dev->flags &= ~IFF_MULTICAST;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE | IFF_NO_ADDRCONF;
	SET_NETDEV_DEVTYPE(dev, &lana_vdev_type);
	eth_hw_addr_set(dev, (const u8[ETH_ALEN]){});
}

/* --- For Rust; all with RTNL held --- */

/* What a virtual device has of its own, NULL for any other device. */
const struct lana_vdev *lana_vdev_of(const struct net_device *dev)
{
	return dev->netdev_ops == &lana_vdev_ops ? lana_vdev(dev) : NULL;
}

/* A device that is not registered yet; to be given to free_netdev(). */
struct net_device *lana_vdev_new(struct net *net, const char *name)
{
	struct net_device *dev = alloc_netdev(sizeof(struct lana_vdev), name, NET_NAME_USER,
					      lana_vdev_setup);

	if (dev)
		dev_net_set(dev, net);
	return dev;
}

/* Register a device, on a carrier where the id is free. When that fails, it is as before. */
int lana_vdev_register(struct net_device *dev, struct net_device *carrier, u8 id)
{
	struct lana_vdev *vdev = lana_vdev(dev);
	int err;

	vdev->carrier = carrier;
	vdev->id = id;
	if (!dev->mtu || dev->mtu > carrier->mtu)
		dev->mtu = carrier->mtu;
	err = register_netdevice(dev);
	if (err)
		return err;
	err = netdev_upper_dev_link(carrier, dev, NULL);
	if (err)
		goto unregister;
	err = lana_carrier_join(carrier, dev, id);
	if (err)
		goto unlink;
	netif_stacked_transfer_operstate(carrier, dev);
	linkwatch_fire_event(dev);
	return 0;
unlink:
	netdev_upper_dev_unlink(carrier, dev);
unregister:
	unregister_netdevice(dev);
	return err;
}

void lana_vdev_dellink(struct net_device *dev, struct list_head *head)
{
	struct lana_vdev *vdev = lana_vdev(dev);

	lana_carrier_leave(vdev->carrier, vdev->id);
	netdev_upper_dev_unlink(vdev->carrier, dev);
	unregister_netdevice_queue(dev, head);
}

/* Many together: they wait once for all. */
void lana_vdev_unregister(struct net_device *const *devs, size_t count)
{
	LIST_HEAD(list);

	while (count--)
		lana_vdev_dellink(*devs++, &list);
	unregister_netdevice_many(&list);
}
