package cmdutil

import "context"

// Ordered hands what each gives to work, n at a time, and what comes of it to
// emit, in the order of each. It waits for nothing but its turn, so that memory
// stays flat. An error of each or emit ends it.
func Ordered[T, R any](ctx context.Context, n int, each func(func(T) error) error, work func(context.Context, T) R, emit func(R) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan chan R, n)
	ended := make(chan error, 1)
	go func() {
		defer close(queue)
		ended <- each(func(x T) error {
			out := make(chan R, 1)
			select { // a place in the queue is one to work in
			case queue <- out:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			go func() { out <- work(ctx, x) }()
			return nil
		})
	}()
	var stop error
	for out := range queue {
		done := <-out
		if stop != nil {
			continue // until each has noticed
		}
		if stop = emit(done); stop != nil {
			cancel()
		}
	}
	if err := <-ended; stop == nil {
		stop = err
	}
	return stop
}
