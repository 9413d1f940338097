// Signatures without Go in between; see sign_unix.go.

#include <stddef.h>
#include <stdint.h>

// sign_open finds the functions of a module that is loaded already; NULL when
// it cannot, or when they are not those that others have found.
void *sign_open(const char *path);

typedef struct {
	unsigned long session, key, mechanism;
	unsigned long hash, mgf, salt; // of RSA-PSS
	int pss, login;
	uint8_t *pin; // NULL: on the keypad
	unsigned long pin_len;
	uint8_t *data;
	unsigned long data_len;
} sign_request;

// sign_once makes one signature. in_login says that the login failed.
unsigned long sign_once(void *functions, const sign_request *r, uint8_t *sig, unsigned long *len, int *in_login);

// sign_lane answers requests for signatures until another request comes, which
// it leaves in buf, whole. It returns its length, 0 at the end of the lane, -1
// for one that does not fit.
long sign_lane(void *functions, int fd, uint8_t *buf, size_t size);
