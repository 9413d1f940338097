package cmdutil

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
)

func upTo(n int) func(func(int) error) error {
	return func(emit func(int) error) error {
		for i := range n {
			if err := emit(i); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestOrdered: whatever is ready first, it comes in order, and no more are at
// work than may be.
func TestOrdered(t *testing.T) {
	const n, places = 200, 4
	var at, most atomic.Int64
	first := make(chan struct{})
	var got []int
	err := Ordered(t.Context(), places, upTo(n), func(_ context.Context, i int) int {
		most.Store(max(most.Load(), at.Add(1)))
		defer at.Add(-1)
		switch i {
		case 0:
			<-first // the others are done before
		case places:
			close(first)
		}
		return i
	}, func(i int) error {
		got = append(got, i)
		return nil
	})
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if most.Load() > places+2 { // one waits to be handed out, one to be queued
		t.Errorf("%d at work at a time", most.Load())
	}
}

// TestOrderedStops: an error of either side ends it, and nobody is left behind.
func TestOrderedStops(t *testing.T) {
	stop := errors.New("stop")
	seen := 0
	err := Ordered(t.Context(), 4, upTo(1000), func(_ context.Context, i int) int { return i }, func(i int) error {
		if seen++; i == 10 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 11 {
		t.Errorf("%v after %d", err, seen)
	}
	err = Ordered(t.Context(), 4, func(emit func(int) error) error {
		_ = emit(1)
		return stop
	}, func(_ context.Context, i int) int { return i }, func(int) error { return nil })
	if !errors.Is(err, stop) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Ordered(ctx, 1, upTo(1000), func(context.Context, int) int { return 0 }, func(int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
