package trail

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
)

// eventIDs makes random UUIDs, of version 4. It asks the system for many random bytes at once, which costs less than a
// call for each id.
type eventIDs struct {
	mu   sync.Mutex
	left []byte
	pool [1024]byte
}

func (g *eventIDs) next() string {
	var id [16]byte
	g.mu.Lock()
	if len(g.left) < len(id) {
		_, _ = rand.Read(g.pool[:]) // crypto/rand never fails
		g.left = g.pool[:]
	}
	g.left = g.left[copy(id[:], g.left):]
	g.mu.Unlock()
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
