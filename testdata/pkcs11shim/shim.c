// A PKCS#11 module that stands before another one, tells what is asked of it, and behaves badly on demand.
//
//   cc -shared -fPIC -o shim.so shim.c -ldl
//
// PKCS11SHIM_MODULE   the real module, SoftHSM for instance
// PKCS11SHIM_LOG      a file: one JSON line for each load, C_OpenSession, C_Login, C_SignInit and C_Sign
// PKCS11SHIM_FAULTS   what goes wrong, by commas; see README.md beside this file
// PKCS11SHIM_OUT      the card is out while this file exists
// PKCS11SHIM_PIN      the PIN that is "entered on the keypad", with the fault keypad
//
// It is written for tests: on anything odd it gives up loudly.

#define _GNU_SOURCE
#include "cryptoki.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static CK_FUNCTION_LIST *real, ours;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { long calls, signatures, sessions; int loggedIn, pulled; CK_ULONG zero; } now; // zero: the object shown as handle 0

#define CALL(name, ...) ((CK_RV(*)())real->f[name])(__VA_ARGS__)

static _Noreturn void giveUp(const char *why) {
	fprintf(stderr, "pkcs11shim: %s\n", why);
	abort();
}

// fault gives what stands behind NAME= in the faults, "" for NAME alone, NULL when it is not there.
static const char *fault(const char *name) {
	const char *all = getenv("PKCS11SHIM_FAULTS");
	size_t n = strlen(name);
	for (const char *p = all; p != NULL && *p != 0; p = strchr(p, ',')) {
		if (*p == ',') p++;
		if (strncmp(p, name, n) == 0 && strchr("=,", p[n]) != NULL) return p[n] == '=' ? p + n + 1 : "";
	}
	return NULL;
}

static long number(const char *name, long otherwise) {
	const char *v = fault(name);
	return v == NULL || *v == 0 || *v == ',' ? otherwise : strtol(v, NULL, 0);
}

// is tells whether a fault has this value.
static int is(const char *name, const char *value) {
	const char *v = fault(name);
	size_t n = strlen(value);
	return v != NULL && strncmp(v, value, n) == 0 && strchr(",:", v[n]) != NULL;
}

// nth is the number behind a fault's value, as in hang=sign:3; else 1.
static long nth(const char *name) {
	const char *v = fault(name);
	size_t n = v == NULL ? 0 : strcspn(v, ",:");
	return v != NULL && v[n] == ':' ? strtol(v + n + 1, NULL, 0) : 1;
}

static void tell(const char *format, ...) {
	const char *path = getenv("PKCS11SHIM_LOG");
	if (path == NULL || *path == 0) return;
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	char line[512];
	int n = snprintf(line, sizeof line, "{\"ns\":%lld,\"pid\":%d,", t.tv_sec * 1000000000LL + t.tv_nsec, (int)getpid());
	va_list args;
	va_start(args, format);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 3, format, args);
	va_end(args);
	n += snprintf(line + n, 3, "}\n");
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n) giveUp("cannot write its log"); // one write: lines of several processes do not mix
	close(fd);
}

// misbehave hangs or crashes at a point of the program.
static void misbehave(const char *point, long count) {
	if (is("hang", point) && count >= nth("hang")) {
		tell("\"call\":\"hang\",\"at\":\"%s\"", point);
		for (;;) pause();
	}
	if (is("crash", point) && count >= nth("crash")) {
		tell("\"call\":\"crash\",\"at\":\"%s\"", point);
		raise(SIGSEGV);
		abort();
	}
}

// out tells whether the card is out: from a count of calls on, or while a file exists.
static int out(void) {
	const char *file = getenv("PKCS11SHIM_OUT");
	long after = number("removed", -1), pull = number("pull", -1);
	pthread_mutex_lock(&lock);
	int gone = after >= 0 && ++now.calls > after;
	int pulled = pull >= 0 && now.signatures >= pull, told = now.pulled;
	now.pulled = pulled;
	pthread_mutex_unlock(&lock);
	if (pulled && !told) {
		int fd = file == NULL ? -1 : open(file, O_WRONLY | O_CREAT, 0600);
		if (fd < 0) giveUp("pull wants PKCS11SHIM_OUT");
		close(fd);
	}
	return gone || (file != NULL && access(file, F_OK) == 0);
}

