// SPDX-License-Identifier: GPL-2.0
/*
 * zstd by the kernel's library, with all the memory that it takes allocated beforehand, for each CPU: so it works
 * where nothing may sleep. A kernel whose configuration selects no zstd library has none.
 */

#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "helpers.h"

#if IS_ENABLED(CONFIG_ZSTD_COMPRESS) && IS_ENABLED(CONFIG_ZSTD_DECOMPRESS)
#include <linux/zstd.h>

/* What a packet is like that the tables are made for: the larger, the more memory. */
#define LANA_ZSTD_USUAL		(16 << 10)

struct lana_zstd_cpu {
	zstd_cctx *cctx;
	zstd_dctx *dctx;
	void *workspaces[2];
	/* Results are here first: a packet is changed where it is. */
	u8 *result;
	bool busy;
};

struct lana_zstd {
	zstd_parameters params;
	struct lana_zstd_cpu __percpu *cpus;
};

void lana_zstd_free(struct lana_zstd *zstd)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct lana_zstd_cpu *own = per_cpu_ptr(zstd->cpus, cpu);

		kvfree(own->workspaces[0]);
		kvfree(own->workspaces[1]);
		kvfree(own->result);
	}
	free_percpu(zstd->cpus);
	kfree(zstd);
}

static int lana_zstd_init(struct lana_zstd_cpu *own, size_t compress, size_t decompress)
{
	own->workspaces[0] = kvmalloc(compress, GFP_KERNEL);
	own->workspaces[1] = kvmalloc(decompress, GFP_KERNEL);
	own->result = kvmalloc(LANA_ZSTD_MOST, GFP_KERNEL);
	if (!own->workspaces[0] || !own->workspaces[1] || !own->result)
		return -ENOMEM;
	own->cctx = zstd_init_cctx(own->workspaces[0], compress);
	own->dctx = zstd_init_dctx(own->workspaces[1], decompress);
	return own->cctx && own->dctx ? 0 : -EINVAL;
}

/* NULL for want of memory. Sleeps. */
struct lana_zstd *lana_zstd_new(int level)
{
	struct lana_zstd *zstd = kzalloc_obj(*zstd);
	size_t compress, decompress;
	unsigned int cpu;

	if (!zstd)
		return NULL;
	zstd->cpus = alloc_percpu(struct lana_zstd_cpu);
	if (!zstd->cpus) {
		kfree(zstd);
		return NULL;
	}
	zstd->params = zstd_get_params(level, LANA_ZSTD_USUAL);
	compress = zstd_cctx_workspace_bound(&zstd->params.cParams);
	decompress = zstd_dctx_workspace_bound();
	for_each_possible_cpu(cpu) {
		if (lana_zstd_init(per_cpu_ptr(zstd->cpus, cpu), compress, decompress)) {
			lana_zstd_free(zstd);
			return NULL;
		}
	}
	return zstd;
}

/*
 * What is at `from` goes to `to` as a zstd frame, or what such a frame consists of; the two may overlap. How long that
 * is, or 0: it is longer than `room`, or `from` is no frame. The caller stays on its CPU. One that comes in between, as
 * a softirq in what has preemption off only, gets 0, too.
 */
u32 lana_zstd_run(struct lana_zstd *zstd, bool compress, const u8 *from, u32 len, u8 *to, u32 room)
{
	struct lana_zstd_cpu *own = this_cpu_ptr(zstd->cpus);
	size_t done;

	if (own->busy)
		return 0;
	WRITE_ONCE(own->busy, true);
	barrier();
	room = min(room, LANA_ZSTD_MOST);
	if (compress)
		done = zstd_compress_cctx(own->cctx, own->result, room, from, len, &zstd->params);
	else
		done = zstd_decompress_dctx(own->dctx, own->result, room, from, len);
	if (zstd_is_error(done) || done > room)
		done = 0;
	memcpy(to, own->result, done);
	barrier();
	WRITE_ONCE(own->busy, false);
	return done;
}

bool lana_zstd_there(void)
{
	return true;
}

#else
void lana_zstd_free(struct lana_zstd *zstd)
{
}

struct lana_zstd *lana_zstd_new(int level)
{
	return NULL;
}

u32 lana_zstd_run(struct lana_zstd *zstd, bool compress, const u8 *from, u32 len, u8 *to, u32 room)
{
	return 0;
}

bool lana_zstd_there(void)
{
	return false;
}
#endif
