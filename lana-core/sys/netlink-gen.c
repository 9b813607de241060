// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/lana.yaml */
/* YNL-GEN kernel source */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#include <net/netlink.h>
#include <net/genetlink.h>

#include "netlink-gen.h"

#include <uapi/linux/lana.h>

/* Integer value ranges */
static const struct netlink_range_validation lana_a_probe_snaplen_range = {
	.max	= 65000ULL,
};

/* Common nested types */
const struct nla_policy lana_op_nl_policy[LANA_A_OP_VLINK_DEL + 1] = {
	[LANA_A_OP_FB_NEW] = NLA_POLICY_NESTED(lana_op_fb_nl_policy),
	[LANA_A_OP_FB_DEL] = NLA_POLICY_NESTED(lana_op_fb_nl_policy),
	[LANA_A_OP_FB_SET] = NLA_POLICY_NESTED(lana_op_fb_nl_policy),
	[LANA_A_OP_BIND] = NLA_POLICY_NESTED(lana_op_binding_nl_policy),
	[LANA_A_OP_UNBIND] = NLA_POLICY_NESTED(lana_op_binding_nl_policy),
	[LANA_A_OP_SUBSCRIBE] = NLA_POLICY_NESTED(lana_op_subscription_nl_policy),
	[LANA_A_OP_UNSUBSCRIBE] = NLA_POLICY_NESTED(lana_op_subscription_nl_policy),
	[LANA_A_OP_REPLACE] = NLA_POLICY_NESTED(lana_op_replacement_nl_policy),
	[LANA_A_OP_VLINK_HOOK] = NLA_POLICY_NESTED(lana_op_vlink_nl_policy),
	[LANA_A_OP_VLINK_UNHOOK] = NLA_POLICY_NESTED(lana_op_vlink_nl_policy),
	[LANA_A_OP_VLINK_NEW] = NLA_POLICY_NESTED(lana_op_vlink_nl_policy),
	[LANA_A_OP_VLINK_DEL] = NLA_POLICY_NESTED(lana_op_vlink_nl_policy),
};

const struct nla_policy lana_op_binding_nl_policy[LANA_A_BINDING_LOWER + 1] = {
	[LANA_A_BINDING_UPPER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_BINDING_LOWER] = { .type = NLA_NUL_STRING, .len = 255, },
};

const struct nla_policy lana_op_fb_nl_policy[LANA_A_FB_OPTION + 1] = {
	[LANA_A_FB_NAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_FB_TYPE] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_FB_OPTION] = NLA_POLICY_NESTED(lana_option_nl_policy),
};

const struct nla_policy lana_op_replacement_nl_policy[LANA_A_REPLACEMENT_DROP_STATE + 1] = {
	[LANA_A_REPLACEMENT_OLD] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_REPLACEMENT_NEW] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_REPLACEMENT_DROP_STATE] = { .type = NLA_FLAG, },
};

const struct nla_policy lana_op_subscription_nl_policy[LANA_A_SUBSCRIPTION_PUBLISHER + 1] = {
	[LANA_A_SUBSCRIPTION_SUBSCRIBER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_SUBSCRIPTION_PUBLISHER] = { .type = NLA_NUL_STRING, .len = 255, },
};

const struct nla_policy lana_op_vlink_nl_policy[LANA_A_VLINK_XDP + 1] = {
	[LANA_A_VLINK_SUBSYSTEM] = { .type = NLA_NUL_STRING, .len = 31, },
	[LANA_A_VLINK_IFNAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_IFINDEX] = { .type = NLA_U32, },
	[LANA_A_VLINK_CARRIER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_ID] = NLA_POLICY_MAX(NLA_U32, 255),
	[LANA_A_VLINK_FB] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_XDP] = { .type = NLA_FLAG, },
};

const struct nla_policy lana_option_nl_policy[LANA_A_OPTION_SIZE + 1] = {
	[LANA_A_OPTION_KEY] = { .type = NLA_NUL_STRING, .len = 31, },
	[LANA_A_OPTION_VALUE] = { .type = NLA_NUL_STRING, .len = LANA_OPTION_MAX, },
	[LANA_A_OPTION_CONFIG] = { .type = NLA_FLAG, },
	[LANA_A_OPTION_MORE] = { .type = NLA_FLAG, },
	[LANA_A_OPTION_SIZE] = { .type = NLA_UINT, },
};

