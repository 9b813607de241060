// SPDX-License-Identifier: GPL-2.0
/* Kernel modules: pinning them, asking for them, hearing of those that go. */

#include <linux/kmod.h>
#include <linux/module.h>

#include "helpers.h"

bool lana_module_get(struct module *module)
{
	return try_module_get(module);
}

void lana_module_put(struct module *module)
{
	module_put(module);
}

const char *lana_module_name(struct module *module)
{
	return module ? module->name : "";
}

/* Its init runs. */
bool lana_module_coming(const struct module *module)
{
	return module && READ_ONCE(module->state) == MODULE_STATE_COMING;
}

/*
 * A module goes when its exit, or an init that failed, is over. What it has
 * registered goes then: not by its own code, which can forget it.
 */
static int lana_module_event(struct notifier_block *nb, unsigned long event, void *module)
{
	if (event == MODULE_STATE_GOING)
		lana_module_gone(module);
	return NOTIFY_DONE;
}

static struct notifier_block lana_module_notifier = {
	.notifier_call = lana_module_event,
};

int lana_module_watch(void)
{
	return register_module_notifier(&lana_module_notifier);
}

void lana_module_unwatch(void)
{
	unregister_module_notifier(&lana_module_notifier);
}

void lana_request_module(const char *prefix, const char *name)
{
	request_module("%s%s", prefix, name);
}
