package eventfile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Writer takes records and writes them as a file. Without its Close there is no file.
type Writer interface {
	// Add writes a record. One that is none is an error, after which the file is not to be used.
	Add(record []byte) error
	Close() error
}

// Lines writes one record a line, as it is.
type Lines struct{ w io.Writer }

// NewLines makes a writer of JSON lines.
func NewLines(w io.Writer) *Lines { return &Lines{w} }

// Add implements Writer. What no line can hold is refused.
func (l *Lines) Add(record []byte) error {
	if bytes.IndexByte(record, '\n') >= 0 {
		return fmt.Errorf("write record: it is more than a line")
	}
	_, err := l.w.Write(append(bytes.Clone(record), '\n'))
	return err
}

// Close implements Writer.
func (l *Lines) Close() error { return nil }

// The most that a group of rows has. A group is what a writer holds in memory.
const (
	maxRows  = 50_000
	maxBytes = 32 << 20
)

// Parquet writes rows in groups, compressed with Zstandard.
type Parquet struct {
	w           *parquet.GenericWriter[Row]
	rows, bytes int
}

// NewParquet makes a writer of a Parquet file.
func NewParquet(w io.Writer) *Parquet {
	return &Parquet{w: parquet.NewGenericWriter[Row](w, parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}), parquet.CreatedBy("Lakegate", "", ""))}
}

// Add implements Writer.
func (p *Parquet) Add(record []byte) error {
	row, err := RowOf(record)
	if err != nil {
		return err
	}
	if _, err := p.w.Write([]Row{row}); err != nil {
		return fmt.Errorf("write row: %w", err)
	}
	p.rows++
	p.bytes += len(record)
	if p.rows < maxRows && p.bytes < maxBytes {
		return nil
	}
	p.rows, p.bytes = 0, 0
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

// Close implements Writer: it writes the last rows and the directory of the file.
func (p *Parquet) Close() error {
	if err := p.w.Close(); err != nil {
		return fmt.Errorf("end file: %w", err)
	}
	return nil
}
