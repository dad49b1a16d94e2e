package ldap

import (
	"fmt"
	"net"
	"sync/atomic"
)

const (
	// maxMessage bounds one message, which is at most one entry with all its values: a group of 100,000 members has about
	// 8 MB.
	maxMessage = 16 << 20
	// maxAnswer bounds everything that comes in answer to one request, which is a page.
	maxAnswer = 128 << 20
)

// guard watches what a server sends: each message has to be a definite-length SEQUENCE within bounds, and what comes
// between two requests may not be endless. The LDAP library takes any length, and memory with it.
type guard struct {
	net.Conn
	// left is what may still come before the next request.
	left atomic.Int64
	// header are the bytes of a message's beginning that have been seen; body is what is missing of the message.
	header []byte
	body   int64
}

func newGuard(conn net.Conn) *guard {
	g := &guard{Conn: conn}
	g.allow()
	return g
}

// allow opens the budget of one more request.
func (g *guard) allow() { g.left.Store(maxAnswer) }

// Read implements net.Conn.
func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if g.left.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("the server answers one request with more than %d bytes", maxAnswer)
	}
	if bad := g.watch(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// watch follows the boundaries of the messages.
func (g *guard) watch(p []byte) error {
	for len(p) > 0 {
		if g.body > 0 {
			n := min(int64(len(p)), g.body)
			g.body -= n
			p = p[n:]
			continue
		}
		g.header, p = append(g.header, p[0]), p[1:]
		length, done, err := messageLength(g.header)
		if err != nil {
			return err
		}
		if done {
			g.header, g.body = g.header[:0], length
		}
	}
	return nil
}

// messageLength reads the beginning of an LDAP message (RFC 4511 §5.1: definite lengths only).
func messageLength(header []byte) (length int64, done bool, err error) {
	const sequence = 0x30
	if header[0] != sequence {
		return 0, false, fmt.Errorf("the server does not speak LDAP: a message begins with 0x%02x", header[0])
	}
	if len(header) == 1 {
		return 0, false, nil
	}
	if header[1] < 0x80 {
		return int64(header[1]), true, nil
	}
	size := int(header[1] & 0x7f)
	if size == 0 || size > 8 {
		return 0, false, fmt.Errorf("the server sends a message without a definite length")
	}
	if len(header) < 2+size {
		return 0, false, nil
	}
	for _, b := range header[2:] {
		if length = length<<8 | int64(b); length > maxMessage {
			return 0, false, fmt.Errorf("the server sends a message of more than %d bytes", maxMessage)
		}
	}
	return length, true, nil
}
