package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParameters(t *testing.T) {
	in := &thing{
		Name: "a", Count: new(3), On: new(false), At: new(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)), Color: new("RED"), Secret: new("xyz"), Data: []byte("abc"),
		Tags: []tag{{Key: "k", Value: new("")}}, Labels: map[string]string{"l": "v"}, Inner: &thing{Name: "in", Secret: new("xyz")}, Ratio: new(1.5),
	}
	want := map[string]any{
		"name": "a", "count": int64(3), "on": false, "at": "2026-01-02T03:04:05Z", "color": "RED", "secret": hidden, "data": "YWJj", "ratio": "1.5",
		"tags": []any{map[string]any{"key": "k", "value": ""}}, "labels": map[string]any{"l": "v"}, "inner": map[string]any{"name": "in", "secret": hidden},
	}
	if diff := cmp.Diff(want, Parameters(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantLocated := map[string]any{"iD": "x", "account": "111111111111", "keys": []any{"k"}}
	if diff := cmp.Diff(wantLocated, Parameters(&located{ID: "x", Account: "111111111111", Keys: []string{"k"}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantDocument := map[string]any{"doc": map[string]any{"a": []any{1.0, nil}}}
	if diff := cmp.Diff(wantDocument, Parameters(&documented{Doc: json.RawMessage(`{"a":[1,null]}`)})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, nothing := range []any{nil, (*thing)(nil), &struct{}{}, &thing{}} {
		if got := Parameters(nothing); got != nil {
			t.Errorf("%#v: %v, want nothing", nothing, got)
		}
	}
}

func TestParametersAreBounded(t *testing.T) {
	long := &thing{Name: strings.Repeat("é", 1<<20), Data: make([]byte, 1<<20)}
	for range 10_000 {
		long.Tags = append(long.Tags, tag{Key: strings.Repeat("x", 1000)})
		long.Words = append(long.Words, "w")
	}
	deep := &thing{Name: "x"}
	for range 1000 {
		deep = &thing{Name: "x", Inner: deep}
	}
	many := &thing{Labels: map[string]string{}}
	for i := range 10_000 {
		many.Labels[fmt.Sprint(i)] = "v"
	}
	doc := &documented{Doc: json.RawMessage(`"` + strings.Repeat("x", 1<<20) + `"`)}
	for name, in := range map[string]any{"long": long, "deep": deep, "many": many, "document": doc} {
		text, err := json.Marshal(Parameters(in))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 512<<10 {
			t.Errorf("%s: %d bytes are kept", name, len(text))
		}
		if !strings.Contains(string(text), cutOff) && name != "many" {
			t.Errorf("%s: nothing says that something is left out", name)
		}
	}
}
