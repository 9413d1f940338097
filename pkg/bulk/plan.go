package bulk

// Facts are what the input tells of an item besides its name; empty: not told.
type Facts struct {
	State        string // "active", "on hold", "revoked"
	Issuer       string
	Organisation string
}

// Sink takes the items of a plan as they are resolved, in their order.
type Sink interface {
	// Add takes one; false when its Key is in the plan, or excluded, already.
	// Index is set here.
	Add(Item, Facts) (bool, error)
	// Exclude notes an item that the officer keeps out, and why.
	Exclude(Item, string) error
}
