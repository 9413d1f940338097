package p11

import (
	"errors"
	"fmt"
)

// RV is a return value of PKCS#11 that is not CKR_OK: an error.
type RV uint64

// The return values that cmctl acts on.
const (
	HostMemory           RV = 0x2
	SlotIDInvalid        RV = 0x3
	GeneralError         RV = 0x5
	FunctionFailed       RV = 0x6
	ArgumentsBad         RV = 0x7
	CantLock             RV = 0xa
	AttributeSensitive   RV = 0x11
	AttributeTypeInvalid RV = 0x12
	DataLenRange         RV = 0x21
	DeviceError          RV = 0x30
	DeviceRemoved        RV = 0x32
	FunctionCanceled     RV = 0x50
	FunctionNotSupported RV = 0x54
	KeyHandleInvalid     RV = 0x60
	KeyTypeInconsistent  RV = 0x63
	KeyNotPermitted      RV = 0x68
	MechanismInvalid     RV = 0x70
	MechanismParam       RV = 0x71
	ObjectHandleInvalid  RV = 0x82
	OperationActive      RV = 0x90
	OperationNotInit     RV = 0x91
	PINIncorrect         RV = 0xa0
	PINInvalid           RV = 0xa1
	PINLenRange          RV = 0xa2
	PINExpired           RV = 0xa3
	PINIsLocked          RV = 0xa4
	SessionClosed        RV = 0xb0
	SessionCount         RV = 0xb1
	SessionHandleInvalid RV = 0xb3
	TokenNotPresent      RV = 0xe0
	TokenNotRecognized   RV = 0xe1
	AlreadyLoggedIn      RV = 0x100
	NotLoggedIn          RV = 0x101
	PINNotInitialized    RV = 0x102
	AnotherLoggedIn      RV = 0x104
	NotInitialized       RV = 0x190
	AlreadyInitialized   RV = 0x191
)

var names = map[RV]string{
	HostMemory: "CKR_HOST_MEMORY", SlotIDInvalid: "CKR_SLOT_ID_INVALID", GeneralError: "CKR_GENERAL_ERROR",
	FunctionFailed: "CKR_FUNCTION_FAILED", ArgumentsBad: "CKR_ARGUMENTS_BAD", CantLock: "CKR_CANT_LOCK",
	AttributeSensitive: "CKR_ATTRIBUTE_SENSITIVE", AttributeTypeInvalid: "CKR_ATTRIBUTE_TYPE_INVALID",
	DataLenRange: "CKR_DATA_LEN_RANGE", DeviceError: "CKR_DEVICE_ERROR", DeviceRemoved: "CKR_DEVICE_REMOVED",
	FunctionCanceled: "CKR_FUNCTION_CANCELED", FunctionNotSupported: "CKR_FUNCTION_NOT_SUPPORTED",
	KeyHandleInvalid: "CKR_KEY_HANDLE_INVALID", KeyTypeInconsistent: "CKR_KEY_TYPE_INCONSISTENT",
	KeyNotPermitted: "CKR_KEY_FUNCTION_NOT_PERMITTED", MechanismInvalid: "CKR_MECHANISM_INVALID",
	MechanismParam: "CKR_MECHANISM_PARAM_INVALID", ObjectHandleInvalid: "CKR_OBJECT_HANDLE_INVALID",
	OperationActive: "CKR_OPERATION_ACTIVE", OperationNotInit: "CKR_OPERATION_NOT_INITIALIZED",
	PINIncorrect: "CKR_PIN_INCORRECT", PINInvalid: "CKR_PIN_INVALID", PINLenRange: "CKR_PIN_LEN_RANGE",
	PINExpired: "CKR_PIN_EXPIRED", PINIsLocked: "CKR_PIN_LOCKED", SessionClosed: "CKR_SESSION_CLOSED",
	SessionCount: "CKR_SESSION_COUNT", SessionHandleInvalid: "CKR_SESSION_HANDLE_INVALID",
	TokenNotPresent: "CKR_TOKEN_NOT_PRESENT", TokenNotRecognized: "CKR_TOKEN_NOT_RECOGNIZED",
	AlreadyLoggedIn: "CKR_USER_ALREADY_LOGGED_IN", NotLoggedIn: "CKR_USER_NOT_LOGGED_IN",
	PINNotInitialized: "CKR_USER_PIN_NOT_INITIALIZED", AnotherLoggedIn: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
	NotInitialized: "CKR_CRYPTOKI_NOT_INITIALIZED", AlreadyInitialized: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
}

// Error is the name, for those that have one here, and the number.
func (r RV) Error() string {
	if n, ok := names[r]; ok {
		return fmt.Sprintf("%s (0x%x)", n, uint64(r))
	}
	return fmt.Sprintf("return value 0x%x", uint64(r))
}

// Code is the return value within an error; 0 when there is none.
func Code(err error) RV {
	var r RV
	errors.As(err, &r)
	return r
}

// PINRefused tells the values that mean: this PIN is not the token's.
func (r RV) PINRefused() bool { return r == PINIncorrect || r == PINInvalid || r == PINLenRange }

// ContextError is an error of the login that a key wants for each signature,
// as opposed to one of the signature.
type ContextError struct{ Err error }

// Error is that of the cause.
func (e *ContextError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ContextError) Unwrap() error { return e.Err }

// HungError is a module that gave no answer within its time.
type HungError struct{ Call string }

// Error says which call it was.
func (e *HungError) Error() string { return e.Call + " did not return" }

// EndedError is a module whose process ended by itself.
type EndedError struct{ How string }

// Error says how.
func (e *EndedError) Error() string { return e.How }

// LoadError is a module that cannot be loaded.
type LoadError struct{ Reason string }

// Error is the reason.
func (e *LoadError) Error() string { return e.Reason }