// refusals counts the wrong PINs since the last right one, over all processes: the log is the card's memory.
static long refusals(void) {
	const char *path = getenv("PKCS11SHIM_LOG");
	FILE *f = path == NULL ? NULL : fopen(path, "r");
	if (f == NULL) return 0;
	char line[512];
	long n = 0;
	while (fgets(line, sizeof line, f) != NULL) {
		if (strstr(line, "\"C_Login\"") == NULL) continue;
		if (strstr(line, "\"rv\":\"0x0\"") != NULL) n = 0;
		if (strstr(line, "\"rv\":\"0xa0\"") != NULL) n++;
	}
	fclose(f);
	return n;
}

static int locked(void) {
	long tries = number("tries", 0);
	return fault("locked") != NULL || (tries > 0 && refusals() >= tries);
}

static CK_RV initialize(void *args) {
	misbehave("init", 1);
	struct { void *functions[4]; CK_ULONG flags; void *reserved; } own, *given = args;
	if (fault("reserved") != NULL) {
		if (given == NULL || given->reserved == NULL) return CKR_ARGUMENTS_BAD;
		own = *given, own.reserved = NULL, args = &own;
	}
	return CALL(Initialize, args);
}

static CK_RV getSlotList(CK_BYTE present, CK_ULONG *slots, CK_ULONG *count) {
	if (out() && present) {
		*count = 0;
		return CKR_OK;
	}
	return CALL(GetSlotList, present, slots, count);
}

static CK_RV getTokenInfo(CK_ULONG slot, CK_TOKEN_INFO *info) {
	if (out()) return CKR_TOKEN_NOT_PRESENT;
	misbehave("token", 1);
	CK_RV rv = CALL(GetTokenInfo, slot, info);
	if (rv != CKR_OK) return rv;
	if (fault("no-flags") != NULL) info->flags &= ~(CK_ULONG)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
	static const struct { const char *name; CK_ULONG flag; } flags[] = {
		{"count-low", CKF_USER_PIN_COUNT_LOW}, {"final-try", CKF_USER_PIN_FINAL_TRY}, {"to-be-changed", CKF_USER_PIN_TO_BE_CHANGED},
		{"keypad", CKF_PROTECTED_AUTHENTICATION_PATH}, {"read-only", CKF_WRITE_PROTECTED},
	};
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		if (fault(flags[i].name) != NULL) info->flags |= flags[i].flag;
	}
	long tries = number("tries", 0), used = tries > 0 ? refusals() : 0;
	if (used > 0) info->flags |= CKF_USER_PIN_COUNT_LOW;
	if (tries > 0 && used == tries - 1) info->flags |= CKF_USER_PIN_FINAL_TRY;
	if (locked()) info->flags |= CKF_USER_PIN_LOCKED;
	if (fault("sessions") != NULL) info->maxSessions = info->maxRW = (CK_ULONG)number("sessions", 1);
	if (fault("nul") != NULL) { // one field padded with NUL, another with NUL inside
		for (size_t i = sizeof info->label; i > 0 && info->label[i - 1] == ' '; i--) info->label[i - 1] = 0;
		memcpy(info->model, "Nul\0Model\0\0\0\0\0\0", sizeof info->model);
	}
	if (fault("same-serial") != NULL) memset(info->serial, '0', sizeof info->serial);
	return CKR_OK;
}

static int isRSA(CK_ULONG m) {
	return m <= CKM_SHA1_RSA_PKCS_PSS || (m >= CKM_SHA256_RSA_PKCS && m <= CKM_SHA224_RSA_PKCS_PSS);
}

static int isPSS(CK_ULONG m) {
	return m == CKM_RSA_PKCS_PSS || m == CKM_SHA1_RSA_PKCS_PSS || (m >= CKM_SHA256_RSA_PKCS_PSS && m <= CKM_SHA512_RSA_PKCS_PSS) || m == CKM_SHA224_RSA_PKCS_PSS;
}

