package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// resident is the memory that a process has.
func (p *process) resident() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kilobytes int
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		p.t.Fatal(err)
	}
	return kilobytes << 10
}

// TestMemoryOfTransfers holds what a transfer costs that does not move, whatever the size of its object.
func TestMemoryOfTransfers(t *testing.T) {
	const transfers, size, most = 100, 64 << 20, 256 << 10
	large := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for _, where := range []string{"here", "there"} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			t.Run(where+" "+method, func(t *testing.T) {
				gate, users := tenants(t, "limits: {requests: 1024}\n", "alice")
				alice := users[0]
				if where == "here" {
					gate.as(tenantsAccount).run("s3api", "create-bucket", "--bucket", where)
					alice.put(where, "67108864", large)
				} else {
					gate.backend("still", still(t), "AKID", "secretsecret", "--max-connections", "1024")
					gate.lakegate("bucket", "attach", where, "--dir", gate.dir, "--backend", "still")
				}
				begin := func(i int) *wire {
					w := dial(t, gate.API)
					if method == http.MethodGet {
						w.say(alice.head(method, where, "67108864", -1))
						if _, err := io.ReadFull(w.r, make([]byte, 4<<10)); err != nil {
							t.Fatal(err)
						}
						return w
					}
					w.say(alice.head(method, where, fmt.Sprint(i), size))
					_ = w.SetWriteBuffer(64 << 10)
					if _, err := w.Write(large[:8<<20]); err != nil { // more than sockets hold: the gate has read of it
						t.Fatal(err)
					}
					return w
				}
				for i := range 20 { // what the first ones cost is not what each does
					_ = begin(i).Close()
				}
				before := gate.resident()
				for i := range transfers {
					begin(i)
				}
				if each := (gate.resident() - before) / transfers; each > most {
					t.Errorf("a transfer takes %d KiB, want at most %d", each>>10, most>>10)
				} else {
					t.Logf("a transfer takes %d KiB", each>>10)
				}
			})
		}
	}
}

// TestIdleMemory holds what a server takes that nobody asks for anything.
func TestIdleMemory(t *testing.T) {
	const most = 64 << 20
	gate := start(t, append([]string{"serve", "--management-account", tenantsAccount}, anyPorts(false)...)...)
	if has := gate.resident(); has > most {
		t.Errorf("it takes %d MiB, want at most %d", has>>20, most>>20)
	} else {
		t.Logf("it takes %d MiB", has>>20)
	}
}
