//go:build cgo && !windows

#include "sign.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// What of PKCS#11 v2.40 is needed here. A function list is a version, padded,
// and then pointers in the standard's order.
typedef unsigned long ck_ulong;
typedef struct { ck_ulong mechanism; void *parameter; ck_ulong len; } ck_mechanism;
typedef struct { ck_ulong hash, mgf, salt; } ck_pss;
typedef ck_ulong (*ck_get_function_list)(void ***);
typedef ck_ulong (*ck_login)(ck_ulong, ck_ulong, uint8_t *, ck_ulong);
typedef ck_ulong (*ck_sign_init)(ck_ulong, ck_mechanism *, ck_ulong);
typedef ck_ulong (*ck_sign)(ck_ulong, uint8_t *, ck_ulong, uint8_t *, ck_ulong *);

enum { LOGIN = 19, SIGN_INIT = 43, SIGN = 44 };
enum { CKU_CONTEXT_SPECIFIC = 2 };

void *sign_open(const char *path) {
	void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL) return NULL;
	ck_get_function_list get = (ck_get_function_list)dlsym(handle, "C_GetFunctionList");
	void **list = NULL, **again = NULL;
	if (get == NULL || get(&list) != 0) return NULL;
	// p11-kit's proxy and client make an instance for each that asks. This one was not initialised, and the other's list is
	// not at hand.
	if (get(&again) != 0 || again != list) return NULL;
	return list;
}

unsigned long sign_once(void *functions, const sign_request *r, uint8_t *sig, unsigned long *len, int *in_login) {
	void **list = functions;
	ck_pss pss = {r->hash, r->mgf, r->salt};
	ck_mechanism mechanism = {r->mechanism, NULL, 0};
	if (r->pss) {
		mechanism.parameter = &pss;
		mechanism.len = sizeof pss;
	}
	ck_ulong rv = ((ck_sign_init)list[SIGN_INIT])(r->session, &mechanism, r->key);
	if (rv == 0 && r->login) {
		rv = ((ck_login)list[LOGIN])(r->session, CKU_CONTEXT_SPECIFIC, r->pin, r->pin_len);
		*in_login = rv != 0;
	}
	if (rv == 0) rv = ((ck_sign)list[SIGN])(r->session, r->data, r->data_len, sig, len);
	return rv;
}

// The frames of package child: length, kind, payload; a request for a
// signature is eight numbers, PIN and data.
enum { HEAD = 5, FIXED = 64, ANSWER = 8192, OP_SIGN = 10 };
enum { WITH_PSS = 1, WITH_LOGIN = 2, WITH_PIN = 4 };

static int write_whole(int fd, const uint8_t *p, size_t n) {
	while (n > 0) {
		ssize_t put = write(fd, p, n);
		if (put < 0 && errno == EINTR) continue;
		if (put <= 0) return 0;
		p += put;
		n -= (size_t)put;
	}
	return 1;
}

// frame_head writes what a frame begins with and returns its whole length.
static size_t frame_head(uint8_t *p, uint8_t kind, size_t payload) {
	size_t n = payload + 1;
	p[0] = (uint8_t)(n >> 24), p[1] = (uint8_t)(n >> 16), p[2] = (uint8_t)(n >> 8), p[3] = (uint8_t)n;
	p[4] = kind;
	return HEAD + payload;
}

// frame_length is that of the frame that begins at p, 0 as long as it is not known.
static size_t frame_length(const uint8_t *p, size_t have) {
	if (have < HEAD) return 0;
	return HEAD - 1 + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
}

static ck_ulong number(const uint8_t *p) {
	uint64_t n = 0;
	for (int i = 0; i < 8; i++) n = n << 8 | p[i];
	return (ck_ulong)n;
}

