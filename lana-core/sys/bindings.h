/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen makes Rust declarations of. */
#include <linux/capability.h>
#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <linux/kmod.h>
#include <linux/neighbour.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/timekeeping.h>
#include <net/xdp.h>
#include <uapi/linux/lana_socket.h>
#include "helpers.h"
#include "netlink-gen.h"
#include "vdev.h"
