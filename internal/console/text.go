package console

import (
	"fmt"
	"html/template"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// functions are what templates write with.
func functions(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"plain": plain,
		"time":  func(t any) template.HTML { return moment(t, now()) },
		"span":  func(seconds int) string { return span(time.Duration(seconds) * time.Second) },
		"can":   can,
		"lower": func(s any) string { return strings.ToLower(fmt.Sprint(s)) },
		"path":  func(s string) string { return url.PathEscape(s) },
		"list":  func(all []string) string { return plain(strings.Join(all, ", ")) },
		"short": short,
		"state": state,
		"under": func(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") },
		"args":  args,
	}
}

// plain is a text of somebody as it can be shown: what has no shape or turns the reading direction is written out, so that a
// name or a prefix cannot look like another one.
func plain(v any) string {
	text := ""
	if x := reflect.ValueOf(v); x.Kind() != reflect.Pointer {
		text = fmt.Sprint(v)
	} else if !x.IsNil() {
		text = fmt.Sprint(x.Elem())
	}
	if !strings.ContainsFunc(text, shapeless) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if shapeless(r) {
			fmt.Fprintf(&b, "\\u{%04X}", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// shapeless reports whether a character cannot be seen: controls, those of the bidirectional algorithm and other formats,
// and spaces that are not the space.
func shapeless(r rune) bool {
	return r != ' ' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r)) || r == unicode.ReplacementChar
}

// moment writes a time, given as time.Time or *time.Time, in UTC, as people and machines read it.
func moment(v any, now time.Time) template.HTML {
	var t time.Time
	switch x := v.(type) {
	case time.Time:
		t = x
	case *time.Time:
		if x != nil {
			t = *x
		}
	}
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	format := "2 Jan 2006, 15:04 UTC"
	if t.Year() == now.UTC().Year() {
		format = "2 Jan, 15:04 UTC"
	}
	// Both texts are made of digits and names of months.
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format(format) + `</time>`) //nolint:gosec // see above
}

// span writes a duration in the largest unit that it is a whole number of.
func span(d time.Duration) string {
	for _, u := range units {
		if d >= u.of && d%u.of == 0 {
			return counted(int64(d/u.of), u.name)
		}
	}
	if d > time.Hour {
		return counted(int64(d/time.Hour), "hour") + " " + counted(int64(d%time.Hour/time.Minute), "minute")
	}
	return d.Round(time.Second).String()
}

// unit is one in which people give durations.
type unit struct {
	name string
	of   time.Duration
}

var units = []unit{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}}

func counted(n int64, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// can says a permission as people say it.
func can(v any) string {
	switch text := plain(v); text {
	case "READ":
		return "Read"
	case "WRITE":
		return "Write"
	case "READWRITE":
		return "Read and write"
	default:
		return text
	}
}

// state says how a request stands.
func state(v any) string {
	switch fmt.Sprint(v) {
	case "PENDING":
		return "Waiting"
	case "APPROVED":
		return "Approved"
	case "REFUSED":
		return "Refused"
	case "WITHDRAWN":
		return "Withdrawn"
	}
	return "Lapsed"
}

// short is the beginning of an id, for a column.
func short(v any) string {
	text := plain(v)
	if len(text) == 36 && strings.Count(text, "-") == 4 {
		return text[:8]
	}
	return text
}

// args gives a template several things by name.
func args(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}
