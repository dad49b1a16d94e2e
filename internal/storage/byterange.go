package storage

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// ParseByteRange reads the value of a Range header (RFC 9110 §14.1.2). S3 ignores what it does not understand: other
// units, several ranges, nonsense. Those are nil.
func ParseByteRange(s string) *ByteRange {
	spec, ok := strings.CutPrefix(s, "bytes=")
	if !ok {
		return nil
	}
	first, last, ok := strings.Cut(spec, "-")
	if !ok {
		return nil
	}
	r := ByteRange{First: -1, Last: -1}
	if first != "" && !decimal(first, &r.First) || last != "" && !decimal(last, &r.Last) {
		return nil
	}
	if first == "" && last == "" || first != "" && last != "" && r.Last < r.First {
		return nil
	}
	return &r
}

// ParseCopyRange reads x-amz-copy-source-range, which must name both ends.
func ParseCopyRange(s string) (*ByteRange, error) {
	r := ParseByteRange(s)
	if r == nil || r.First < 0 || r.Last < 0 {
		return nil, invalidArgument("x-amz-copy-source-range", s, "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	return r, nil
}

func decimal(s string, n *int64) bool {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return false
	}
	v, err := strconv.ParseInt(s, 10, 64)
	*n = v
	return err == nil
}

// resolve finds what the range means for a size. Nothing in common with the content is an error; nil is the whole.
func (r *ByteRange) resolve(size int64) (*ContentRange, error) {
	if r == nil {
		return nil, nil
	}
	c := ContentRange{First: r.First, Last: r.Last, Size: size}
	switch {
	case r.First < 0:
		c.First, c.Last = max(0, size-r.Last), size-1
		if r.Last <= 0 || size == 0 {
			return nil, invalidRange(*r, size)
		}
	case r.First >= size:
		return nil, invalidRange(*r, size)
	case r.Last < 0 || r.Last >= size:
		c.Last = size - 1
	}
	return &c, nil
}

func invalidRange(r ByteRange, size int64) error {
	return refuse("InvalidRange", http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable").
		with("ActualObjectSize", strconv.FormatInt(size, 10)).with("RangeRequested", r.String())
}

// String is the range as a header has it.
func (r ByteRange) String() string {
	switch {
	case r.First < 0:
		return fmt.Sprintf("bytes=-%d", r.Last)
	case r.Last < 0:
		return fmt.Sprintf("bytes=%d-", r.First)
	}
	return fmt.Sprintf("bytes=%d-%d", r.First, r.Last)
}
