// SPDX-License-Identifier: GPL-2.0
/* A kind of link, by which other tools make virtual devices: rtnetlink. */

#include <linux/capability.h>
#include <linux/netdevice.h>
#include <net/rtnetlink.h>

#include <uapi/linux/lana_link.h>
#include "helpers.h"
#include "vdev.h"

static const struct nla_policy lana_link_policy[IFLA_LANA_MAX + 1] = {
	[IFLA_LANA_ID] = { .type = NLA_U8 },
};

static int lana_link_newlink(struct net_device *dev, struct rtnl_newlink_params *params,
			     struct netlink_ext_ack *extack)
{
	struct nlattr **tb = params->tb, **data = params->data;
	struct net_device *carrier;
	int id = -1;

	/* As for netlink: root of a user namespace may not change a graph. */
	if (!capable(CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG(extack, "a device of LANA wants CAP_NET_ADMIN in the initial user namespace");
		return -EPERM;
	}
	if (!tb[IFLA_LINK]) {
		NL_SET_ERR_MSG(extack, "no carrier (link DEVICE)");
		return -EINVAL;
	}
	carrier = __dev_get_by_index(rtnl_newlink_link_net(params), nla_get_u32(tb[IFLA_LINK]));
	if (!carrier) {
		NL_SET_ERR_MSG(extack, "no such carrier");
		return -ENODEV;
	}
	if (data && data[IFLA_LANA_ID])
		id = nla_get_u8(data[IFLA_LANA_ID]);
	if (tb[IFLA_MTU] && nla_get_u32(tb[IFLA_MTU]) > carrier->mtu) {
		NL_SET_ERR_MSG(extack, "MTU above the carrier's");
		return -ERANGE;
	}
	return lana_link_new(dev_net(dev), dev, carrier, id, extack);
}

static size_t lana_link_get_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u8));
}

static int lana_link_fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	return nla_put_u8(skb, IFLA_LANA_ID, lana_vdev(dev)->id);
}

static struct net *lana_link_get_net(const struct net_device *dev)
{
	return dev_net(lana_vdev(dev)->carrier);
}

struct rtnl_link_ops lana_link_ops __read_mostly = {
	.kind		= "lana",
	.priv_size	= sizeof(struct lana_vdev),
	.setup		= lana_vdev_setup,
	.maxtype	= IFLA_LANA_MAX,
	.policy		= lana_link_policy,
	.newlink	= lana_link_newlink,
	.dellink	= lana_vdev_dellink,
	.get_size	= lana_link_get_size,
	.fill_info	= lana_link_fill_info,
	.get_link_net	= lana_link_get_net,
};

int lana_link_register(void)
{
	int err;

	err = register_netdevice_notifier(&lana_carrier_notifier);
	if (err)
		return err;
	err = rtnl_link_register(&lana_link_ops);
	if (err)
		unregister_netdevice_notifier(&lana_carrier_notifier);
	return err;
}

/* Devices that are in no graph any more go now. */
void lana_link_unregister(void)
{
	rtnl_link_unregister(&lana_link_ops);
	unregister_netdevice_notifier(&lana_carrier_notifier);
}
