package trail

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/lakegate/lakegate/internal/trail/index"
)

// The kinds of terms by which records are found. They are part of what is on the disk.
const (
	kindAccount     = 'a' // whose copy it is
	kindPerson      = 'p' // user name, and id
	kindPrincipal   = 'c' // ARNs of the caller and its role, and their last parts
	kindKey         = 'k' // access key that signed, or was given out
	kindApplication = 'A' // ARN
	kindGrant       = 'g' // id
	kindEvent       = 'e'
	kindSource      = 's'
	kindDecision    = 'd' // refused and failed alone
	kindObject      = 'o' // bucket/key, and each beginning of it that ends with a slash
	kindRequest     = 'r' // request id, and event id
	kindAddress     = 'i'
	// kindRefused is a person or a principal together with a decision, since each of the two is everywhere and both
	// together are not.
	kindRefused = 'D'
)

// kindOfName says of which kind the texts are that stand under a name, wherever in a record, 0 for none: to find too much does
// no harm.
func kindOfName(name []byte) byte {
	switch string(name) {
	case "recipientAccountId":
		return kindAccount
	case KeyPersonName, KeyPersonID, "userId":
		return kindPerson
	case "arn", "userName":
		return kindPrincipal
	case "accessKeyId", KeyVendedKey:
		return kindKey
	case KeyApplication:
		return kindApplication
	case KeyGrantID:
		return kindGrant
	case "eventName":
		return kindEvent
	case "eventSource":
		return kindSource
	case KeyDecision:
		return kindDecision
	case "requestID", "eventID":
		return kindRequest
	case "sourceIPAddress":
		return kindAddress
	case "ARN", "key", "prefix", "bucketName":
		return kindObject
	}
	return 0
}

// maxLevels bounds how many beginnings of a key are terms.
const maxLevels = 16

// gathering of the terms of one record. What it holds is the record's memory.
type gathering struct {
	add     func(index.Term)
	bucket  []byte
	keys    [][]byte
	who     [][]byte
	refused bool
	at      time.Time
	first   struct{ keys, who [8][]byte }
}

// gather gives the terms of a record, and its time. It goes once through the record's texts, without reading it as a whole.
func gather(record []byte, add func(index.Term)) time.Time {
	g := gathering{add: add}
	g.keys, g.who = g.first.keys[:0], g.first.who[:0]
	eachText(record, g.text)
	var path []byte
	for _, key := range g.keys {
		path = append(append(append(path[:0], g.bucket...), '/'), key...)
		g.object(path)
	}
	if g.refused {
		for _, who := range g.who {
			add(index.TermOf(kindRefused, who))
		}
	}
	return g.at
}

func (g *gathering) text(name, value []byte) {
	if string(name) == "eventTime" {
		g.at, _ = time.Parse(timeFormat, string(value))
		return
	}
	kind := kindOfName(name)
	if kind == 0 {
		return
	}
	v := unescaped(value)
	switch kind {
	case kindObject:
		switch string(name) {
		case "bucketName":
			g.bucket = v
			g.object(append(append([]byte(nil), v...), '/'))
		case "ARN":
			if path, ok := bytes.CutPrefix(v, []byte("arn:aws:s3:::")); ok {
				g.object(path)
			}
		default:
			g.keys = append(g.keys, v)
		}
		return
	case kindDecision:
		if string(v) == DecisionAllowed {
			return
		}
		g.refused = true
	case kindPrincipal:
		if i := bytes.LastIndexByte(v, '/'); i >= 0 {
			g.principal(v[i+1:])
		}
		g.principal(v)
		return
	case kindPerson:
		g.who = append(g.who, v)
	}
	g.add(index.TermOf(kind, v))
}

func (g *gathering) principal(v []byte) {
	g.who = append(g.who, v)
	g.add(index.TermOf(kindPrincipal, v))
}

// object gives the terms of bucket/key.
func (g *gathering) object(path []byte) {
	g.add(index.TermOf(kindObject, path))
	for i, level := 0, 0; level < maxLevels; level++ {
		next := bytes.IndexByte(path[i:], '/')
		if next < 0 {
			return
		}
		i += next + 1
		g.add(index.TermOf(kindObject, path[:i]))
	}
}

// unescaped reads a JSON text without its quotes.
func unescaped(value []byte) []byte {
	if bytes.IndexByte(value, '\\') < 0 {
		return value
	}
	var s string
	if json.Unmarshal(append(append([]byte{'"'}, value...), '"'), &s) != nil {
		return value
	}
	return []byte(s)
}

// eachText visits the members of a record whose values are texts, however deep they stand, both as they are written.
func eachText(record []byte, visit func(name, value []byte)) {
	var name []byte
	for i := 0; i < len(record); {
		quote := bytes.IndexByte(record[i:], '"')
		if quote < 0 {
			return
		}
		begin := i + quote + 1
		end := endOfText(record, begin)
		if end < 0 {
			return
		}
		i = end + 1
		text := record[begin:end]
		switch {
		case i < len(record) && record[i] == ':':
			name = text
			i++
			if i < len(record) && record[i] != '"' {
				name = nil
			}
		case name != nil:
			visit(name, text)
			name = nil
		}
	}
}

// endOfText is where the quote is that ends a text.
func endOfText(record []byte, begin int) int {
	for i := begin; ; {
		quote := bytes.IndexByte(record[i:], '"')
		if quote < 0 {
			return -1
		}
		end := i + quote
		slashes := 0
		for end-1-slashes >= begin && record[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return end
		}
		i = end + 1
	}
}
