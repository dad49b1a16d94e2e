package grants

import "encoding/hex"

// row is a grant of the compact part of the Index: 32 bytes, so that none lies in two lines of the processor's cache.
type row struct {
	id      [16]byte
	spot    address // of the text of its scope
	grantee uint32  // of the crowd of grantees, with its type
	// created is in milliseconds since 1970: the lower 32 bits and the upper 16.
	createdLow  uint32
	createdHigh uint16
	form        uint16
}

func (r *row) created() int64 { return int64(r.createdHigh)<<32 | int64(r.createdLow) }

// rowsAPage fill eight pages of the allocator's exactly.
const rowsAPage = 2048

// rows are numbered from 0 without gaps: the last one takes the place of one that goes.
type rows struct {
	pages [][]row
	n     uint32
}

func (r *rows) at(i uint32) *row { return &r.pages[i/rowsAPage][i%rowsAPage] }

func (r *rows) add(g row) uint32 {
	if r.n == uint32(len(r.pages))*rowsAPage {
		r.pages = append(r.pages, spacious[row](rowsAPage, len(r.pages) >= manyPieces))
	}
	*r.at(r.n) = g
	r.n++
	return r.n - 1
}

// dropLast lets the last row go. A page that is not needed stays until the one before it is not full either.
func (r *rows) dropLast() {
	r.n--
	if used := (r.n + rowsAPage - 1) / rowsAPage; int(used)+1 < len(r.pages) {
		r.pages[len(r.pages)-1] = nil
		r.pages = r.pages[:len(r.pages)-1]
	}
}

// idText is the length of an id as text.
const idText = 36

// parseID reads the id of a grant as it is always made: a UUID in lower case.
func parseID(text string) (id [16]byte, ok bool) {
	if len(text) != idText || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}
	at := 0
	for i := 0; i < len(text); i++ {
		c, v := text[i], byte(0)
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			continue
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		default:
			return id, false
		}
		id[at/2] = id[at/2]<<4 | v
		at++
	}
	return id, true
}

// appendID is the inverse.
func appendID(b []byte, id [16]byte) []byte {
	b = hex.AppendEncode(b, id[:4])
	for _, part := range [][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return b
}
