package grantfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// Reader reads grants. The errors of Read are io.EOF at the end, a *LineError for a line that is passed over, and anything
// else for a file that cannot be read on.
type Reader interface {
	Read() (*Record, error)
}

// Writer writes grants; nothing is sure to be written before Flush.
type Writer interface {
	Write(r *Record) error
	Flush() error
}

// The formats.
const (
	CSV  = "csv"
	JSON = "json"
)

// NewReader reads a format; an empty one is told by the first character. A byte order mark is passed over.
func NewReader(r io.Reader, format string) (Reader, error) {
	b := bufio.NewReader(r)
	if mark, err := b.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3)
	}
	if format == "" {
		format = CSV
		if first, err := b.Peek(1); err == nil && first[0] == '{' {
			format = JSON
		}
	}
	switch format {
	case CSV:
		return newCSVReader(b)
	case JSON:
		return newJSONReader(b), nil
	}
	return nil, fmt.Errorf("the format %q is neither csv nor json", format)
}

// NewWriter writes a format.
func NewWriter(w io.Writer, format string) (Writer, error) {
	switch format {
	case CSV:
		return newCSVWriter(w)
	case JSON:
		return newJSONWriter(w), nil
	}
	return nil, fmt.Errorf("the format %q is neither csv nor json", format)
}
