package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lakegate/lakegate/internal/grantfile"
)

// accessEntry is one way by which somebody reaches something, as the server tells it.
type accessEntry struct {
	PrincipalType string
	PrincipalID   string `json:"PrincipalId"`
	Name          string
	Effective     bool
	Partial       bool
	Permission    string
	Why           string
	Method        string
	AccessGrantID string `json:"AccessGrantId"`
	GrantScope    string
	GroupPath     []string
	Applications  []string
	Actions       []string
	NotAfter      float64
}

// accessHeader names the columns of row.
var accessHeader = []string{"TYPE", "PRINCIPAL", "NAME", "PERMISSION", "SCOPE", "GRANT", "THROUGH", "APPLICATIONS", "ACTIONS", "ENDS", "WHY"}

func (e *accessEntry) row() []string {
	ends := ""
	if e.NotAfter != 0 {
		ends = time.UnixMilli(int64(e.NotAfter * 1000)).UTC().Format(time.RFC3339)
	}
	permission, through := e.Permission, "itself"
	if !e.Effective {
		permission = "none"
	} else if e.Partial {
		permission += " of a part"
	}
	switch {
	case e.Method == "POLICY":
		through = "policies"
	case len(e.GroupPath) > 0:
		through = strings.Join(e.GroupPath, " > ")
	}
	return []string{e.PrincipalType, e.PrincipalID, e.Name, permission, e.GrantScope, e.AccessGrantID, through, strings.Join(e.Applications, ", "), strings.Join(e.Actions, " "), ends, e.Why}
}

// listing writes what comes page by page and holds no more than one: a table, whose columns are as wide as a page needs, CSV,
// or JSON with one answer a line.
type listing struct {
	out    io.Writer
	format string
	header []string
	begun  bool
}

// show writes a page. raw are the answers as they came, rows the same for people.
func (l *listing) show(raw []json.RawMessage, rows [][]string) error {
	first := !l.begun
	l.begun = true
	switch l.format {
	case "json":
		for _, r := range raw {
			if _, err := fmt.Fprintf(l.out, "%s\n", r); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		w := csv.NewWriter(l.out)
		if first {
			_ = w.Write(l.header)
		}
		for _, row := range rows {
			for n := range row {
				row[n] = grantfile.Inert(row[n])
			}
			_ = w.Write(row)
		}
		w.Flush()
		return w.Error()
	}
	w := tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
	if first {
		_, _ = fmt.Fprintln(w, strings.Join(l.header, "\t"))
	}
	for _, row := range rows {
		for n := range row {
			row[n] = plain(row[n])
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

// pages asks page by page. list is the member of the answer that holds the entries, and row turns one into cells; nil leaves
// it out.
func (c *client) pages(ctx context.Context, operation string, in map[string]any, list string, l *listing, row func(json.RawMessage) ([]string, error)) error {
	for {
		var answer map[string]json.RawMessage
		if err := c.call(ctx, operation, in, &answer); err != nil {
			return err
		}
		var all []json.RawMessage
		if err := json.Unmarshal(answer[list], &all); err != nil {
			return fmt.Errorf("read answer to %s: %w", operation, err)
		}
		if lacks, ok := answer["Incomplete"]; ok {
			var what []string
			if err := json.Unmarshal(lacks, &what); err != nil {
				return fmt.Errorf("read answer to %s: %w", operation, err)
			}
			c.gaps.tell(what)
		}
		var raw []json.RawMessage
		var rows [][]string
		for _, r := range all {
			cells, err := row(r)
			if err != nil {
				return fmt.Errorf("read answer to %s: %w", operation, err)
			}
			if cells != nil {
				raw, rows = append(raw, r), append(rows, cells)
			}
		}
		if err := l.show(raw, rows); err != nil {
			return err
		}
		var next string
		if token, ok := answer["NextToken"]; ok {
			if err := json.Unmarshal(token, &next); err != nil {
				return fmt.Errorf("read answer to %s: %w", operation, err)
			}
		}
		if next == "" {
			return nil
		}
		in["NextToken"] = next
	}
}

func accessRow(raw json.RawMessage) ([]string, error) {
	var e accessEntry
	err := json.Unmarshal(raw, &e)
	return e.row(), err
}

// filled are the parameters that were given.
func filled(values map[string]string) map[string]any {
	in := map[string]any{}
	for name, v := range values {
		if v != "" {
			in[name] = v
		}
	}
	return in
}