// has tells whether the token does a mechanism, as far as the faults go. Of only=, the other kind of key is left alone.
static int has(CK_ULONG m) {
	static const struct { const char *name; CK_ULONG mechanism; } names[] = {
		{"RSA_PKCS", CKM_RSA_PKCS}, {"RSA_X_509", CKM_RSA_X_509}, {"RSA_PKCS_PSS", CKM_RSA_PKCS_PSS}, {"SHA256_RSA_PKCS", CKM_SHA256_RSA_PKCS},
		{"SHA256_RSA_PKCS_PSS", CKM_SHA256_RSA_PKCS_PSS}, {"ECDSA", CKM_ECDSA},
	};
	if (fault("no-pss") != NULL && (isPSS(m) || m == CKM_RSA_X_509)) return 0;
	if (fault("no-ec") != NULL && m >= CKM_ECDSA && m <= CKM_ECDSA_SHA512) return 0;
	if (fault("only") == NULL) return 1;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (is("only", names[i].name)) {
			CK_ULONG one = names[i].mechanism;
			return m == one || (isRSA(one) ? !isRSA(m) : m < CKM_ECDSA || m > CKM_ECDSA_SHA512);
		}
	}
	giveUp("only= names a mechanism that it does not know");
}

static CK_RV getMechanismList(CK_ULONG slot, CK_ULONG *list, CK_ULONG *count) {
	if (out()) return CKR_TOKEN_NOT_PRESENT;
	CK_ULONG all[512], n = sizeof all / sizeof *all, kept = 0;
	CK_RV rv = CALL(GetMechanismList, slot, all, &n);
	if (rv != CKR_OK) return rv;
	for (CK_ULONG i = 0; i < n; i++) {
		if (has(all[i])) all[kept++] = all[i];
	}
	if (list != NULL && *count < kept) rv = CKR_BUFFER_TOO_SMALL;
	else if (list != NULL) memcpy(list, all, kept * sizeof *list);
	*count = kept;
	return rv;
}

static CK_RV openSession(CK_ULONG slot, CK_ULONG flags, void *app, void *notify, CK_ULONG *session) {
	CK_RV rv = CKR_OK;
	long most = number("sessions", number("hidden-sessions", 0));
	pthread_mutex_lock(&lock);
	if (most > 0 && now.sessions >= most) rv = CKR_SESSION_COUNT;
	else now.sessions++;
	pthread_mutex_unlock(&lock);
	if (rv == CKR_OK) {
		if (out()) rv = CKR_DEVICE_REMOVED;
		else if (fault("read-only") != NULL && (flags & CKF_RW_SESSION)) rv = CKR_TOKEN_WRITE_PROTECTED;
		else rv = CALL(OpenSession, slot, flags, app, notify, session);
		if (rv != CKR_OK) {
			pthread_mutex_lock(&lock);
			now.sessions--;
			pthread_mutex_unlock(&lock);
		}
	}
	tell("\"call\":\"C_OpenSession\",\"rw\":%s,\"rv\":\"0x%lx\"", flags & CKF_RW_SESSION ? "true" : "false", rv);
	return rv;
}

static void closed(int all) {
	pthread_mutex_lock(&lock);
	now.sessions = all || now.sessions == 0 ? 0 : now.sessions - 1;
	if (now.sessions == 0) now.loggedIn = 0;
	pthread_mutex_unlock(&lock);
}

static CK_RV closeSession(CK_ULONG session) {
	CK_RV rv = CALL(CloseSession, session);
	if (rv == CKR_OK) closed(0);
	return rv;
}

static CK_RV closeAllSessions(CK_ULONG slot) {
	CK_RV rv = CALL(CloseAllSessions, slot);
	if (rv == CKR_OK) closed(1);
	return rv;
}

