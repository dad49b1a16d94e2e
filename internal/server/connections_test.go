package server

import (
	"net"
	"net/http"
	"testing"
)

// Connections that ask for nothing make room for new ones, those that never asked first; none with a request does.
func TestConnectionsMakeRoom(t *testing.T) {
	c := newConnections(3)
	conns := map[string]net.Conn{}
	for _, name := range []string{"kept", "silent", "busy", "new", "newer", "newest", "last"} {
		here, there := net.Pipe()
		t.Cleanup(func() { _, _ = here.Close(), there.Close() })
		conns[name] = here
	}
	for i, step := range []struct {
		name   string
		state  http.ConnState
		closed string
	}{
		{"kept", http.StateNew, ""}, {"kept", http.StateActive, ""}, {"kept", http.StateIdle, ""},
		{"silent", http.StateNew, ""}, {"busy", http.StateNew, ""}, {"busy", http.StateActive, ""},
		{"new", http.StateNew, "silent"}, {"silent", http.StateClosed, ""},
		{"new", http.StateActive, ""},
		{"newer", http.StateNew, "kept"}, {"kept", http.StateActive, ""}, {"kept", http.StateClosed, ""},
		{"newer", http.StateActive, ""},
		{"newest", http.StateNew, "newest"}, {"newest", http.StateClosed, ""},
		{"busy", http.StateClosed, ""},
		{"last", http.StateNew, ""},
	} {
		var want net.Conn
		if step.closed != "" {
			want = conns[step.closed]
		}
		if got := c.note(conns[step.name], step.state); got != want {
			t.Fatalf("step %d, %s %v: the wrong one is closed", i, step.name, step.state)
		}
	}
	if len(c.all) != 3 || c.order.Len() != 3 {
		t.Errorf("%d and %d are known, want 3", len(c.all), c.order.Len())
	}
}
