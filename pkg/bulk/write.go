package bulk

import (
	"context"
	"time"
)

// Write is one kind of write. Its methods are called for several batches at a
// time.
type Write interface {
	// Do carries it out on items that share a request, and reports each of them
	// once. The error is what would stop every further batch as well: items that
	// it left alone are reported as Skipped, or as Failed when they were refused.
	//
	// When ctx ends, what is in flight is finished and read back; nothing new is
	// sent.
	Do(ctx context.Context, items []Item, gate Gate, report func(Result)) error

	// Settle finds out, by reading alone, what became of items whose request an
	// earlier run sent and had no answer of. It reports those that are settled.
	// What it returns had nothing done to it and may be sent now.
	Settle(ctx context.Context, items []Item, sent time.Time, report func(Result)) ([]Item, error)
}

// Gate is what a batch passes on its way. A run limits and journals there. Each
// done gives the place back.
type Gate interface {
	// Ask is passed before a request that has no signature. A gateway that signs
	// by itself carries it out, so the journal has it before.
	Ask(context.Context) (done func(), err error)
	// Sign is passed before the key is used.
	Sign(context.Context) (done func(), err error)
	// Send is passed before the signed request; the journal has it before.
	Send(context.Context) (done func(), err error)
	// Together gathers what several batches want of the gateway at about the same
	// time: do is called once, with x among the others, and has returned when
	// Together does. alone tells it that nothing else is under way meanwhile.
	Together(ctx context.Context, x any, do func(all []any, alone bool))
}
