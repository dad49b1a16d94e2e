package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/lakegate/lakegate/internal/gateway"
	"github.com/lakegate/lakegate/internal/storage"
)

// leastMoved is what a client has to send or take in the time that it has for a piece of a content. So a transfer ends
// that stands still, and one of a byte a second, and nothing bounds how long one may take that moves.
const leastMoved = 64 << 10

// refusedPatience is what is left for a client that goes on sending after its request was refused.
const refusedPatience = 2 * time.Second

// errSlow is what a client hears that sends too slowly.
var errSlow = &storage.Error{
	Code: "RequestTimeout", Status: http.StatusBadRequest,
	Message: "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.",
}

// pacedBody is the content of a request with a time for each piece of it. Only waiting for the client counts: while the
// storage takes its time, nobody reads here.
type pacedBody struct {
	io.ReadCloser
	conn     *http.ResponseController
	patience time.Duration
	whole    bool // the patience is for all of it and not for a piece

	set   time.Time     // when the deadline was set
	spare time.Duration // of the patience, then
	left  int           // of the piece
	ended bool
}

func newPacedBody(w http.ResponseWriter, body io.ReadCloser, patience time.Duration, now time.Time) *pacedBody {
	b := &pacedBody{ReadCloser: body, conn: http.NewResponseController(w), patience: patience}
	// Also for what nobody reads: net/http takes in the rest of a small content before it answers.
	b.begin(now)
	return b
}

// begin gives the client the time for a piece.
func (b *pacedBody) begin(now time.Time) {
	b.left = leastMoved
	b.allow(now, b.patience)
}

func (b *pacedBody) allow(now time.Time, d time.Duration) {
	b.set, b.spare = now, d
	_ = b.conn.SetReadDeadline(now.Add(d)) // of a connection that is there
}

// wholly makes the patience that of the whole content.
func (b *pacedBody) wholly() { b.whole = true }

// hurry leaves the client little time for the rest.
func (b *pacedBody) hurry(now time.Time) {
	if !b.ended {
		b.whole = true
		b.allow(now, refusedPatience)
	}
}

// Read gives the next bytes.
func (b *pacedBody) Read(p []byte) (int, error) {
	now := time.Now()
	// The time that passed here was not the client's.
	if now.Sub(b.set) > time.Second {
		b.allow(now, b.spare)
	}
	n, err := b.ReadCloser.Read(p)
	switch b.left -= n; {
	case errors.Is(err, io.EOF):
		// The time for a content is not one for the answer to it.
		b.ended = true
		_ = b.conn.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, errSlow
	case err == nil && b.left <= 0 && !b.whole:
		b.begin(time.Now())
	default:
		took := time.Since(now)
		b.set, b.spare = b.set.Add(took), b.spare-took
	}
	return n, err
}

// copies are the buffers of contents that the kernel cannot move by itself.
var copies = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// ReadFrom sends a content, without a copy through this process where both ends can.
func (w *statusWriter) ReadFrom(r io.Reader) (total int64, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	file, kernel := moves(r)
	if !kernel {
		buffer := copies.Get().(*[]byte)
		defer copies.Put(buffer)
		return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, *buffer)
	}
	for {
		w.await(time.Now())
		n, err := io.Copy(w.ResponseWriter, r)
		total += n
		// A file is sent as a whole. What was not sent of it in time goes on where it stopped, if enough was.
		if !file || n < leastMoved || !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
	}
}

// moves says whether the kernel moves a content to a connection by itself, and whether it is a file's.
func moves(r io.Reader) (file, kernel bool) {
	l, ok := r.(*io.LimitedReader)
	if !ok {
		return false, false
	}
	switch l.R.(type) {
	case *os.File:
		return true, true
	case *net.TCPConn:
		return false, true
	}
	return false, false
}

// await gives the client the time to take what is written next.
func (w *statusWriter) await(now time.Time) {
	w.set = now
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(now.Add(w.patience))
}

// awaitAgain is await for a little more of an answer: it is one that may have taken its time.
func (w *statusWriter) awaitAgain() {
	if now := time.Now(); now.Sub(w.set) > time.Second {
		w.await(now)
	}
}

// refused ends the claim of a request on the server's time: its place is free, and what its client still sends is waited for
// a moment only.
func (w *statusWriter) refused() {
	w.leave()
	if w.body != nil {
		w.body.hurry(time.Now())
	}
}

// leave gives the place of the request back.
func (w *statusWriter) leave() {
	if w.free != nil {
		w.free()
		w.free = nil
	}
}

// enter takes a place for a request that has none yet, if there is one.
func (d *apiDoor) enter(w *statusWriter) bool {
	if w.free != nil {
		return true
	}
	select {
	case d.slots <- struct{}{}:
		w.free = func() { <-d.slots }
		return true
	default:
		return false
	}
}

// arrive takes in what has a content that is read before anybody has proved who they are, the documents of the APIs and
// forms: slow ones must not take all places. left says that it was read; it may be called twice.
func (d *apiDoor) arrive(w *statusWriter, r *http.Request, isAPI bool, network string) (left func(), ok bool) {
	if w.body == nil || !isAPI && (r.Method != http.MethodPost || !gateway.IsForm(r.Header)) {
		return func() {}, true
	}
	if isAPI {
		w.body.wholly()
	}
	if !d.arrivals.Enter(network) {
		return nil, false
	}
	return sync.OnceFunc(func() { d.arrivals.Leave(network) }), true
}

// full answers a request for which there is no place.
func (d *apiDoor) full(w *statusWriter) {
	d.meter.refused.Inc()
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
}
