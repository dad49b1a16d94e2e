package grantfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// jsonReader reads one JSON object a line; empty lines count and say nothing.
type jsonReader struct {
	lines *bufio.Scanner
	line  int
}

func newJSONReader(r io.Reader) *jsonReader {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4<<10), MaxLine)
	return &jsonReader{lines: s}
}

func (j *jsonReader) Read() (*Record, error) {
	for j.lines.Scan() {
		j.line++
		text := bytes.TrimSpace(j.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		r := &Record{Line: j.line}
		if err := strictly(text, r); err != nil {
			return nil, &LineError{j.line, err}
		}
		if err := r.check(); err != nil {
			return nil, &LineError{j.line, err}
		}
		return r, nil
	}
	if errors.Is(j.lines.Err(), bufio.ErrTooLong) {
		return nil, errLongLine
	}
	if err := j.lines.Err(); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

func strictly(text []byte, r *Record) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return errors.New("it is not a JSON object of a grant: " + err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

type jsonWriter struct {
	w *bufio.Writer
	e *json.Encoder
}

func newJSONWriter(w io.Writer) *jsonWriter {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &jsonWriter{b, e}
}

func (j *jsonWriter) Write(r *Record) error { return j.e.Encode(r) }

func (j *jsonWriter) Flush() error { return j.w.Flush() }
