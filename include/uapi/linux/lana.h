/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/lana.yaml */
/* YNL-GEN uapi header */
/* To regenerate run: tools/net/ynl/ynl-regen.sh */

#ifndef _UAPI_LINUX_LANA_H
#define _UAPI_LINUX_LANA_H

#define LANA_FAMILY_NAME	"lana"
#define LANA_FAMILY_VERSION	1

#define LANA_NAME_MAX	31
#define LANA_OPTION_MAX	65000
#define LANA_VALUE_MAX	67108864

/**
 * enum lana_direction - The way a packet goes, and the kind of port it leaves
 *   a block by.
 * @LANA_DIRECTION_INGRESS: From a device up the graph.
 * @LANA_DIRECTION_EGRESS: Down the graph to a device.
 */
enum lana_direction {
	LANA_DIRECTION_INGRESS,
	LANA_DIRECTION_EGRESS,
};

/**
 * enum lana_mode - What a type of block does with packets.
 * @LANA_MODE_SOURCE: Brings packets into the graph.
 * @LANA_MODE_SINK: Takes packets out of the graph.
 * @LANA_MODE_DUAL: Takes packets and passes them on.
 */
enum lana_mode {
	LANA_MODE_SOURCE,
	LANA_MODE_SINK,
	LANA_MODE_DUAL,
};

/**
 * enum lana_drop_reason - Why the graph dropped a packet.
 * @LANA_DROP_REASON_FILTERED: The block's own rule said so.
 * @LANA_DROP_REASON_UNBOUND: The port it was to leave by has no peer.
 * @LANA_DROP_REASON_HOP_LIMIT: It passed more blocks than a packet may.
 * @LANA_DROP_REASON_BACKLOG: The walk it belongs to made more packets than it
 *   may.
 * @LANA_DROP_REASON_MALFORMED: Too short, or its lengths contradict each
 *   other.
 * @LANA_DROP_REASON_TOO_BIG: Longer than the device's MTU.
 * @LANA_DROP_REASON_DEVICE: The device is down or refused it.
 * @LANA_DROP_REASON_NO_MEMORY: An allocation failed.
 * @LANA_DROP_REASON_QUEUE_FULL: The socket has not read what came before.
 * @LANA_DROP_REASON_UNRESOLVED: The Ethernet address of its next hop is not
 *   known.
 * @LANA_DROP_REASON_TTL_EXPIRED: Its TTL or hop limit was used up.
 */
enum lana_drop_reason {
	LANA_DROP_REASON_FILTERED,
	LANA_DROP_REASON_UNBOUND,
	LANA_DROP_REASON_HOP_LIMIT,
	LANA_DROP_REASON_BACKLOG,
	LANA_DROP_REASON_MALFORMED,
	LANA_DROP_REASON_TOO_BIG,
	LANA_DROP_REASON_DEVICE,
	LANA_DROP_REASON_NO_MEMORY,
	LANA_DROP_REASON_QUEUE_FULL,
	LANA_DROP_REASON_UNRESOLVED,
	LANA_DROP_REASON_TTL_EXPIRED,
};

/**
 * enum lana_event_kind
 * @LANA_EVENT_KIND_ADDED: A block was made.
 * @LANA_EVENT_KIND_REMOVED: A block is gone.
 * @LANA_EVENT_KIND_BOUND: fb was put on top of peer.
 * @LANA_EVENT_KIND_UNBOUND: fb was taken off peer.
 * @LANA_EVENT_KIND_SUBSCRIBED: fb gets the events of peer from now on.
 * @LANA_EVENT_KIND_UNSUBSCRIBED: fb gets the events of peer no more.
 * @LANA_EVENT_KIND_OPTION_SET: An option of fb was set.
 * @LANA_EVENT_KIND_DEVICE_GONE: The device of fb was unregistered or left the
 *   namespace.
 * @LANA_EVENT_KIND_TYPE_ADDED: A type of block can be made from now on (its
 *   module was loaded).
 * @LANA_EVENT_KIND_TYPE_REMOVED: A type of block can be made no more (its
 *   module was unloaded).
 * @LANA_EVENT_KIND_REPLACED: fb took the place of peer, which is out of the
 *   graph now.
 * @LANA_EVENT_KIND_DEVICE_RENAMED: The device of fb has another name; the
 *   block keeps its own.
 * @LANA_EVENT_KIND_DEVICE_UP: The device of fb was brought up.
 * @LANA_EVENT_KIND_DEVICE_DOWN: The device of fb was brought down.
 * @LANA_EVENT_KIND_HOP_LIMIT: Packets were dropped since they passed too many
 *   blocks or devices; fb dropped the last one.
 * @LANA_EVENT_KIND_BACKLOG: Packets were dropped since too many were made of
 *   one; fb dropped the last one.
 * @LANA_EVENT_KIND_RENAMED: fb has this name now, and had another one (key)
 *   before.
 * @LANA_EVENT_KIND_XDP_REPLACED: Somebody has installed an XDP program in the
 *   place of the one by which frames of the device of fb enter. None do any
 *   more; what that program passes enters as skbs.
 * @LANA_EVENT_KIND_PORT_UP: fb uses its port to peer again.
 * @LANA_EVENT_KIND_PORT_DOWN: fb does not use its port to peer any more.
 * @LANA_EVENT_KIND_NOTICE: fb tells something of its own (text).
 */
