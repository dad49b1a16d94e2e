package caller_test

import (
	"testing"

	"github.com/lakegate/lakegate/internal/caller"
)

// TestNetwork: one customer counts as one source, however the address is written.
func TestNetwork(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:0:0:1": "2001:db8::/64",
		"2001:db8::1%eth0": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64", "x": "", "": "",
	} {
		if got := (&caller.Request{SourceIP: ip}).Network(); got != want {
			t.Errorf("%q: %q, want %q", ip, got, want)
		}
	}
}
