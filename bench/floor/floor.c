// SPDX-License-Identifier: GPL-2.0
/*
 * The least that a receive handler can do, for the benchmarks to compare with:
 * what is written to the parameter `take` is a device, whose packets are freed
 * at once, or two, DEVICE>OTHER: they leave by the other one as they are; or
 * DEVICE*STEPS: they are freed after as many steps, each of which has counted
 * them and called a function of its own that does nothing. DEVICE!STEPS: the same
 * of frames, by a function in place of an XDP program. DEVICE=OTHER: frames leave
 * by the other one, after three steps. Of the namespace of who writes; for good.
 */

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/xdp.h>

static rx_handler_result_t floor_drop(struct sk_buff **pskb)
{
	kfree_skb(*pskb);
	return RX_HANDLER_CONSUMED;
}

/* Packets that are nobody else's, by a device that has no queue and wants no lock. */
static rx_handler_result_t floor_send(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct net_device *dev = rcu_dereference(skb->dev->rx_handler_data);

	skb_push(skb, ETH_HLEN);
	skb->dev = dev;
	netdev_start_xmit(skb, dev, netdev_get_tx_queue(dev, 0), false);
	return RX_HANDLER_CONSUMED;
}

struct floor_counts {
	u64 packets;
	u64 bytes;
};

struct floor_step {
	void (*call)(const void *packet);
	struct floor_counts __percpu *counts;
	struct floor_step *next;
} ____cacheline_aligned;

static void floor_nothing(const void *packet)
{
	/* It is called all the same. */
	asm volatile("");
}

static __always_inline void floor_walk(const struct net_device *dev, const void *packet, u32 len)
{
	const struct floor_step *step;

	for (step = rcu_dereference(dev->rx_handler_data); step; step = step->next) {
		struct floor_counts *counts = this_cpu_ptr(step->counts);

		counts->packets++;
		counts->bytes += len;
		step->call(packet);
	}
}

static rx_handler_result_t floor_count(struct sk_buff **pskb)
{
	floor_walk((*pskb)->dev, *pskb, (*pskb)->len);
	kfree_skb(*pskb);
	return RX_HANDLER_CONSUMED;
}

/* As a program is called, by the driver. */
static unsigned int floor_frame(const void *ctx, const struct bpf_insn *insn)
{
	const struct xdp_buff *xdp = ctx;

	floor_walk(xdp->rxq->dev, xdp, xdp->data_end - xdp->data);
	return XDP_DROP;
}

/* The index of the device that frames leave by. */
static int floor_target;

/* Told as bpf_redirect() does it. */
static unsigned int floor_redirect(const void *ctx, const struct bpf_insn *insn)
{
	const struct xdp_buff *xdp = ctx;
	struct bpf_redirect_info *ri = bpf_net_ctx_get_ri();

	floor_walk(xdp->rxq->dev, xdp, xdp->data_end - xdp->data);
	ri->tgt_index = floor_target;
	ri->map_id = INT_MAX;
	ri->map_type = BPF_MAP_TYPE_UNSPEC;
	return XDP_REDIRECT;
}

/* The driver keeps the program, and with it this module. */
static int floor_program(struct net_device *dev, bpf_func_t function)
{
	struct bpf_prog *prog = bpf_prog_alloc(bpf_prog_size(1), 0);
	struct netdev_bpf xdp = { .command = XDP_SETUP_PROG, .prog = prog };
	int err;

	if (!prog)
		return -ENOMEM;
	prog->type = BPF_PROG_TYPE_XDP;
	prog->len = 1;
	prog->gpl_compatible = 1;
	prog->bpf_func = function;
	__module_get(THIS_MODULE);
	prog->aux->mod = THIS_MODULE;
	atomic64_set(&prog->aux->refcnt, 1);
	err = dev_xdp_propagate(dev, &xdp);
	if (err)
		bpf_prog_put(prog);
	return err;
}

/* Steps, the last first; they stay. */
static struct floor_step *floor_steps(unsigned int steps)
{
	struct floor_step *first = NULL;

	while (steps--) {
		struct floor_step *step = kzalloc(sizeof(*step), GFP_KERNEL);

		if (step)
			step->counts = alloc_percpu(struct floor_counts);
		if (!step || !step->counts)
			return NULL;
		step->call = floor_nothing;
		step->next = first;
		first = step;
	}
	return first;
}

static int floor_take(const char *val, const struct kernel_param *kp)
{
	struct net *net = current->nsproxy->net_ns;
	rx_handler_func_t *handler = floor_drop;
	char names[2][IFNAMSIZ] = {};
	struct net_device *dev, *other;
	bpf_func_t function = NULL;
	void *data = NULL;
	int err = -ENODEV;
	char how = 0;

	sscanf(val, "%15[^>*!=\n]%c%15s", names[0], &how, names[1]);
	rtnl_lock();
	dev = __dev_get_by_name(net, names[0]);
	other = __dev_get_by_name(net, names[1]);
	if (how == '>') {
		handler = floor_send;
		data = other;
	} else if (how == '*' || how == '!') {
		handler = floor_count;
		data = floor_steps(simple_strtoul(names[1], NULL, 10));
		function = how == '!' ? floor_frame : NULL;
	} else if (how == '=' && other) {
		handler = floor_count;
		data = floor_steps(3);
		floor_target = other->ifindex;
		function = floor_redirect;
	}
	if (dev && (data || handler == floor_drop || function))
		err = netdev_rx_handler_register(dev, handler, data);
	if (!err && function)
		err = floor_program(dev, function);
	rtnl_unlock();
	return err;
}

static const struct kernel_param_ops floor_ops = { .set = floor_take };

module_param_cb(take, &floor_ops, NULL, 0200);
MODULE_PARM_DESC(take, "DEVICE, DEVICE>OTHER, DEVICE*STEPS, DEVICE!STEPS, or DEVICE=OTHER");
MODULE_DESCRIPTION("The least that a receive handler can do");
MODULE_LICENSE("GPL");

static int __init floor_init(void)
{
	return 0;
}
module_init(floor_init);