enum lana_event_kind {
	LANA_EVENT_KIND_ADDED,
	LANA_EVENT_KIND_REMOVED,
	LANA_EVENT_KIND_BOUND,
	LANA_EVENT_KIND_UNBOUND,
	LANA_EVENT_KIND_SUBSCRIBED,
	LANA_EVENT_KIND_UNSUBSCRIBED,
	LANA_EVENT_KIND_OPTION_SET,
	LANA_EVENT_KIND_DEVICE_GONE,
	LANA_EVENT_KIND_TYPE_ADDED,
	LANA_EVENT_KIND_TYPE_REMOVED,
	LANA_EVENT_KIND_REPLACED,
	LANA_EVENT_KIND_DEVICE_RENAMED,
	LANA_EVENT_KIND_DEVICE_UP,
	LANA_EVENT_KIND_DEVICE_DOWN,
	LANA_EVENT_KIND_HOP_LIMIT,
	LANA_EVENT_KIND_BACKLOG,
	LANA_EVENT_KIND_RENAMED,
	LANA_EVENT_KIND_XDP_REPLACED,
	LANA_EVENT_KIND_PORT_UP,
	LANA_EVENT_KIND_PORT_DOWN,
	LANA_EVENT_KIND_NOTICE,
};

/**
 * enum lana_hop_end - What became of a packet at a block.
 * @LANA_HOP_END_FORWARDED: It left by a port, to another block.
 * @LANA_HOP_END_DROPPED: It was dropped, for a reason.
 * @LANA_HOP_END_LEFT: It left the graph, by a device or a socket, or has
 *   arrived.
 * @LANA_HOP_END_UNCLAIMED: No block took it, and the network stack got it.
 * @LANA_HOP_END_CUT: The record has no room for what became of it.
 * @LANA_HOP_END_HELD: The block holds it, and lets it go on later. What
 *   becomes of it then is in a reply of its own, with the same value of held.
 */
enum lana_hop_end {
	LANA_HOP_END_FORWARDED,
	LANA_HOP_END_DROPPED,
	LANA_HOP_END_LEFT,
	LANA_HOP_END_UNCLAIMED,
	LANA_HOP_END_CUT,
	LANA_HOP_END_HELD,
};

/**
 * enum lana_probe_point - Which packets of a block are captured.
 * @LANA_PROBE_POINT_IN: Those that come to it, before it has seen them.
 * @LANA_PROBE_POINT_OUT: Those that it passes on or sends, as they leave it.
 * @LANA_PROBE_POINT_DROPS: Those that it drops, as they came to it.
 */
enum lana_probe_point {
	LANA_PROBE_POINT_IN = 1,
	LANA_PROBE_POINT_OUT = 2,
	LANA_PROBE_POINT_DROPS = 4,
};

/**
 * enum lana_probe_end - Which packets are traced, by what becomes of them and
 *   of the copies made of them.
 * @LANA_PROBE_END_OK: Those of which nothing was dropped.
 * @LANA_PROBE_END_DROPS: Those of which something was dropped.
 */
enum lana_probe_end {
	LANA_PROBE_END_OK = 1,
	LANA_PROBE_END_DROPS = 2,
};

enum {
	LANA_A_FB_NAME = 1,
	LANA_A_FB_TYPE,
	LANA_A_FB_IDP,
	LANA_A_FB_REFCNT,
	LANA_A_FB_PORT,
	LANA_A_FB_PUBLISHER,
	LANA_A_FB_STATS,
	LANA_A_FB_OPTION,
	LANA_A_FB_IFNAME,
	LANA_A_FB_PARTIAL,
	LANA_A_FB_INODE,
	LANA_A_FB_WITHHELD,

	__LANA_A_FB_MAX,
	LANA_A_FB_MAX = (__LANA_A_FB_MAX - 1)
};

enum {
	LANA_A_PORT_DIRECTION = 1,
	LANA_A_PORT_INDEX,
	LANA_A_PORT_PEER,
	LANA_A_PORT_PEER_NAME,

	__LANA_A_PORT_MAX,
	LANA_A_PORT_MAX = (__LANA_A_PORT_MAX - 1)
};

