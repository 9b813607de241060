/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What sys.rs calls of probe.c. It declares the same: change both.
 */
#ifndef OTST_PROBE_H
#define OTST_PROBE_H

#include <linux/types.h>

/* As many arguments of a function are in registers on each architecture that has kprobes and Rust. */
#define OTST_ARGS	6

/* What is asked of an argument. */
enum otst_ask {
	OTST_NOTHING,
	/* Its low 32 bits go into the log. */
	OTST_PRINT,
	/* Only calls count where its low 32 bits are the value. */
	OTST_EQUALS,
	/* Only calls count where it points to the network namespace of whoever armed the probe. */
	OTST_NETNS,
};

struct otst_arg {
	u32 ask;
	u32 value;
};

struct otst_probe;
struct seq_file;

/* All three may sleep. */
struct otst_ops {
	int (*write)(void *data, const void __user *buf, size_t len);
	void (*show)(void *data, struct seq_file *m);
	/* A probe has been hit. */
	void (*reap)(void *data);
};

struct otst_probe *otst_probe_arm(const char *symbol, const struct otst_arg args[OTST_ARGS]);
void otst_probe_disarm(struct otst_probe *probe);
bool otst_probe_recorded(const struct otst_probe *probe);
void otst_probe_log(const struct otst_probe *probe, const char *symbol);

void otst_worker_start(const struct otst_ops *ops, void *data);
void otst_worker_stop(void);
int otst_file_add(void);
void otst_file_remove(void);

#endif