static CK_RV login(CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG len) {
	misbehave("login", 1);
	int onKeypad = pin == NULL;
	CK_RV rv = CKR_OK;
	if (out()) rv = CKR_DEVICE_REMOVED;
	else if (locked()) rv = CKR_PIN_LOCKED;
	else if (user == CKU_CONTEXT_SPECIFIC && fault("refuse-context") != NULL) rv = CKR_PIN_INCORRECT; // and the operation stays active
	else if (onKeypad != (fault("keypad") != NULL)) rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK && onKeypad) {
		pin = (CK_BYTE *)getenv("PKCS11SHIM_PIN");
		if (pin == NULL) giveUp("nobody enters a PIN on its keypad: PKCS11SHIM_PIN");
		len = strlen((char *)pin);
	}
	if (rv == CKR_OK) rv = CALL(Login, session, user, pin, len);
	if (rv == CKR_OK && user == CKU_USER) now.loggedIn = 1;
	tell("\"call\":\"C_Login\",\"user\":%lu,\"keypad\":%s,\"rv\":\"0x%lx\"", user, onKeypad ? "true" : "false", rv);
	return rv;
}

static CK_RV logout(CK_ULONG session) {
	now.loggedIn = 0;
	return CALL(Logout, session);
}

static CK_RV findObjectsInit(CK_ULONG session, CK_ATTRIBUTE *template, CK_ULONG count) {
	if (out()) return CKR_DEVICE_REMOVED;
	misbehave("find", 1);
	return CALL(FindObjectsInit, session, template, count);
}

// isZero tells whether an object is the private key that shall have handle 0, by its CKA_ID of one octet.
static int isZero(CK_ULONG session, CK_ULONG object) {
	CK_ULONG class = 0;
	CK_BYTE id[64];
	CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof class}, {CKA_ID, id, sizeof id}};
	return CALL(GetAttributeValue, session, object, a, 2UL) == CKR_OK && class == CKO_PRIVATE_KEY && a[1].len == 1 && id[0] == number("handle-0", 1);
}

static CK_RV findObjects(CK_ULONG session, CK_ULONG *objects, CK_ULONG most, CK_ULONG *count) {
	CK_RV rv = CALL(FindObjects, session, objects, most, count);
	if (rv != CKR_OK) return rv;
	if (fault("hide") != NULL && !now.loggedIn) *count = 0;
	for (CK_ULONG i = 0; fault("handle-0") != NULL && i < *count; i++) {
		if (isZero(session, objects[i])) now.zero = objects[i], objects[i] = 0;
	}
	return CKR_OK;
}

static CK_ULONG object(CK_ULONG handle) { return handle == 0 && now.zero != 0 ? now.zero : handle; }

static CK_RV getAttributeValue(CK_ULONG session, CK_ULONG handle, CK_ATTRIBUTE *a, CK_ULONG count) {
	if (out()) return CKR_DEVICE_REMOVED;
	for (CK_ULONG i = 0; fault("untold") != NULL && i < count; i++) {
		if (a[i].type == CKA_ALWAYS_AUTHENTICATE) {
			a[i].len = (CK_ULONG)-1;
			return CKR_ATTRIBUTE_TYPE_INVALID;
		}
	}
	CK_ULONG room[64];
	for (CK_ULONG i = 0; i < count && i < 64; i++) room[i] = a[i].len;
	CK_RV rv = CALL(GetAttributeValue, session, object(handle), a, count);
	for (CK_ULONG i = 0; rv == CKR_OK && fault("nul") != NULL && i < count && i < 64; i++) { // labels that end in NUL
		if (a[i].type != CKA_LABEL || a[i].len == (CK_ULONG)-1) continue;
		if (a[i].value != NULL && room[i] < a[i].len + 1) return CKR_BUFFER_TOO_SMALL;
		if (a[i].value != NULL) ((CK_BYTE *)a[i].value)[a[i].len] = 0;
		a[i].len++;
	}
	return rv;
}

static CK_RV signInit(CK_ULONG session, CK_MECHANISM *m, CK_ULONG key) {
	CK_RV rv = CKR_OK;
	if (out()) rv = CKR_DEVICE_REMOVED;
	else if (!has(m->mechanism)) rv = CKR_MECHANISM_INVALID;
	else if (fault("refuse-pss") != NULL && isPSS(m->mechanism)) rv = CKR_MECHANISM_INVALID; // listed all the same
	else rv = CALL(SignInit, session, m, object(key));
	tell("\"call\":\"C_SignInit\",\"mechanism\":%lu,\"key\":%lu,\"rv\":\"0x%lx\"", m->mechanism, key, rv);
	return rv;
}