enum {
	LANA_A_STATS_PACKETS = 1,
	LANA_A_STATS_BYTES,
	LANA_A_STATS_DROP,
	LANA_A_STATS_SKBS,
	LANA_A_STATS_ENTERED,
	LANA_A_STATS_ENTERED_BYTES,

	__LANA_A_STATS_MAX,
	LANA_A_STATS_MAX = (__LANA_A_STATS_MAX - 1)
};

enum {
	LANA_A_DROP_REASON = 1,
	LANA_A_DROP_PACKETS,

	__LANA_A_DROP_MAX,
	LANA_A_DROP_MAX = (__LANA_A_DROP_MAX - 1)
};

enum {
	LANA_A_OPTION_KEY = 1,
	LANA_A_OPTION_VALUE,
	LANA_A_OPTION_CONFIG,
	LANA_A_OPTION_MORE,
	LANA_A_OPTION_SIZE,

	__LANA_A_OPTION_MAX,
	LANA_A_OPTION_MAX = (__LANA_A_OPTION_MAX - 1)
};

enum {
	LANA_A_BINDING_UPPER = 1,
	LANA_A_BINDING_LOWER,

	__LANA_A_BINDING_MAX,
	LANA_A_BINDING_MAX = (__LANA_A_BINDING_MAX - 1)
};

enum {
	LANA_A_SUBSCRIPTION_SUBSCRIBER = 1,
	LANA_A_SUBSCRIPTION_PUBLISHER,

	__LANA_A_SUBSCRIPTION_MAX,
	LANA_A_SUBSCRIPTION_MAX = (__LANA_A_SUBSCRIPTION_MAX - 1)
};

enum {
	LANA_A_TYPE_NAME = 1,
	LANA_A_TYPE_MODE,
	LANA_A_TYPE_MODULE,
	LANA_A_TYPE_INSTANCES,
	LANA_A_TYPE_INGRESS_PORTS,
	LANA_A_TYPE_EGRESS_PORTS,
	LANA_A_TYPE_VLINK,
	LANA_A_TYPE_VIRTUAL,
	LANA_A_TYPE_SOCKET,
	LANA_A_TYPE_OPTION,

	__LANA_A_TYPE_MAX,
	LANA_A_TYPE_MAX = (__LANA_A_TYPE_MAX - 1)
};

enum {
	LANA_A_TYPE_OPTION_KEY = 1,
	LANA_A_TYPE_OPTION_WORD,
	LANA_A_TYPE_OPTION_LOWEST,
	LANA_A_TYPE_OPTION_HIGHEST,
	LANA_A_TYPE_OPTION_FORM,
	LANA_A_TYPE_OPTION_DEFAULT,
	LANA_A_TYPE_OPTION_DOC,

	__LANA_A_TYPE_OPTION_MAX,
	LANA_A_TYPE_OPTION_MAX = (__LANA_A_TYPE_OPTION_MAX - 1)
};

enum {
	LANA_A_PPE_CPU = 1,
	LANA_A_PPE_PACKETS,
	LANA_A_PPE_BYTES,
	LANA_A_PPE_CALLS,
	LANA_A_PPE_DROPS,
	LANA_A_PPE_BACKLOG,
	LANA_A_PPE_BACKLOG_MAX,
	LANA_A_PPE_UNCLAIMED,

	__LANA_A_PPE_MAX,
	LANA_A_PPE_MAX = (__LANA_A_PPE_MAX - 1)
};

enum {
	LANA_A_VLINK_SUBSYSTEM = 1,
	LANA_A_VLINK_IFNAME,
	LANA_A_VLINK_IFINDEX,
	LANA_A_VLINK_IDP,
	LANA_A_VLINK_CARRIER,
	LANA_A_VLINK_ID,
	LANA_A_VLINK_FB,
	LANA_A_VLINK_XDP,
	LANA_A_VLINK_XDP_REPLACED,

	__LANA_A_VLINK_MAX,
	LANA_A_VLINK_MAX = (__LANA_A_VLINK_MAX - 1)
};

enum {
	LANA_A_EVENT_SEQ = 1,
	LANA_A_EVENT_KIND,
	LANA_A_EVENT_FB,
	LANA_A_EVENT_IDP,
	LANA_A_EVENT_TYPE,
	LANA_A_EVENT_PEER,
	LANA_A_EVENT_PEER_IDP,
	LANA_A_EVENT_KEY,
	LANA_A_EVENT_IFNAME,
	LANA_A_EVENT_PACKETS,
	LANA_A_EVENT_TEXT,

	__LANA_A_EVENT_MAX,
	LANA_A_EVENT_MAX = (__LANA_A_EVENT_MAX - 1)
};

enum {
	LANA_A_REPLACEMENT_OLD = 1,
	LANA_A_REPLACEMENT_NEW,
	LANA_A_REPLACEMENT_DROP_STATE,

