package trail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// Hash is that of one entry of the log: SHA-256 over the hash of the entry before it and the entry's own bytes.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Head is the end of a log's chain, or was at some time. Who keeps a head elsewhere can tell later whether everything up
// to it is still there, unaltered. Entry counts the lines of the log from 1.
type Head struct {
	Node  string
	Entry uint64
	Hash  Hash
}

// String is the head in one word: the node, the number of the entry and its hash.
func (h Head) String() string { return fmt.Sprintf("%s:%d:%s", h.Node, h.Entry, h.Hash) }

// ParseHead reads what String wrote.
func ParseHead(s string) (h Head, err error) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 || !isNode(parts[0]) {
		return h, fmt.Errorf("%.100q is not the head of an audit log: that is NODE:ENTRY:HASH", s)
	}
	h.Node = parts[0]
	if h.Entry, err = strconv.ParseUint(parts[1], 10, 63); err != nil || h.Entry == 0 {
		return h, fmt.Errorf("%.100q is not the head of an audit log: its entry is not a number", s)
	}
	if !h.Hash.read([]byte(parts[2])) {
		return h, fmt.Errorf("%.100q is not the head of an audit log: its hash is not 64 hexadecimal digits", s)
	}
	return h, nil
}

// A line of the log is an entry, a JSON object, into which its hash is written as the last member, and a newline. What
// is hashed is the object without that member.
const (
	chainMember = `,"chain":"`
	chainEnd    = "\"}\n"
	chainSize   = len(chainMember) + 2*sha256.Size + len(chainEnd)
)

// maxLine bounds a line, in bytes; the largest records are those of batch deletions, of less than half of that.
const maxLine = 4 << 20

// chain hashes entries one after the other. It is not safe for concurrent use.
type chain struct {
	head   Hash
	digest hash.Hash
}

func newChain(head Hash) *chain { return &chain{head: head, digest: sha256.New()} }

// appendLine adds an entry to the chain and its line to b.
func (c *chain) appendLine(b, entry []byte) []byte {
	c.add(entry)
	b = append(append(b, entry[:len(entry)-1]...), chainMember...)
	b = hex.AppendEncode(b, c.head[:])
	return append(b, chainEnd...)
}

func (c *chain) add(entry ...[]byte) {
	c.digest.Reset()
	_, _ = c.digest.Write(c.head[:])
	for _, part := range entry {
		_, _ = c.digest.Write(part)
	}
	c.digest.Sum(c.head[:0])
}

// follows takes a line into the chain and reports whether it continues it.
func (c *chain) follows(line []byte) bool {
	begin, stated, ok := parseLine(line)
	if !ok {
		return false
	}
	c.add(begin, []byte("}"))
	return c.head == stated
}

// parseLine takes a line apart: the entry without its last bracket, and the hash that the line states.
func parseLine(line []byte) (begin []byte, stated Hash, ok bool) {
	at := len(line) - chainSize
	if at < 1 || line[0] != '{' || string(line[at:at+len(chainMember)]) != chainMember || string(line[len(line)-len(chainEnd):]) != chainEnd {
		return nil, stated, false
	}
	if !stated.read(line[at+len(chainMember) : len(line)-len(chainEnd)]) {
		return nil, stated, false
	}
	return line[:at], stated, true
}

func (h *Hash) read(digits []byte) bool {
	if len(digits) != 2*len(h) {
		return false
	}
	_, err := hex.Decode(h[:], digits)
	return err == nil
}

// entryOf is the entry of a line as it was appended. It writes over the line.
func entryOf(line []byte) ([]byte, bool) {
	begin, _, ok := parseLine(line)
	if !ok {
		return nil, false
	}
	return append(begin, '}'), true
}

// note is an entry that the log writes about itself. The first line of each segment is one.
type note struct {
	Version int    `json:"lakegateLog"`
	Kind    string `json:"kind"`
	Node    string `json:"node"`
	Segment uint64 `json:"segment"`
	// Entry is the number of this line in the log.
	Entry uint64 `json:"entry"`
	// Oldest is the oldest segment that the log keeps: those before it were removed when their time was over.
	Oldest uint64 `json:"oldest"`
	// Previous is the hash of the entry before, which the chain has as well: for whoever has the segment alone.
	Previous string `json:"previous,omitempty"`
	Time     string `json:"time"`
	Detail   string `json:"detail,omitempty"`
}

// The kinds of notes.
const (
	noteSegment = "segment" // a segment begins
	noteRemoved = "removed" // segments before Oldest are about to be removed, since their time is over
	noteCut     = "cut"     // a start cut off lines that no write had completed
	noteDamage  = "damage"  // a start found a line that does not continue the chain, and left it where it is
	noteMissing = "missing" // a start found that the log lacks entries that the database knows of
)

var noteKinds = []string{noteSegment, noteRemoved, noteCut, noteDamage, noteMissing}

const logVersion = 1

var notePrefix = []byte(`{"lakegateLog":`)

func isNote(entry []byte) bool { return bytes.HasPrefix(entry, notePrefix) }

// parseNote reads a note from its line.
func parseNote(line []byte) (n note, err error) {
	begin, _, ok := parseLine(line)
	if !ok || !isNote(begin) {
		return n, errors.New("not a note of the log")
	}
	return noteIn(append(begin[:len(begin):len(begin)], '}'))
}

// noteIn reads a note from its entry.
func noteIn(entry []byte) (n note, err error) {
	if err := json.Unmarshal(entry, &n); err != nil {
		return n, fmt.Errorf("a note of the log: %w", err)
	}
	if n.Version != logVersion {
		return n, fmt.Errorf("a log of version %d, which this program does not know", n.Version)
	}
	return n, nil
}

// isNode reports whether a text can be the id of a node: 16 hexadecimal digits.
func isNode(s string) bool {
	if len(s) != 16 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