static CK_RV sign(CK_ULONG session, CK_BYTE *data, CK_ULONG len, CK_BYTE *signature, CK_ULONG *size) {
	if (signature == NULL) return CALL(Sign, session, data, len, signature, size);
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	pthread_mutex_lock(&lock);
	long n = now.signatures + 1;
	pthread_mutex_unlock(&lock);
	misbehave("sign", n);
	long ms = number("slow", 0);
	if (ms > 0) { // a card works on one at a time
		static pthread_mutex_t card = PTHREAD_MUTEX_INITIALIZER;
		pthread_mutex_lock(&card);
		nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
		pthread_mutex_unlock(&card);
	}
	CK_RV rv = CKR_OK;
	if (number("lose-sessions", 0) == n) {
		CK_ULONG info[4] = {0}; // the first is the slot's number
		CALL(GetSessionInfo, session, info);
		closeAllSessions(info[0]);
	}
	if (out()) rv = n == number("pull", -1) + 1 ? CKR_GENERAL_ERROR : CKR_DEVICE_REMOVED; // the first word is a general one
	else rv = CALL(Sign, session, data, len, signature, size);
	if (rv == CKR_USER_NOT_LOGGED_IN && fault("harsh") != NULL) logout(session); // as OpenSC does for want of a context login
	if (number("log-out", 0) == n) logout(session); // as when another program resets the card
	pthread_mutex_lock(&lock);
	now.signatures++;
	pthread_mutex_unlock(&lock);
	clock_gettime(CLOCK_MONOTONIC, &end);
	tell("\"call\":\"C_Sign\",\"octets\":%lu,\"us\":%lld,\"rv\":\"0x%lx\"", len,
		(end.tv_sec - start.tv_sec) * 1000000LL + (end.tv_nsec - start.tv_nsec) / 1000, rv);
	return rv;
}

static CK_RV getFunctionList(CK_FUNCTION_LIST **list) {
	*list = &ours;
	return CKR_OK;
}

__attribute__((constructor)) static void load(void) { misbehave("load", 1); }

// putBack takes the file away when the module is loaded the Nth time while the card is out.
static void putBack(void) {
	const char *file = getenv("PKCS11SHIM_OUT");
	long loads = number("back", 0);
	int fd = loads == 0 || file == NULL ? -1 : open(file, O_WRONLY | O_APPEND);
	if (fd < 0) return;
	if (write(fd, "x", 1) == 1 && lseek(fd, 0, SEEK_END) >= loads) unlink(file);
	close(fd);
}

static void prepare(void) {
	putBack();
	const char *path = getenv("PKCS11SHIM_MODULE");
	void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (module == NULL) giveUp(path == NULL ? "PKCS11SHIM_MODULE names no module" : dlerror());
	CK_RV (*get)(CK_FUNCTION_LIST **);
	*(void **)&get = dlsym(module, "C_GetFunctionList");
	if (get == NULL || get(&real) != CKR_OK) giveUp("the real module gives no functions");
	ours = *real;
	static const struct { int at; void *f; } own[] = {
		{Initialize, initialize}, {GetFunctionList, getFunctionList}, {GetSlotList, getSlotList}, {GetTokenInfo, getTokenInfo},
		{GetMechanismList, getMechanismList}, {OpenSession, openSession}, {CloseSession, closeSession},
		{CloseAllSessions, closeAllSessions}, {Login, login}, {Logout, logout}, {GetAttributeValue, getAttributeValue},
		{FindObjectsInit, findObjectsInit}, {FindObjects, findObjects}, {SignInit, signInit}, {Sign, sign},
	};
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) *(void **)&ours.f[own[i].at] = own[i].f;
	tell("\"call\":\"load\"");
}

// C_GetFunctionList is the one door of a module.
CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, prepare);
	return getFunctionList(list);
}
