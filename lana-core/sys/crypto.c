// SPDX-License-Identifier: GPL-2.0
/*
 * AES-GCM and HMAC-SHA256 by the kernel's libraries. They are called, as a function is:
 * nothing waits, nothing is allocated, and any context will do. A kernel whose configuration selects
 * no AES-GCM library has none: lana_aead_there() says so.
 */

#include <crypto/sha2.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "helpers.h"

#if IS_ENABLED(CONFIG_CRYPTO_LIB_AES_GCM)
#include <crypto/aes-gcm.h>

struct lana_aead {
	struct aes_gcm_key key;
};

static int lana_aead_prepare(struct lana_aead *aead, const u8 *key, size_t len)
{
	return aes_gcm_preparekey(&aead->key, key, len, LANA_AEAD_TAG);
}

void lana_aead_seal(const struct lana_aead *aead, u8 *data, size_t len, u8 *tag, const u8 *ad,
		    size_t ad_len, const u8 *nonce)
{
	aes_gcm_encrypt(data, data, len, tag, ad, ad_len, nonce, &aead->key);
}

bool lana_aead_open(const struct lana_aead *aead, u8 *data, size_t len, const u8 *tag,
		    const u8 *ad, size_t ad_len, const u8 *nonce)
{
	return !aes_gcm_decrypt(data, data, len, tag, ad, ad_len, nonce, &aead->key);
}

#elif IS_ENABLED(CONFIG_CRYPTO_LIB_AESGCM)
/* Before 7.3 the library has other names. */
#include <crypto/gcm.h>

struct lana_aead {
	struct aesgcm_ctx key;
};

static int lana_aead_prepare(struct lana_aead *aead, const u8 *key, size_t len)
{
	return aesgcm_expandkey(&aead->key, key, len, LANA_AEAD_TAG);
}

void lana_aead_seal(const struct lana_aead *aead, u8 *data, size_t len, u8 *tag, const u8 *ad,
		    size_t ad_len, const u8 *nonce)
{
	aesgcm_encrypt(&aead->key, data, data, len, ad, ad_len, nonce, tag);
}

bool lana_aead_open(const struct lana_aead *aead, u8 *data, size_t len, const u8 *tag,
		    const u8 *ad, size_t ad_len, const u8 *nonce)
{
	return aesgcm_decrypt(&aead->key, data, data, len, ad, ad_len, nonce, tag);
}

#else
/* Nobody gets one, so nobody uses one. */
struct lana_aead {
	u8 none;
};

static int lana_aead_prepare(struct lana_aead *aead, const u8 *key, size_t len)
{
	return -EOPNOTSUPP;
}

void lana_aead_seal(const struct lana_aead *aead, u8 *data, size_t len, u8 *tag, const u8 *ad,
		    size_t ad_len, const u8 *nonce)
{
}

bool lana_aead_open(const struct lana_aead *aead, u8 *data, size_t len, const u8 *tag,
		    const u8 *ad, size_t ad_len, const u8 *nonce)
{
	return false;
}
#endif

bool lana_aead_there(void)
{
	return IS_ENABLED(CONFIG_CRYPTO_LIB_AES_GCM) || IS_ENABLED(CONFIG_CRYPTO_LIB_AESGCM);
}

/* A key made ready; NULL where its length is none of AES, for want of memory, or without the library. */
struct lana_aead *lana_aead_new(const u8 *key, size_t len, bool may_sleep)
{
	struct lana_aead *aead = kmalloc_obj(*aead, may_sleep ? GFP_KERNEL : GFP_ATOMIC | __GFP_NOWARN);

	if (aead && lana_aead_prepare(aead, key, len)) {
		kfree_sensitive(aead);
		return NULL;
	}
	return aead;
}

/* Any context. */
void lana_aead_free(struct lana_aead *aead)
{
	kfree_sensitive(aead);
}

void lana_hmac(const u8 *key, size_t len, const u8 *data, size_t data_len, u8 *out)
{
	hmac_sha256_usingrawkey(key, len, data, data_len, out);
}

/* What a compiler may not leave out. */
void lana_forget(void *data, size_t len)
{
	memzero_explicit(data, len);
}

/* Random bytes that nobody can foresee: waits for the kernel to have had enough entropy. */
int lana_random(void *data, size_t len)
{
	return get_random_bytes_wait(data, len);
}
