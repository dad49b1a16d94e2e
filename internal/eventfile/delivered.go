package eventfile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxFile bounds a delivered file without its compression: a trail ends one at 64 MiB and a record, but who can write into
// a bucket can put anything there.
const maxFile = 128 << 20

// Delivered visits the records of a file that a trail delivered: {"Records":[…]}, compressed with gzip. It holds one of them
// at a time. A file with anything else in it is an error.
func Delivered(r io.Reader, visit func(record []byte) error) error {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer func() { _ = unpacked.Close() }()
	limited := &io.LimitedReader{R: unpacked, N: maxFile + 1}
	d := json.NewDecoder(limited)
	for _, want := range []json.Token{json.Delim('{'), "Records", json.Delim('[')} {
		if token, err := d.Token(); err != nil || token != want {
			return errors.Join(fmt.Errorf("it is no file of a trail: %v where %v is to be", token, want), ended(limited, err))
		}
	}
	var compact bytes.Buffer
	for d.More() {
		var record json.RawMessage
		if err := d.Decode(&record); err != nil {
			return fmt.Errorf("read record: %w", ended(limited, err))
		}
		compact.Reset()
		if err := json.Compact(&compact, record); err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		if err := visit(compact.Bytes()); err != nil {
			return err
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if token, err := d.Token(); err != nil || token != want {
			return fmt.Errorf("the file has no end: %w", errors.Join(ended(limited, err)))
		}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the records: %w", errors.Join(ended(limited, err)))
	}
	return nil
}

// ended says of a file that is too large that it is, whatever the reader made of its end.
func ended(r *io.LimitedReader, err error) error {
	if r.N <= 0 {
		return fmt.Errorf("the file has more than %d MiB", maxFile>>20)
	}
	return err
}
