/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/lana.yaml */
/* YNL-GEN kernel header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _LINUX_LANA_GEN_H
#define _LINUX_LANA_GEN_H

#include <net/netlink.h>
#include <net/genetlink.h>

#include <uapi/linux/lana.h>

/* Common nested types */
extern const struct nla_policy lana_op_nl_policy[LANA_A_OP_VLINK_DEL + 1];
extern const struct nla_policy lana_op_binding_nl_policy[LANA_A_BINDING_LOWER + 1];
extern const struct nla_policy lana_op_fb_nl_policy[LANA_A_FB_OPTION + 1];
extern const struct nla_policy lana_op_replacement_nl_policy[LANA_A_REPLACEMENT_DROP_STATE + 1];
extern const struct nla_policy lana_op_subscription_nl_policy[LANA_A_SUBSCRIPTION_PUBLISHER + 1];
extern const struct nla_policy lana_op_vlink_nl_policy[LANA_A_VLINK_XDP + 1];
extern const struct nla_policy lana_option_nl_policy[LANA_A_OPTION_SIZE + 1];

int lana_nl_fb_get_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_fb_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int lana_nl_fb_new_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_fb_del_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_fb_set_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_bind_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_unbind_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_subscribe_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_unsubscribe_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_type_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int lana_nl_ppe_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int lana_nl_vlink_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int lana_nl_vlink_hook_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_vlink_unhook_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_replace_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_transact_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_vlink_new_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_vlink_del_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_probe_doit(struct sk_buff *skb, struct genl_info *info);
int lana_nl_option_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

enum {
	LANA_NLGRP_EVENTS,
};

extern struct genl_family lana_nl_family;

#endif /* _LINUX_LANA_GEN_H */
