// SPDX-License-Identifier: GPL-2.0
/* Namespaces: each has its graph. */

#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "helpers.h"

struct workqueue_struct *lana_wq;

static unsigned int lana_net_id __read_mostly;

struct lana_net {
	void *graph;
	struct delayed_work alarm;
	/* What has gone since the graph was locked last. */
	struct llist_head gone;
	struct delayed_work chores;
};

void *lana_net_get(struct net *net)
{
	return ((struct lana_net *)net_generic(net, lana_net_id))->graph;
}

/* Let Rust visit the graphs of all namespaces. */
void lana_net_for_each(void *data)
{
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net)
		lana_graph_visit(lana_net_get(net), data);
	up_read(&net_rwsem);
}

static void lana_net_alarm_work(struct work_struct *work)
{
	struct lana_net *ln = container_of(to_delayed_work(work), struct lana_net, alarm);

	lana_graph_alarm(ln->graph);
}

/* Have the graph told of drops: from any context, soon, and ten times a second at most. */
void lana_net_alarm(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	queue_delayed_work(system_percpu_wq, &ln->alarm, HZ / 10);
}

/* Have the graph do what it has put off: soon, or, where it had no memory for that, later. */
void lana_net_chores(struct net *net, bool later)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	queue_delayed_work(lana_wq, &ln->chores, later ? HZ / 10 : 0);
}

/* Whether there are graphs. Tracepoints are there a little before them, and a little longer. */
static bool lana_nets;
static DEFINE_MUTEX(lana_nets_lock);

/* Have all graphs do so. */
void lana_net_chores_all(void)
{
	struct net *net;

	mutex_lock(&lana_nets_lock);
	if (lana_nets) {
		down_read(&net_rwsem);
		for_each_net(net)
			lana_net_chores(net, false);
		up_read(&net_rwsem);
	}
	mutex_unlock(&lana_nets_lock);
}

static void lana_nets_set(bool there)
{
	mutex_lock(&lana_nets_lock);
	lana_nets = there;
	mutex_unlock(&lana_nets_lock);
}

/*
 * Something has gone whose block is to go: the graph hears of it when it is
 * locked next, by the work at the latest. Any context; waits for nobody.
 */
void lana_net_gone(struct net *net, struct lana_gone *gone, bool later)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	llist_add(&gone->node, &ln->gone);
	lana_net_chores(net, later);
}

bool lana_net_any_gone(struct net *net)
{
	return !llist_empty(&((struct lana_net *)net_generic(net, lana_net_id))->gone);
}

static struct lana_gone *lana_gone_of(struct llist_node *node)
{
	return node ? llist_entry(node, struct lana_gone, node) : NULL;
}

/* Take all that has gone, in its order; a list by lana_gone_next(). */
struct lana_gone *lana_net_take_gone(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	return lana_gone_of(llist_reverse_order(llist_del_all(&ln->gone)));
}

struct lana_gone *lana_gone_next(const struct lana_gone *gone)
{
	return lana_gone_of(gone->node.next);
}

static void lana_net_chores_work(struct work_struct *work)
{
	struct lana_net *ln = container_of(to_delayed_work(work), struct lana_net, chores);

	lana_graph_chores(ln->graph);
}

static int __net_init lana_net_init(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	INIT_DELAYED_WORK(&ln->alarm, lana_net_alarm_work);
	init_llist_head(&ln->gone);
	INIT_DELAYED_WORK(&ln->chores, lana_net_chores_work);
	ln->graph = lana_graph_new(net);
	if (!ln->graph)
		return -ENOMEM;
	if (lana_watch_hops)
		lana_net_chores(net, false);
	return 0;
}

static void __net_exit lana_net_exit(struct net *net)
{
	struct lana_net *ln = net_generic(net, lana_net_id);

	/* No device and no socket is left to go, and those that went go with the graph. */
	disable_delayed_work_sync(&ln->chores);
	lana_graph_clear(ln->graph);
	/* No packet is there any more to raise another one. */
	cancel_delayed_work_sync(&ln->alarm);
	lana_graph_free(ln->graph);
	ln->graph = NULL;
}

static struct pernet_operations lana_net_ops = {
	.init = lana_net_init,
	.exit = lana_net_exit,
	.id = &lana_net_id,
	.size = sizeof(struct lana_net),
};

int lana_net_register(void)
{
	int err = -ENOMEM;

	lana_wq = alloc_workqueue("lana", WQ_UNBOUND, 0);
	if (!lana_wq)
		return err;
	err = lana_batch_init();
	if (err)
		goto wq;
	err = register_pernet_subsys(&lana_net_ops);
	if (err)
		goto batch;
	err = register_netdevice_notifier(&lana_netdev_notifier);
	if (err)
		goto pernet;
	err = lana_neigh_register();
	if (err)
		goto netdev;
	lana_nets_set(true);
	return 0;
netdev:
	unregister_netdevice_notifier(&lana_netdev_notifier);
pernet:
	unregister_pernet_subsys(&lana_net_ops);
batch:
	lana_batch_exit();
wq:
	destroy_workqueue(lana_wq);
	return err;
}

void lana_net_unregister(void)
{
	lana_nets_set(false);
	lana_neigh_unregister();
	unregister_netdevice_notifier(&lana_netdev_notifier);
	unregister_pernet_subsys(&lana_net_ops);
	lana_hook_exit();
	/* Devices are given back: the grace period, and then the work. */
	rcu_barrier();
	destroy_workqueue(lana_wq);
	lana_batch_exit();
}
