package grantfile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// columns are what a CSV file may have, in any order, as its first line names them.
var columns = []string{"grantee_type", "grantee", "scope", "permission", "application_arn", "prefix_type", "tags", "access_grant_id", "grantee_name", "created_at"}

// needed are the columns without which there is no grant.
var needed = []string{"grantee_type", "grantee", "scope", "permission"}

func (r *Record) field(column string) *string {
	switch column {
	case "grantee_type":
		return &r.GranteeType
	case "grantee":
		return &r.Grantee
	case "scope":
		return &r.Scope
	case "permission":
		return &r.Permission
	case "application_arn":
		return &r.Application
	case "prefix_type":
		return &r.PrefixType
	case "access_grant_id":
		return &r.AccessGrantID
	case "grantee_name":
		return &r.GranteeName
	case "created_at":
		return &r.CreatedAt
	}
	return nil
}

// csvReader reads CSV (RFC 4180). Fields have no line ends in them.
type csvReader struct {
	csv     *csv.Reader
	columns []string
}

func newCSVReader(r io.Reader) (*csvReader, error) {
	c := &csvReader{csv: csv.NewReader(&boundedLines{r: r})}
	c.csv.ReuseRecord = true
	head, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line names the columns " + strings.Join(columns, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("read the first line: %w", err)
	}
	for _, name := range head {
		name = strings.TrimSpace(name)
		if !slices.Contains(columns, name) || slices.Contains(c.columns, name) {
			return nil, fmt.Errorf("the column %q is not known or there twice; there are %s", short(name), strings.Join(columns, ", "))
		}
		c.columns = append(c.columns, name)
	}
	for _, name := range needed {
		if !slices.Contains(c.columns, name) {
			return nil, fmt.Errorf("the column %s is missing", name)
		}
	}
	return c, nil
}

func (c *csvReader) Read() (*Record, error) {
	fields, err := c.csv.Read()
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		if errors.Is(e.Err, csv.ErrFieldCount) {
			return nil, &LineError{e.StartLine, fmt.Errorf("it has %d fields, the first line names %d", len(fields), len(c.columns))}
		}
		return nil, fmt.Errorf("line %d: %w", e.StartLine, e.Err)
	}
	if err != nil {
		return nil, err
	}
	line, _ := c.csv.FieldPos(0)
	r := &Record{Line: line}
	for i, name := range c.columns {
		text := unguarded(fields[i])
		if name != "tags" {
			*r.field(name) = text
			continue
		}
		if r.Tags, err = parseTags(text); err != nil {
			return nil, &LineError{line, err}
		}
	}
	if err := r.check(); err != nil {
		return nil, &LineError{line, err}
	}
	return r, nil
}

// parseTags reads tags as a query has them: a=b&c=d, with percent-encoding.
func parseTags(text string) (map[string]string, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, errors.New("tags: want key=value, with & between several, and %26 for a & in them")
	}
	var tags map[string]string
	for k, v := range values {
		if len(v) > 1 || k == "" {
			return nil, fmt.Errorf("tags: %q is there twice, or empty", short(k))
		}
		if tags == nil {
			tags = map[string]string{}
		}
		tags[k] = v[0]
	}
	return tags, nil
}

// csvWriter writes all columns.
type csvWriter struct{ csv *csv.Writer }

func newCSVWriter(w io.Writer) (*csvWriter, error) {
	c := &csvWriter{csv.NewWriter(w)}
	return c, c.csv.Write(columns)
}

func (c *csvWriter) Write(r *Record) error {
	fields := make([]string, len(columns))
	for i, name := range columns {
		if name == "tags" {
			values := url.Values{}
			for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
				values.Set(k, r.Tags[k])
			}
			fields[i] = Inert(strings.ReplaceAll(values.Encode(), "%3A", ":"))
			continue
		}
		fields[i] = Inert(*r.field(name))
	}
	return c.csv.Write(fields)
}

func (c *csvWriter) Flush() error {
	c.csv.Flush()
	return c.csv.Error()
}

// boundedLines refuses lines that are longer than MaxLine, so that no quote that is never closed reads a file into memory.
type boundedLines struct {
	r io.Reader
	n int
}

var errLongLine = fmt.Errorf("a line is longer than %d bytes", MaxLine)

func (b *boundedLines) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	for _, c := range p[:n] {
		if b.n++; c == '\n' {
			b.n = 0
		}
		if b.n > MaxLine {
			return 0, errLongLine
		}
	}
	return n, err
}
