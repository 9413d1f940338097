package bulk

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cmctl/cmctl/pkg/exit"
)

// stepped is a closed job of six items whose journal ends with the answer of
// its second batch.
func stepped(t *testing.T) (dir string, data []byte) {
	t.Helper()
	j := plan(t, t.TempDir(), 6, 3, 1)
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, r := range []record{
		{Type: recRun, At: at},
		{Type: recSent, At: at, Batch: 1, Indexes: ranges{{0, 2}}},
		{Type: recSent, At: at, Batch: 2, Indexes: ranges{{3, 5}}},
		{Type: recAnswered, At: at, Batch: 1, Done: ranges{{0, 2}}},
		{Type: recAnswered, At: at, Batch: 2, Done: ranges{{3, 3}}, Wrong: []wrong{{Index: 4, Outcome: Failed, Code: 907, Exit: 5, Message: "no such \"one\""}}},
	} {
		if err := j.out.append(r, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(j.dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	return j.dir, data
}

func TestTornTail(t *testing.T) {
	dir, data := stepped(t)
	path := filepath.Join(dir, JournalFile)
	last := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	before := []state{done, done, done, under, under, under}
	for cut := last; cut <= len(data); cut++ {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(dir)
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, len(data), err)
		}
		want, size := before, last
		if cut == len(data) {
			want, size = []state{done, done, done, done, failed, under}, cut
		}
		if !slices.Equal(j.state, want) {
			t.Errorf("cut at %d: %v; want %v", cut, j.state, want)
		}
		if err := j.out.append(record{Type: recEnd}, true); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		now, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(now[:size], data[:size]) || !bytes.HasPrefix(now[size:], []byte(`{"t":"end"`)) {
			t.Errorf("cut at %d: goes on with %q, %v", cut, now[size:], err)
		}
	}
	// Of a last line whose blocks came to disk in another order, only the end is there.
	torn := slices.Clone(data)
	clear(torn[last : len(torn)-20])
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := Open(dir)
	if err != nil || !slices.Equal(j.state, before) {
		t.Fatalf("%v", err)
	}
	_ = j.Close()
}

func TestGarbageInTheMiddle(t *testing.T) {
	dir, data := stepped(t)
	path := filepath.Join(dir, JournalFile)
	lines := bytes.SplitAfter(data, []byte("\n"))
	for i, line := range lines[:len(lines)-2] {
		for what, bad := range map[string][]byte{"no JSON": append(bytes.Repeat([]byte{0}, len(line)-1), '\n'), "half": append(slices.Clone(line[:len(line)/2]), '\n')} {
			all := slices.Clone(lines)
			all[i] = bad
			if err := os.WriteFile(path, bytes.Join(all, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if j, err := Open(dir); err == nil {
				t.Errorf("line %d, %s: %v", i+1, what, j.state)
				_ = j.Close()
			} else if exit.Of(err) != exit.Usage || !bytes.Contains([]byte(err.Error()), []byte(path)) {
				t.Errorf("line %d, %s: %v", i+1, what, err)
			}
		}
	}
	// Items that the plan does not have.
	bad := bytes.Replace(data, []byte(`"i":"3-5"`), []byte(`"i":"3-6"`), 1)
	if err := os.WriteFile(path, bad, 0o600); err != nil || bytes.Equal(bad, data) {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("an index outside of the plan was taken")
	}
}

// slow is a store whose first sync lasts until it is told to end.
type slow struct {
	memory
	begun, end chan struct{}
	once       sync.Once
	mu         sync.Mutex
	syncs      int
}

func (s *slow) Sync() error {
	s.once.Do(func() { close(s.begun); <-s.end })
	s.mu.Lock()
	s.syncs++
	s.mu.Unlock()
	return nil
}

func TestGroupCommit(t *testing.T) {
	s := &slow{begun: make(chan struct{}), end: make(chan struct{})}
	l := newAppender(s, "", 0)
	const n = 50
	var wg sync.WaitGroup
	put := func(i int) {
		if err := l.append(record{Type: recSent, Batch: i}, true); err != nil {
			t.Error(err)
		}
	}
	wg.Go(func() { put(1) })
	<-s.begun
	for i := 2; i <= n; i++ {
		wg.Go(func() { put(i) })
	}
	for lines := 0; lines < n-1; runtime.Gosched() { // all the others are queued
		l.mu.Lock()
		lines = bytes.Count(l.buf.Bytes(), []byte("\n"))
		l.mu.Unlock()
	}
	close(s.end)
	wg.Wait()
	if s.syncs != 2 {
		t.Errorf("%d syncs for %d records; want 2: of the first, and of all the others", s.syncs, n)
	}
	seen := map[int]bool{}
	for i, line := range bytes.Split(bytes.TrimSpace(s.data), []byte("\n")) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil || seen[r.Batch] || i == 0 && r.Batch != 1 {
			t.Errorf("record %d: %s, %v", i, line, err)
		}
		seen[r.Batch] = true
	}
	if len(seen) != n {
		t.Errorf("%d records; want %d", len(seen), n)
	}
}

// full is a disk with no more room than so many bytes.
type full struct {
	*os.File
	mu   sync.Mutex
	room int
}

func (f *full) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) <= f.room {
		f.room -= len(p)
		return f.File.Write(p)
	}
	n, _ := f.File.Write(p[:f.room])
	f.room = 0
	return n, syscall.ENOSPC
}

