package remote

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"time"
)

// errOver is for a transport that still reads when the service has answered.
var errOver = errors.New("the request is over")

// errStalled ends a request whose service neither takes nor gives anything.
var errStalled = errors.New("the service did not answer in time")

// watch ends a request that makes no progress. It runs while the service is waited for, and rests while the client is: who
// watches over the client is the server.
type watch struct {
	cancel          context.CancelCauseFunc
	patience, stall time.Duration
	timer           *time.Timer
}

func newWatch(cancel context.CancelCauseFunc, patience, stall time.Duration) *watch {
	return &watch{cancel: cancel, patience: patience, stall: stall}
}

// begin starts it. With a content, connecting and each piece of it has a time; the answer has its own once all is sent.
func (w *watch) begin(sent bool) {
	d := w.stall
	if sent {
		d = w.patience
	}
	w.timer = time.AfterFunc(d, func() { w.cancel(errStalled) })
}

func (w *watch) rest() { w.timer.Stop() }

// piece waits for the service to take, or give, the next piece.
func (w *watch) piece() { w.timer.Reset(w.stall) }

// sent waits for the answer.
func (w *watch) sent() { w.timer.Reset(w.patience) }

func (w *watch) answered() { w.timer.Stop() }

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// outgoing is a content on its way to the service.
type outgoing struct {
	r    io.Reader
	size int64 // on the wire
	hash string

	watch *watch
	given atomic.Int64
	begun atomic.Bool
	over  atomic.Bool // the request has ended, and the content is its owner's again
	err   atomic.Pointer[error]
}

// inMemory is a content that can be sent again.
func inMemory(text []byte, hash string) *outgoing {
	return &outgoing{r: &rewinding{text: text}, size: int64(len(text)), hash: hash}
}

type rewinding struct {
	text []byte
	pos  int
}

func (r *rewinding) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.pos:])
	if r.pos += n; n == 0 && len(p) > 0 {
		r.pos = 0
		return 0, io.EOF
	}
	return n, nil
}

