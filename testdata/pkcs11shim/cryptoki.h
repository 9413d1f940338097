// What the shim needs of PKCS#11 v2.40, from the standard (OASIS, 2015): names and numbers are its own.

#ifndef CRYPTOKI_H
#define CRYPTOKI_H

typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV;
typedef unsigned char CK_BYTE;

typedef struct {
	CK_BYTE label[32], manufacturer[32], model[16], serial[16];
	CK_ULONG flags, maxSessions, sessions, maxRW, rw, maxPIN, minPIN, totalPublic, freePublic, totalPrivate, freePrivate;
	CK_BYTE hardware[2], firmware[2], utcTime[16];
} CK_TOKEN_INFO;

typedef struct { CK_ULONG type; void *value; CK_ULONG len; } CK_ATTRIBUTE;
typedef struct { CK_ULONG mechanism; void *parameter; CK_ULONG len; } CK_MECHANISM;

// Positions in the list of functions.
enum {
	Initialize = 0, GetFunctionList = 3, GetSlotList = 4, GetTokenInfo = 6, GetMechanismList = 7,
	OpenSession = 12, CloseSession = 13, CloseAllSessions = 14, GetSessionInfo = 15, Login = 18, Logout = 19,
	GetAttributeValue = 24, FindObjectsInit = 26, FindObjects = 27, SignInit = 42, Sign = 43,
	FUNCTIONS = 68
};

typedef void (*CK_FUNCTION)(void);
typedef struct { CK_BYTE major, minor; CK_FUNCTION f[FUNCTIONS]; } CK_FUNCTION_LIST;

enum {
	CKR_OK = 0, CKR_GENERAL_ERROR = 0x5, CKR_ARGUMENTS_BAD = 0x7, CKR_ATTRIBUTE_TYPE_INVALID = 0x12, CKR_DEVICE_REMOVED = 0x32,
	CKR_MECHANISM_INVALID = 0x70, CKR_PIN_INCORRECT = 0xA0, CKR_PIN_LOCKED = 0xA4, CKR_SESSION_COUNT = 0xB1,
	CKR_TOKEN_NOT_PRESENT = 0xE0, CKR_TOKEN_WRITE_PROTECTED = 0xE2, CKR_USER_NOT_LOGGED_IN = 0x101, CKR_BUFFER_TOO_SMALL = 0x150
};

enum {
	CKF_RW_SESSION = 0x2, CKF_WRITE_PROTECTED = 0x2, CKF_PROTECTED_AUTHENTICATION_PATH = 0x100, CKF_USER_PIN_COUNT_LOW = 0x10000,
	CKF_USER_PIN_FINAL_TRY = 0x20000, CKF_USER_PIN_LOCKED = 0x40000, CKF_USER_PIN_TO_BE_CHANGED = 0x80000
};

enum { CKU_USER = 1, CKU_CONTEXT_SPECIFIC = 2 };
enum { CKA_CLASS = 0x0, CKA_LABEL = 0x3, CKA_ID = 0x102, CKA_ALWAYS_AUTHENTICATE = 0x202 };
enum { CKO_PRIVATE_KEY = 3 };

enum {
	CKM_RSA_PKCS = 0x1, CKM_RSA_X_509 = 0x3, CKM_RSA_PKCS_PSS = 0xD, CKM_SHA1_RSA_PKCS_PSS = 0xE,
	CKM_SHA256_RSA_PKCS = 0x40, CKM_SHA512_RSA_PKCS = 0x42, CKM_SHA256_RSA_PKCS_PSS = 0x43, CKM_SHA512_RSA_PKCS_PSS = 0x45,
	CKM_SHA224_RSA_PKCS = 0x46, CKM_SHA224_RSA_PKCS_PSS = 0x47, CKM_ECDSA = 0x1041, CKM_ECDSA_SHA512 = 0x1046
};

#endif
