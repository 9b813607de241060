// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that wait to go through the graph in batches.
 *
 * Each CPU has a queue, and nobody but that CPU, with bottom halves off, touches
 * it: no lock is needed. It is run when it holds a whole batch, and else by a
 * NAPI instance that is polled in the round of the softirq in which the first
 * packet came, as gro_cells are; so no packet waits longer than that.
 *
 * The queue of a CPU that has died is run by another one before that CPU can
 * come back.
 */

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/hotdata.h>
#include <net/sock.h>

#include "helpers.h"

DEFINE_PER_CPU(unsigned int, lana_batch_waiting);

struct lana_queue {
	/* Linked by `next`. */
	struct sk_buff *head;
	struct sk_buff *tail;
	unsigned int *len;
	unsigned int cpu;
	/* A batch is on its way, and packets that come meanwhile wait for its end. */
	bool running;
	struct napi_struct napi;
	struct work_struct work;
};

static DEFINE_PER_CPU(struct lana_queue, lana_queues);
static struct net_device *lana_batch_dev;
static int lana_batch_hotplug;

/* Where a packet entered. Its control buffer is ours. */
static const struct lana_hook **lana_batch_hook(struct sk_buff *skb)
{
	return (const struct lana_hook **)skb->cb;
}

static void lana_batch_drop(struct sk_buff *skb, enum skb_drop_reason reason)
{
	dev_core_stats_rx_dropped_inc(skb->dev);
	kfree_skb_reason(skb, reason);
}

/* A packet that nobody takes any more: its device has been unhooked while it waited. */
void lana_batch_lost(struct sk_buff *skb)
{
	lana_batch_drop(skb, SKB_DROP_REASON_DEV_READY);
}

/*
 * Run the first packets, as far as they came by the same hook, `most` at most.
 * Returns how many.
 */
static unsigned int lana_batch_step(struct lana_queue *q, unsigned int most)
{
	struct sk_buff *first = q->head, *last = first;
	const struct lana_hook *hook = *lana_batch_hook(first);
	unsigned int n = 1;

	for (most = min(most, LANA_BATCH); n < most; n++) {
		if (!last->next || *lana_batch_hook(last->next) != hook)
			break;
		last = last->next;
	}
	q->head = last->next;
	last->next = NULL;
	*q->len -= n;

	q->running = true;
	rcu_read_lock();
	if (n > 1) {
		lana_receive_batch(hook, first, lana_cpu_offset());
	} else {
		/* For one the other way is shorter. How often it has entered was looked at before. */
		lana_receive(hook, first, 0, lana_cpu_offset(), NULL);
	}
	rcu_read_unlock();
	q->running = false;
	return n;
}

/* Run what waits, but for what comes meanwhile. */
static void lana_batch_run_queue(struct lana_queue *q)
{
	unsigned int n = *q->len;

	if (q->running)
		return;
	while (n)
		n -= lana_batch_step(q, n);
}

/* The same on this CPU. Bottom halves are off. */
void lana_batch_run(void)
{
	lana_batch_run_queue(this_cpu_ptr(&lana_queues));
}

/* Take a packet that is not shared, and that begins at its link layer header. */
void lana_batch_add(const struct lana_hook *hook, struct sk_buff *skb)
{
	struct lana_queue *q = this_cpu_ptr(&lana_queues);

	/* Where a batch hands on packets at once that come back here, there could be any number. */
	if (unlikely(*q->len >= READ_ONCE(net_hotdata.max_backlog)))
		return lana_batch_drop(skb, SKB_DROP_REASON_CPU_BACKLOG);
	/* It leaves the read-side section it came in, and what was only lent to it for that. */
	skb_dst_force(skb);
	if (unlikely(skb_sk_is_prefetched(skb)))
		skb_orphan(skb);

	*lana_batch_hook(skb) = hook;
	skb->next = NULL;
	if (q->head)
		q->tail->next = skb;
	else
		q->head = skb;
	q->tail = skb;
	if (++*q->len == 1)
		napi_schedule(&q->napi);
	else if (*q->len >= LANA_BATCH)
		lana_batch_run_queue(q);
}

static int lana_batch_poll(struct napi_struct *napi, int budget)
{
	struct lana_queue *q = container_of(napi, struct lana_queue, napi);
	unsigned long start = jiffies;
	int done = 0;

	if (likely(q == this_cpu_ptr(&lana_queues))) {
		while (q->head && done < budget) {
			done += lana_batch_step(q, budget - done);
			/* The softirq is to look how long it has run. */
			if (q->head && jiffies != start)
				return budget;
		}
	} else if (READ_ONCE(*q->len)) {
		/* Its CPU had died, when it was run, and is back. */
		queue_work_on(q->cpu, system_highpri_wq, &q->work);
	}
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

static void lana_batch_work(struct work_struct *work)
{
	local_bh_disable();
	lana_batch_run();
	local_bh_enable();
}

/*
 * Run what waits on all CPUs: afterwards nothing does that had come when the call
 * began. Sleeps.
 */
void lana_batch_flush(void)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		queue_work_on(cpu, system_highpri_wq, &per_cpu(lana_queues, cpu).work);
	for_each_online_cpu(cpu)
		flush_work(&per_cpu(lana_queues, cpu).work);
	cpus_read_unlock();
}

static int lana_batch_dead(unsigned int cpu)
{
	local_bh_disable();
	lana_batch_run_queue(per_cpu_ptr(&lana_queues, cpu));
	local_bh_enable();
	return 0;
}

static void lana_batch_end(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct lana_queue *q = per_cpu_ptr(&lana_queues, cpu);

		napi_disable(&q->napi);
		cancel_work_sync(&q->work);
		netif_napi_del(&q->napi);
	}
	free_netdev(lana_batch_dev);
}

int lana_batch_init(void)
{
	unsigned int cpu;
	int err;

	lana_batch_dev = alloc_netdev_dummy(0);
	if (!lana_batch_dev)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct lana_queue *q = per_cpu_ptr(&lana_queues, cpu);

		q->cpu = cpu;
		q->len = per_cpu_ptr(&lana_batch_waiting, cpu);
		INIT_WORK(&q->work, lana_batch_work);
		set_bit(NAPI_STATE_NO_BUSY_POLL, &q->napi.state);
		netif_napi_add(lana_batch_dev, &q->napi, lana_batch_poll);
		napi_enable(&q->napi);
	}
	/* Last, as it may be called at once. */
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "net/lana:dead", NULL,
					lana_batch_dead);
	if (err < 0) {
		lana_batch_end();
		return err;
	}
	lana_batch_hotplug = err;
	return 0;
}

/* No device is hooked any more, so that nothing waits. */
void lana_batch_exit(void)
{
	cpuhp_remove_state_nocalls(lana_batch_hotplug);
	lana_batch_end();
}