// Read gives the next bytes to the transport.
func (o *outgoing) Read(p []byte) (int, error) {
	if o.over.Load() {
		return 0, errOver
	}
	o.begun.Store(true)
	o.watch.rest() // now the client is waited for
	n, err := o.r.Read(p)
	o.given.Add(int64(n))
	switch {
	case err == nil:
		o.watch.piece()
	case errors.Is(err, io.EOF):
		o.watch.sent()
	default:
		o.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close does nothing: the content belongs to who gave it.
func (*outgoing) Close() error { return nil }

// complete says that all of it was given, which it only is when it proved right.
func (o *outgoing) complete() bool { return o.given.Load() >= o.size }

func (o *outgoing) started() bool {
	_, again := o.r.(*rewinding)
	return o.begun.Load() && !again
}

// failed is what was wrong with the content, if anything was.
func (o *outgoing) failed() error {
	if p := o.err.Load(); p != nil {
		return *p
	}
	return nil
}

// incoming is a content on its way from the service.
type incoming struct {
	r       io.ReadCloser
	left    int64 // −1 when it was not announced
	watch   *watch
	release func()
	closed  bool
}

// Read gives the next bytes. A content that ends before its announced length is an error.
func (i *incoming) Read(p []byte) (int, error) {
	i.watch.piece()
	n, err := i.r.Read(p)
	i.watch.rest()
	if i.left >= 0 {
		i.left -= int64(n)
		if errors.Is(err, io.EOF) && i.left > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// How much is moved between two looks at the clock: more while it goes quickly, since each look costs, and less for a client
// that is slow, since whoever takes less than that in a stall's time is taken for gone.
const (
	leastSpliced = 64 << 10
	firstSpliced = 256 << 10
	mostSpliced  = 1 << 20
)

// WriteTo moves the content to a writer, in the kernel where both ends are sockets.
func (i *incoming) WriteTo(w io.Writer) (total int64, err error) {
	c, ok := i.r.(*content)
	if !ok || c.encoded != nil {
		return io.Copy(w, struct{ io.Reader }{i})
	}
	piece := int64(firstSpliced)
	for i.left > 0 {
		begun := time.Now()
		i.watch.piece()
		n, err := c.splice(w, piece)
		i.watch.rest()
		switch took := time.Since(begun); {
		case took < 100*time.Millisecond:
			piece = mostSpliced
		case took > 2*time.Second:
			piece = leastSpliced
		}
		total += n
		i.left -= n
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return total, err
		}
	}
	return total, nil
}

// Close gives the connection back; what was not read is not waited for.
func (i *incoming) Close() error {
	if i.closed {
		return nil
	}
	i.closed = true
	err := i.r.Close()
	i.release()
	return err
}

// hold keeps the last byte of a content back until the reader behind it has said that all was right. A service that gets
// one byte less than was announced has no object.
type hold struct {
	r     io.Reader
	size  int64 // still to be given
	ended bool
}

func (h *hold) Read(p []byte) (int, error) {
	if h.size == 0 {
		if !h.ended {
			if err := h.end(); err != nil {
				return 0, err
			}
		}
		return 0, io.EOF
	}
	if h.size > 1 {
		if int64(len(p)) > h.size-1 {
			p = p[:h.size-1]
		}
		n, err := h.r.Read(p)
		h.size -= int64(n)
		if err != nil && n < len(p) && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
		return n, err
	}
	var last [1]byte
	if _, err := io.ReadFull(h.r, last[:]); err != nil {
		return 0, unexpected(err)
	}
	if err := h.end(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, io.ErrShortBuffer
	}
	p[0] = last[0]
	h.size = 0
	return 1, nil
}

// end reads past the last byte, where the reader has its say.
func (h *hold) end() error {
	h.ended = true
	var one [1]byte
	for range 100 {
		n, err := h.r.Read(one[:])
		switch {
		case n > 0:
			return fault("IncompleteBody").because(errors.New("the content is longer than announced"))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// trailed puts a content into aws-chunked encoding with its checksum after it. The value is known when the content was
// read.
type trailed struct {
	r       io.Reader
	left    int64
	name    string
	value   func() (string, error)
	pending []byte // of the encoding, to be given next
	inChunk int64
	stage   int
}

// chunkSize is what each chunk but the last has.
const chunkSize = 1 << 20

// trailedSize is the length of a content in this encoding.
func trailedSize(size int64, name string, valueLength int) int64 {
	total := int64(0)
	if full := size / chunkSize; full > 0 {
		total += full * int64(len(strconv.FormatInt(chunkSize, 16))+2+chunkSize+2)
	}
	if rest := size % chunkSize; rest > 0 {
		total += int64(len(strconv.FormatInt(rest, 16))) + 2 + rest + 2
	}
	return total + 3 + int64(len(name)) + 1 + int64(valueLength) + 2 + 2 // 0 CRLF, name:value CRLF, CRLF
}

// Read gives the next bytes of the encoding.
func (t *trailed) Read(p []byte) (int, error) {
	for {
		if len(t.pending) > 0 {
			n := copy(p, t.pending)
			t.pending = t.pending[n:]
			return n, nil
		}
		switch {
		case t.inChunk > 0:
			if int64(len(p)) > t.inChunk {
				p = p[:t.inChunk]
			}
			n, err := t.r.Read(p)
			t.inChunk -= int64(n)
			t.left -= int64(n)
			if t.inChunk == 0 {
				t.pending = []byte("\r\n")
			}
			if errors.Is(err, io.EOF) {
				if err = nil; t.inChunk > 0 {
					err = io.ErrUnexpectedEOF
				}
			}
			return n, err
		case t.left > 0:
			t.inChunk = min(t.left, chunkSize)
			t.pending = append(strconv.AppendInt(nil, t.inChunk, 16), "\r\n"...)
		case t.stage == 0:
			t.stage = 1
			h := hold{r: t.r}
			if err := h.end(); err != nil {
				return 0, err
			}
			value, err := t.value()
			if err != nil {
				return 0, err
			}
			t.pending = []byte("0\r\n" + t.name + ":" + value + "\r\n\r\n")
		default:
			return 0, io.EOF
		}
	}
}

var _ io.ReadCloser = (*outgoing)(nil)

// plain is the content as the service gets it when its checksum is known, or there is none. One without bytes is proved at
// once, since nothing of it can be held back.
func plain(r io.Reader, size int64) (*outgoing, error) {
	h := &hold{r: r, size: size}
	if size == 0 {
		if err := h.end(); err != nil {
			return nil, err
		}
	}
	return &outgoing{r: h, size: size, hash: unsigned}, nil
}