// A disk that is full stops the run before what cannot be noted is sent, and
// leaves a journal of whole records.
func TestFullDisk(t *testing.T) {
	for room := 0; room < 2000; room += 37 {
		w := newWorld(uint64(room))
		j := plan(t, t.TempDir(), 40, 4, 1)
		j.out.s = &full{File: j.store.(*os.File), room: room}
		err := j.Run(t.Context(), &write{w: w}, Options{Parallel: 1 + room%3}, func(Result) {})
		if !errors.Is(err, syscall.ENOSPC) || exit.Of(err) != exit.Failure {
			t.Fatalf("room for %d bytes: %v", room, err)
		}
		_ = j.Close()
		data, err := os.ReadFile(filepath.Join(j.dir, JournalFile))
		if err != nil || data[len(data)-1] != '\n' {
			t.Fatalf("room for %d bytes: half of a record is left: %v", room, err)
		}
		again, err := Open(j.dir)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range again.state {
			if key := 10001 + i; s == open && w.executed[strconv.Itoa(key)] > 0 {
				t.Errorf("room for %d bytes: %d was written, and the journal knows of nothing", room, key)
			}
		}
		if err := again.Run(t.Context(), &write{w: w}, Options{}, func(Result) {}); err != nil {
			t.Fatal(err)
		}
		w.once(t, 40)
		_ = again.Close()
	}
}

// A plan that was changed after it was frozen is refused: an item, its reason,
// the digest in the header, or one more behind it.
func TestChangedPlan(t *testing.T) {
	dir, data := stepped(t)
	path := filepath.Join(dir, JournalFile)
	header := bytes.Index(data, []byte(`{"t":"job"`))
	sum := bytes.Index(data, []byte(`"sha256":"`)) + len(`"sha256":"`)
	other := slices.Clone(data)
	copy(other[sum:], bytes.Repeat([]byte("0"), 64))
	end := header + bytes.IndexByte(data[header:], '\n') + 1
	for what, bad := range map[string][]byte{
		"a key":         bytes.Replace(data, []byte(`"k":"10001"`), []byte(`"k":"10901"`), 1),
		"two keys":      bytes.Replace(bytes.Replace(data, []byte(`"k":"10001"`), []byte(`"k":"x"`), 1), []byte(`"k":"10002"`), []byte(`"k":"10001"`), 1),
		"a reason":      bytes.Replace(data, []byte(`"g":"group0"`), []byte(`"g":"group1"`), 1),
		"all reasons":   bytes.ReplaceAll(data, []byte(`"g":"group0"`), []byte(`"g":"group1"`)),
		"the digest":    other,
		"one item more": slices.Concat(data[:end], []byte(`{"t":"items","items":[{"k":"99"}],"crc":"00000000"}`+"\n"), data[end:]),
	} {
		if bytes.Equal(bad, data) {
			t.Fatalf("%s: nothing was changed", what)
		}
		refused(t, dir, path, bad, what, "it was changed since it was written")
		refused(t, dir, path, resealed(bad), what+", with its checksum", "plan was changed after it was frozen")
	}
}

// refused wants a journal like that not to be taken up.
func refused(t *testing.T, dir, path string, bad []byte, what, why string) {
	t.Helper()
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string) (*Job, error){"Open": Open, "Read": Read} {
		if j, err := open(dir); err == nil {
			t.Errorf("%s of a journal with %s changed: taken", name, what)
			_ = j.Close()
		} else if exit.Of(err) != exit.Usage || !strings.Contains(err.Error(), why) {
			t.Errorf("%s of a journal with %s changed: %v", name, what, err)
		}
	}
}

// resealed gives every line of a journal the checksum of what it says now.
func resealed(data []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		out.Write(seal(append(bytes.Clone(line[:len(line)-len(sealed)-1]), '}')))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// One bit of which items were done is enough to lose the others: it is found out,
// unless it is in the last line, which is as good as torn.
func TestChangedStep(t *testing.T) {
	dir, data := stepped(t)
	path := filepath.Join(dir, JournalFile)
	n := 0
	for at, line := 0, []byte(nil); at < len(data); at += len(line) {
		line = data[at : at+bytes.IndexByte(data[at:], '\n')+1]
		i := bytes.IndexByte(line, '1')
		if at+len(line) == len(data) || i < 0 || bytes.HasPrefix(line, []byte(`{"t":"cmctl`)) {
			continue
		}
		bad := bytes.Clone(data)
		bad[at+i] ^= 2
		refused(t, dir, path, bad, string(line), "it was changed since it was written")
		n++
	}
	if n < 5 {
		t.Errorf("%d lines tried", n)
	}
}