/* LANA_CMD_FB_GET - do */
static const struct nla_policy lana_fb_get_nl_policy[LANA_A_FB_NAME + 1] = {
	[LANA_A_FB_NAME] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_FB_NEW - do */
static const struct nla_policy lana_fb_new_nl_policy[LANA_A_FB_TYPE + 1] = {
	[LANA_A_FB_NAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_FB_TYPE] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_FB_DEL - do */
static const struct nla_policy lana_fb_del_nl_policy[LANA_A_FB_NAME + 1] = {
	[LANA_A_FB_NAME] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_FB_SET - do */
static const struct nla_policy lana_fb_set_nl_policy[LANA_A_FB_OPTION + 1] = {
	[LANA_A_FB_NAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_FB_OPTION] = NLA_POLICY_NESTED(lana_option_nl_policy),
};

/* LANA_CMD_BIND - do */
static const struct nla_policy lana_bind_nl_policy[LANA_A_BINDING_LOWER + 1] = {
	[LANA_A_BINDING_UPPER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_BINDING_LOWER] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_UNBIND - do */
static const struct nla_policy lana_unbind_nl_policy[LANA_A_BINDING_LOWER + 1] = {
	[LANA_A_BINDING_UPPER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_BINDING_LOWER] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_SUBSCRIBE - do */
static const struct nla_policy lana_subscribe_nl_policy[LANA_A_SUBSCRIPTION_PUBLISHER + 1] = {
	[LANA_A_SUBSCRIPTION_SUBSCRIBER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_SUBSCRIPTION_PUBLISHER] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_UNSUBSCRIBE - do */
static const struct nla_policy lana_unsubscribe_nl_policy[LANA_A_SUBSCRIPTION_PUBLISHER + 1] = {
	[LANA_A_SUBSCRIPTION_SUBSCRIBER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_SUBSCRIPTION_PUBLISHER] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_VLINK_HOOK - do */
static const struct nla_policy lana_vlink_hook_nl_policy[LANA_A_VLINK_XDP + 1] = {
	[LANA_A_VLINK_SUBSYSTEM] = { .type = NLA_NUL_STRING, .len = 31, },
	[LANA_A_VLINK_IFNAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_IFINDEX] = { .type = NLA_U32, },
	[LANA_A_VLINK_FB] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_XDP] = { .type = NLA_FLAG, },
};

/* LANA_CMD_VLINK_UNHOOK - do */
static const struct nla_policy lana_vlink_unhook_nl_policy[LANA_A_VLINK_FB + 1] = {
	[LANA_A_VLINK_SUBSYSTEM] = { .type = NLA_NUL_STRING, .len = 31, },
	[LANA_A_VLINK_IFNAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_IFINDEX] = { .type = NLA_U32, },
	[LANA_A_VLINK_FB] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_REPLACE - do */
static const struct nla_policy lana_replace_nl_policy[LANA_A_REPLACEMENT_DROP_STATE + 1] = {
	[LANA_A_REPLACEMENT_OLD] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_REPLACEMENT_NEW] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_REPLACEMENT_DROP_STATE] = { .type = NLA_FLAG, },
};

/* LANA_CMD_TRANSACT - do */
static const struct nla_policy lana_transact_nl_policy[LANA_A_TRANSACTION_OP + 1] = {
	[LANA_A_TRANSACTION_OP] = NLA_POLICY_NESTED(lana_op_nl_policy),
};

/* LANA_CMD_VLINK_NEW - do */
static const struct nla_policy lana_vlink_new_nl_policy[LANA_A_VLINK_FB + 1] = {
	[LANA_A_VLINK_SUBSYSTEM] = { .type = NLA_NUL_STRING, .len = 31, },
	[LANA_A_VLINK_IFNAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_CARRIER] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_ID] = NLA_POLICY_MAX(NLA_U32, 255),
	[LANA_A_VLINK_FB] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_VLINK_DEL - do */
static const struct nla_policy lana_vlink_del_nl_policy[LANA_A_VLINK_FB + 1] = {
	[LANA_A_VLINK_SUBSYSTEM] = { .type = NLA_NUL_STRING, .len = 31, },
	[LANA_A_VLINK_IFNAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_VLINK_IFINDEX] = { .type = NLA_U32, },
	[LANA_A_VLINK_FB] = { .type = NLA_NUL_STRING, .len = 255, },
};

/* LANA_CMD_PROBE - do */
static const struct nla_policy lana_probe_nl_policy[LANA_A_PROBE_LOST + 1] = {
	[LANA_A_PROBE_FROM] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_PROBE_AT] = { .type = NLA_STRING, .len = 255, },
	[LANA_A_PROBE_POINTS] = NLA_POLICY_MASK(NLA_U32, 0x7),
	[LANA_A_PROBE_ENDS] = NLA_POLICY_MASK(NLA_U32, 0x3),
	[LANA_A_PROBE_FILTER] = { .type = NLA_BINARY, },
	[LANA_A_PROBE_LIMIT] = { .type = NLA_UINT, },
	[LANA_A_PROBE_RATE] = { .type = NLA_U32, },
	[LANA_A_PROBE_SAMPLE] = { .type = NLA_U32, },
	[LANA_A_PROBE_SNAPLEN] = NLA_POLICY_FULL_RANGE(NLA_U32, &lana_a_probe_snaplen_range),
	[LANA_A_PROBE_LOST] = { .type = NLA_UINT, },
};

/* LANA_CMD_OPTION_GET - dump */
static const struct nla_policy lana_option_get_nl_policy[LANA_A_FB_OPTION + 1] = {
	[LANA_A_FB_NAME] = { .type = NLA_NUL_STRING, .len = 255, },
	[LANA_A_FB_OPTION] = NLA_POLICY_NESTED(lana_option_nl_policy),
};

/* Ops table for lana */
static const struct genl_split_ops lana_nl_ops[] = {
	{
		.cmd		= LANA_CMD_FB_GET,
		.doit		= lana_nl_fb_get_doit,
		.policy		= lana_fb_get_nl_policy,
		.maxattr	= LANA_A_FB_NAME,
		.flags		= GENL_CMD_CAP_DO,
	},
	{
		.cmd	= LANA_CMD_FB_GET,
		.dumpit	= lana_nl_fb_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= LANA_CMD_FB_NEW,
		.doit		= lana_nl_fb_new_doit,
		.policy		= lana_fb_new_nl_policy,
		.maxattr	= LANA_A_FB_TYPE,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_FB_DEL,
		.doit		= lana_nl_fb_del_doit,
		.policy		= lana_fb_del_nl_policy,
		.maxattr	= LANA_A_FB_NAME,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_FB_SET,
		.doit		= lana_nl_fb_set_doit,
		.policy		= lana_fb_set_nl_policy,
		.maxattr	= LANA_A_FB_OPTION,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_BIND,
		.doit		= lana_nl_bind_doit,
		.policy		= lana_bind_nl_policy,
		.maxattr	= LANA_A_BINDING_LOWER,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_UNBIND,
		.doit		= lana_nl_unbind_doit,
		.policy		= lana_unbind_nl_policy,
		.maxattr	= LANA_A_BINDING_LOWER,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_SUBSCRIBE,
		.doit		= lana_nl_subscribe_doit,
		.policy		= lana_subscribe_nl_policy,
		.maxattr	= LANA_A_SUBSCRIPTION_PUBLISHER,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_UNSUBSCRIBE,
		.doit		= lana_nl_unsubscribe_doit,
		.policy		= lana_unsubscribe_nl_policy,
		.maxattr	= LANA_A_SUBSCRIPTION_PUBLISHER,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd	= LANA_CMD_TYPE_GET,
		.dumpit	= lana_nl_type_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= LANA_CMD_PPE_GET,
		.dumpit	= lana_nl_ppe_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd	= LANA_CMD_VLINK_GET,
		.dumpit	= lana_nl_vlink_get_dumpit,
		.flags	= GENL_CMD_CAP_DUMP,
	},
	{
		.cmd		= LANA_CMD_VLINK_HOOK,
		.doit		= lana_nl_vlink_hook_doit,
		.policy		= lana_vlink_hook_nl_policy,
		.maxattr	= LANA_A_VLINK_XDP,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_VLINK_UNHOOK,
		.doit		= lana_nl_vlink_unhook_doit,
		.policy		= lana_vlink_unhook_nl_policy,
		.maxattr	= LANA_A_VLINK_FB,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_REPLACE,
		.doit		= lana_nl_replace_doit,
		.policy		= lana_replace_nl_policy,
		.maxattr	= LANA_A_REPLACEMENT_DROP_STATE,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_TRANSACT,
		.doit		= lana_nl_transact_doit,
		.policy		= lana_transact_nl_policy,
		.maxattr	= LANA_A_TRANSACTION_OP,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_VLINK_NEW,
		.doit		= lana_nl_vlink_new_doit,
		.policy		= lana_vlink_new_nl_policy,
		.maxattr	= LANA_A_VLINK_FB,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_VLINK_DEL,
		.doit		= lana_nl_vlink_del_doit,
		.policy		= lana_vlink_del_nl_policy,
		.maxattr	= LANA_A_VLINK_FB,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_PROBE,
		.doit		= lana_nl_probe_doit,
		.policy		= lana_probe_nl_policy,
		.maxattr	= LANA_A_PROBE_LOST,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DO,
	},
	{
		.cmd		= LANA_CMD_OPTION_GET,
		.dumpit		= lana_nl_option_get_dumpit,
		.policy		= lana_option_get_nl_policy,
		.maxattr	= LANA_A_FB_OPTION,
		.flags		= GENL_ADMIN_PERM | GENL_CMD_CAP_DUMP,
	},
};

static const struct genl_multicast_group lana_nl_mcgrps[] = {
	[LANA_NLGRP_EVENTS] = { "events", },
};

struct genl_family lana_nl_family __ro_after_init = {
	.name		= LANA_FAMILY_NAME,
	.version	= LANA_FAMILY_VERSION,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= lana_nl_ops,
	.n_split_ops	= ARRAY_SIZE(lana_nl_ops),
	.mcgrps		= lana_nl_mcgrps,
	.n_mcgrps	= ARRAY_SIZE(lana_nl_mcgrps),
};