	__LANA_A_REPLACEMENT_MAX,
	LANA_A_REPLACEMENT_MAX = (__LANA_A_REPLACEMENT_MAX - 1)
};

enum {
	LANA_A_PROBE_FROM = 1,
	LANA_A_PROBE_AT,
	LANA_A_PROBE_POINTS,
	LANA_A_PROBE_ENDS,
	LANA_A_PROBE_FILTER,
	LANA_A_PROBE_LIMIT,
	LANA_A_PROBE_RATE,
	LANA_A_PROBE_SAMPLE,
	LANA_A_PROBE_SNAPLEN,
	LANA_A_PROBE_TIME,
	LANA_A_PROBE_LOST,
	LANA_A_PROBE_CPU,
	LANA_A_PROBE_IDP,
	LANA_A_PROBE_POINT,
	LANA_A_PROBE_DIRECTION,
	LANA_A_PROBE_REASON,
	LANA_A_PROBE_LEN,
	LANA_A_PROBE_DATA,
	LANA_A_PROBE_VLAN,
	LANA_A_PROBE_HOP,
	LANA_A_PROBE_FRAME,
	LANA_A_PROBE_HELD,
	LANA_A_PROBE_ENTERED,
	LANA_A_PROBE_PORT,

	__LANA_A_PROBE_MAX,
	LANA_A_PROBE_MAX = (__LANA_A_PROBE_MAX - 1)
};

enum {
	LANA_A_HOP_PACKET = 1,
	LANA_A_HOP_IDP,
	LANA_A_HOP_DIRECTION,
	LANA_A_HOP_TIME,
	LANA_A_HOP_TOOK,
	LANA_A_HOP_END,
	LANA_A_HOP_REASON,
	LANA_A_HOP_PORT_DIRECTION,
	LANA_A_HOP_PORT,
	LANA_A_HOP_MADE,
	LANA_A_HOP_MADE_FIRST,
	LANA_A_HOP_LEN,
	LANA_A_HOP_CHANGE,
	LANA_A_HOP_FRAME,
	LANA_A_HOP_HELD,
	LANA_A_HOP_ENTERED,

	__LANA_A_HOP_MAX,
	LANA_A_HOP_MAX = (__LANA_A_HOP_MAX - 1)
};

enum {
	LANA_A_CHANGE_OFFSET = 1,
	LANA_A_CHANGE_OLD,
	LANA_A_CHANGE_NEW,

	__LANA_A_CHANGE_MAX,
	LANA_A_CHANGE_MAX = (__LANA_A_CHANGE_MAX - 1)
};

enum {
	LANA_A_OP_FB_NEW = 1,
	LANA_A_OP_FB_DEL,
	LANA_A_OP_FB_SET,
	LANA_A_OP_BIND,
	LANA_A_OP_UNBIND,
	LANA_A_OP_SUBSCRIBE,
	LANA_A_OP_UNSUBSCRIBE,
	LANA_A_OP_REPLACE,
	LANA_A_OP_VLINK_HOOK,
	LANA_A_OP_VLINK_UNHOOK,
	LANA_A_OP_VLINK_NEW,
	LANA_A_OP_VLINK_DEL,

	__LANA_A_OP_MAX,
	LANA_A_OP_MAX = (__LANA_A_OP_MAX - 1)
};

enum {
	LANA_A_TRANSACTION_OP = 1,

	__LANA_A_TRANSACTION_MAX,
	LANA_A_TRANSACTION_MAX = (__LANA_A_TRANSACTION_MAX - 1)
};

enum lana_cmd {
	LANA_CMD_FB_GET = 1,
	LANA_CMD_FB_NEW,
	LANA_CMD_FB_DEL,
	LANA_CMD_FB_SET,
	LANA_CMD_BIND,
	LANA_CMD_UNBIND,
	LANA_CMD_SUBSCRIBE,
	LANA_CMD_UNSUBSCRIBE,
	LANA_CMD_TYPE_GET,
	LANA_CMD_PPE_GET,
	LANA_CMD_VLINK_GET,
	LANA_CMD_VLINK_HOOK,
	LANA_CMD_VLINK_UNHOOK,
	LANA_CMD_EVENT_NTF,
	LANA_CMD_REPLACE,
	LANA_CMD_TRANSACT,
	LANA_CMD_VLINK_NEW,
	LANA_CMD_VLINK_DEL,
	LANA_CMD_PROBE,
	LANA_CMD_OPTION_GET,

	__LANA_CMD_MAX,
	LANA_CMD_MAX = (__LANA_CMD_MAX - 1)
};

#define LANA_MCGRP_EVENTS	"events"

#endif /* _UAPI_LINUX_LANA_H */
