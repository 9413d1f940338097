package clitest

import (
	"io"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"
)

// counter passes connections on to the sandbox and counts them: each is a
// handshake, for which an officer's card may have to sign.
type counter struct {
	listener net.Listener
	count    atomic.Int64
}

type counterKey struct{}

// cmdCounter is `counter`: from here on $COUNTED is an URL that leads to the
// sandbox and counts connections.
func cmdCounter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: counter")
	}
	u, err := url.Parse(ts.Getenv("URL"))
	ts.Check(err)
	sandbox := u.Host
	c := ts.Value(counterKey{}).(*counter)
	c.listener, err = net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = c.listener.Close() })
	go func() {
		for {
			conn, err := c.listener.Accept()
			if err != nil {
				return
			}
			c.count.Add(1)
			go pass(conn, sandbox)
		}
	}()
	u.Host = c.listener.Addr().String()
	ts.Setenv("COUNTED", u.String())
}

func pass(conn net.Conn, host string) {
	defer func() { _ = conn.Close() }()
	on, err := net.Dial("tcp", host)
	if err != nil {
		return
	}
	defer func() { _ = on.Close() }()
	go func() {
		_, _ = io.Copy(on, conn)
		_ = on.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(conn, on)
}

// cmdConnections is `connections N`: N were counted since the last time.
func cmdConnections(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: connections N")
	}
	want, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	if got := ts.Value(counterKey{}).(*counter).count.Swap(0); got != want {
		ts.Fatalf("%d connections, want %d", got, want)
	}
}
