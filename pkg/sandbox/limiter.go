package sandbox

import (
	"sync"
	"time"
)

// limiter lets a number of calls through each second, as many at once as a
// second holds. It runs on real time: --clock is for certificates.
type limiter struct {
	mu     sync.Mutex
	rate   float64 // 0: no limit
	tokens float64
	last   time.Time
}

func newLimiter(rate int) *limiter {
	return &limiter{rate: float64(rate), tokens: float64(rate), last: time.Now()}
}

func (l *limiter) allow() bool {
	if l.rate == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.tokens = min(l.rate, l.tokens+now.Sub(l.last).Seconds()*l.rate)
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}
