// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: messages and their attributes. */

#include <linux/notifier.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "helpers.h"
#include "netlink-gen.h"
#include "skb.h"

/* A socket was closed: its probe ends. Process context. */
static int lana_genl_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct netlink_notify *n = data;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC)
		lana_probe_closed(n->net, n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block lana_genl_notifier = { .notifier_call = lana_genl_notify };

int lana_genl_register(void)
{
	int err = netlink_register_notifier(&lana_genl_notifier);

	if (err)
		return err;
	err = genl_register_family(&lana_nl_family);
	if (err)
		netlink_unregister_notifier(&lana_genl_notifier);
	return err;
}

void lana_genl_unregister(void)
{
	genl_unregister_family(&lana_nl_family);
	netlink_unregister_notifier(&lana_genl_notifier);
}

struct net *lana_genl_net(struct genl_info *info)
{
	return genl_info_net(info);
}

u32 lana_genl_dump_portid(struct netlink_callback *cb)
{
	return NETLINK_CB(cb->skb).portid;
}

struct net *lana_genl_dump_net(struct netlink_callback *cb)
{
	return sock_net(cb->skb->sk);
}

/* The attributes of the request, by type, as far as its policy goes. */
struct nlattr **lana_genl_dump_attrs(struct netlink_callback *cb)
{
	return genl_dumpit_info(cb)->info.attrs;
}

void lana_genl_dump_check(struct netlink_callback *cb, void *head)
{
	genl_dump_check_consistent(cb, head);
}

struct sk_buff *lana_genl_new(size_t size)
{
	return genlmsg_new(size, GFP_KERNEL);
}

/* For any context. */
struct sk_buff *lana_genl_new_atomic(size_t size)
{
	return genlmsg_new(size, GFP_ATOMIC);
}

/* How many bytes can still be put into a message. */
u32 lana_genl_room(const struct sk_buff *skb)
{
	return skb_tailroom(skb);
}

/* Any context. A device may see it: nlmon. */
int lana_genl_unicast(struct net *net, struct sk_buff *skb, u32 portid)
{
	struct bpf_net_context *ctx = lana_take_net_ctx();
	int err = genlmsg_unicast(net, skb, portid);

	lana_give_net_ctx(ctx);
	return err;
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

int lana_nla_put_uint(struct sk_buff *skb, u16 type, u64 value)
{
	return nla_put_uint(skb, type, value);
}

/* An attribute of zeros, whose bytes are written then; NULL where there is no room. */
void *lana_nla_reserve(struct sk_buff *skb, u16 type, u32 len)
{
	struct nlattr *attr = nla_reserve(skb, type, len);

	return attr ? memset(nla_data(attr), 0, len) : NULL;
}

/* A number of 4 or 8 bytes, as the policy has checked. */
u64 lana_nla_get_uint(const struct nlattr *attr)
{
	return nla_get_uint(attr);
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