// parse tells whether a payload is a request for a signature in good order.
static int parse(uint8_t *p, size_t n, sign_request *r) {
	if (n < FIXED || number(p + 56) > n - FIXED) return 0;
	ck_ulong flags = number(p + 48);
	r->session = number(p), r->key = number(p + 8), r->mechanism = number(p + 16);
	r->hash = number(p + 24), r->mgf = number(p + 32), r->salt = number(p + 40);
	r->pss = (flags & WITH_PSS) != 0, r->login = (flags & WITH_LOGIN) != 0;
	r->pin_len = number(p + 56), r->pin = flags & WITH_PIN ? p + FIXED : NULL;
	r->data = p + FIXED + r->pin_len, r->data_len = (ck_ulong)(n - FIXED - r->pin_len);
	return r->pin == NULL || r->pin_len > 0; // an empty PIN is for Go to refuse
}

static atomic_int busy;  // lanes with a request
static atomic_int last;  // the lane that had one last,
static atomic_int again; // and how often in a row

static long now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

// read_soon reads what comes next. To sleep and be woken takes as long as half a signature on a curve, so it looks for a
// while first: where one lane alone is in use, and where requests came together, whose answers bring the next ones. The
// client may have been woken on this very processor: hence the yield.
static ssize_t read_soon(int fd, uint8_t *p, size_t n, int together) {
	enum { ALONE_NS = 100000, TOGETHER_NS = 40000 };
	ssize_t got = -1;
	if (together > 1 || (busy == 0 && last == fd && again > 1)) {
		long until = now_ns() + (together > 1 ? TOGETHER_NS : ALONE_NS);
		do {
			if ((got = recv(fd, p, n, MSG_DONTWAIT)) < 0) sched_yield();
		} while (got < 0 && (together > 1 || busy == 0) && now_ns() < until);
	}
	return got >= 0 ? got : read(fd, p, n);
}

// Requests that came together are answered together, unless that lets an answer wait for long.
enum { WAIT_NS = 200000 };

long sign_lane(void *functions, int fd, uint8_t *buf, size_t size) {
	uint8_t out[8 * (HEAD + ANSWER)];
	int eager = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	size_t at = 0, have = 0; // of buf: what is done, and what there is
	size_t ready = 0;        // answers in out,
	long since = 0;          // and when the first was ready
	int together = 0;        // requests since the last read
	for (;;) {
		size_t n;
		while ((n = frame_length(buf + at, have - at)) == 0 || have - at < n) {
			if (n != 0 && (n < HEAD || n > size)) return -1;
			if (ready > 0 && !write_whole(fd, out, ready)) return 0;
			ready = 0;
			memmove(buf, buf + at, have - at);
			have -= at;
			at = 0;
			ssize_t got = eager ? read_soon(fd, buf + have, size - have, together) : read(fd, buf + have, size - have);
			if (got < 0 && errno == EINTR) continue;
			if (got <= 0) return 0;
			have += (size_t)got;
			together = 0;
		}
		together++;
		sign_request r;
		if (n < HEAD) return -1;
		if (buf[at + 4] != OP_SIGN || !parse(buf + at + HEAD, n - HEAD, &r)) {
			if (ready > 0 && !write_whole(fd, out, ready)) return 0;
			memmove(buf, buf + at, n);
			return have - at == n ? (long)n : -1; // the client sends nothing behind it
		}
		ck_ulong len = ANSWER;
		int in_login = 0;
		busy++;
		again = last == fd ? again + 1 : 0;
		last = fd;
		ck_ulong rv = sign_once(functions, &r, out + ready + HEAD, &len, &in_login);
		busy--;
		memset(buf + at, 0, n); // there may be a PIN in it
		at += n;
		if (rv != 0) {
			len = (ck_ulong)snprintf((char *)out + ready + HEAD, ANSWER, "{\"RV\":%lu,\"Context\":%s}", rv, in_login ? "true" : "false");
		}
		if (ready == 0) since = now_ns();
		ready += frame_head(out + ready, rv != 0, len);
		if (ready > sizeof out - HEAD - ANSWER || now_ns() - since > WAIT_NS) {
			if (!write_whole(fd, out, ready)) return 0;
			ready = 0;
		}
	}
}
