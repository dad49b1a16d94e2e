package ldap_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
	"github.com/lakegate/lakegate/internal/store/storetest"
)

// wantFailure runs a source that has filled the directory with alice before, and holds it to a failure that changes
// nothing and says why.
func wantFailure(t *testing.T, h *house, s *ldap.Source, why string) {
	t.Helper()
	before := h.db.Revision()
	r := h.syncWith(t, s, false, true)
	if r.State != ldap.Failed || !strings.Contains(r.Report.Message, why) {
		t.Errorf("the run ended %s (%s), want a failure about %q", r.State, r.Report.Message, why)
	}
	if h.db.Revision() != before {
		t.Errorf("a run that failed changed the directory: %v", r.Report.Changes)
	}
	if !h.user(t, "alice").Enabled {
		t.Error("alice lost her access to an answer that was no answer")
	}
}

// TestAnswersThatAreNoAnswer: a server that hangs, drops, refers, cuts short, never ends or does not speak LDAP changes
// nothing, even when the run is forced.
func TestAnswersThatAreNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(q *question) bool
		why    string
	}{
		"hangs at the bind": {func(q *question) bool { return true }, "did not finish its answer within"},
		"hangs in the middle of a page": {func(q *question) bool {
			return q.isBind() && q.bound() || q.person("bob")
		}, "did not finish its answer within"},
		"drops after the bind": {func(q *question) bool { return q.isBind() && q.bound() }, "search"},
		"drops in the middle of a page": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			q.person("bob")
			return false
		}, "search"},
		"drops between two pages": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			return q.cookie == "" && q.person("bob") && q.page("more")
		}, "search"},
		"refers elsewhere": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			return q.done(goldap.ApplicationSearchResultDone, goldap.LDAPResultReferral, "ldap://evil.example")
		}, "refers to another one"},
		"cuts its answer short": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			return q.person("bob") && q.done(goldap.ApplicationSearchResultDone, goldap.LDAPResultSizeLimitExceeded, "")
		}, "cut its answer short"},
		"has no such base": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			return q.done(goldap.ApplicationSearchResultDone, goldap.LDAPResultNoSuchObject, "")
		}, "there is no such entry"},
		"sends pages without end":       {endless(true), "more than 100 entries"},
		"sends empty pages without end": {endless(false), "empty pages without end"},
		"sends a message of 2 GiB": {func(q *question) bool {
			_, err := q.conn.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff})
			return err == nil
		}, "bind"},
		"sends a message without an end": {func(q *question) bool {
			_, err := q.conn.Write([]byte{0x30, 0x80, 0x02, 0x01, 0x01})
			return err == nil
		}, "bind"},
		"speaks HTTP": {func(q *question) bool {
			_, err := q.conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			return err == nil
		}, "bind"},
		"answers the bind with a lone number": {func(q *question) bool {
			_, err := q.conn.Write([]byte{0x30, 0x03, 0x02, 0x01, byte(q.id)})
			return err == nil
		}, "bind"},
		"answers the search with a lone number": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			_, err := q.conn.Write([]byte{0x30, 0x03, 0x02, 0x01, byte(q.id)})
			return err == nil
		}, "not LDAP"},
		"answers with an entry that has no parts": {func(q *question) bool {
			if q.isBind() {
				return q.bound()
			}
			_, err := q.conn.Write([]byte{0x30, 0x05, 0x02, 0x01, byte(q.id), 0x64, 0x00})
			return err == nil
		}, "not LDAP"},
	} {
		t.Run(name, func(t *testing.T) {
			var good atomic.Bool
			good.Store(true)
			x := defy(t, nil, func(q *question) bool {
				if !good.Load() {
					return c.answer(q)
				}
				if q.isBind() {
					return q.bound()
				}
				return q.person("alice") && q.page("")
			})
			h := open(t, storetest.URL(t, "sqlite"), x.config())
			h.wantSync(t, 1)
			good.Store(false)
			wantFailure(t, h, h.source, c.why)
			good.Store(true)
			h.wantSync(t, 0)
		})
	}
}

// endless gives a page after the other, with an entry in each or without.
func endless(entries bool) func(q *question) bool {
	n := 0
	return func(q *question) bool {
		if q.isBind() {
			return q.bound()
		}
		n++
		return (!entries || q.person("p"+strconv.Itoa(n))) && q.page(strconv.Itoa(n))
	}
}

// TestPasswordGoesOverVerifiedTLSAlone: whoever stands between, and whoever answers in the server's place, does not get to
// see the password.
func TestPasswordGoesOverVerifiedTLSAlone(t *testing.T) {
	const startTLS = goldap.ApplicationExtendedRequest
	var x *hostile
	over := func(cert string) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn { return tls.Server(c, x.cert(cert)) }
	}
	for name, c := range map[string]struct {
		wrap   func(net.Conn) net.Conn
		answer func(q *question) bool
		set    func(c *ldap.Config)
		why    string
	}{
		"StartTLS is refused": {nil, func(q *question) bool {
			return q.op.Tag != startTLS || q.done(goldap.ApplicationExtendedResponse, goldap.LDAPResultUnavailable, "no TLS here")
		}, func(c *ldap.Config) { c.StartTLS = true }, "refuses StartTLS"},
		"StartTLS is agreed to and does not come": {nil, func(q *question) bool {
			return q.op.Tag != startTLS || q.done(goldap.ApplicationExtendedResponse, 0, "")
		}, func(c *ldap.Config) { c.StartTLS = true }, "connect"},
		"a bind is agreed to in clear behind StartTLS": {nil, func(q *question) bool {
			ok := q.done(goldap.ApplicationExtendedResponse, 0, "")
			q.id = 1
			return ok && q.bound()
		}, func(c *ldap.Config) { c.StartTLS = true }, "not trusted"},
		"StartTLS is answered with something else": {nil, func(q *question) bool { return q.bound() },
			func(c *ldap.Config) { c.StartTLS = true }, "is not one"},
		"the certificate is for another host": {over("other"), (*question).bound,
			func(c *ldap.Config) { c.URL = strings.Replace(c.URL, "ldap:", "ldaps:", 1) }, "not trusted"},
		"the certificate is of nobody known": {over("server"), (*question).bound,
			func(c *ldap.Config) { c.URL, c.CAFile = strings.Replace(c.URL, "ldap:", "ldaps:", 1), "" }, "not trusted"},
		"there is no TLS behind ldaps": {nil, (*question).bound,
			func(c *ldap.Config) { c.URL = strings.Replace(c.URL, "ldap:", "ldaps:", 1) }, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			x = defy(t, c.wrap, c.answer)
			cfg := x.config()
			c.set(cfg)
			h := open(t, storetest.URL(t, "sqlite"), cfg)
			r := h.sync(t)
			if r.State != ldap.Failed || !strings.Contains(r.Report.Message, c.why) {
				t.Errorf("the run ended %s (%s), want a failure about %q", r.State, r.Report.Message, c.why)
			}
			if x.heardPassword() {
				t.Error("the password was sent")
			}
		})
	}
}

// TestStartTLSAndLDAPS: both ways to TLS work against the real server.
func TestStartTLSAndLDAPS(t *testing.T) {
	s := slapdtest.Start(t)
	s.Person("alice")
	for name, url := range map[string]string{"StartTLS": s.URL, "ldaps": s.TLSURL} {
		t.Run(name, func(t *testing.T) {
			cfg := onOpenLDAP(s)
			cfg.URL, cfg.StartTLS = url, name == "StartTLS"
			h := open(t, storetest.URL(t, "sqlite"), cfg)
			h.wantSync(t, 1)
		})
	}
}

// TestPasswordIsNowhere: neither a run that works nor one that is refused writes the password anywhere.
func TestPasswordIsNowhere(t *testing.T) {
	s := slapdtest.Start(t)
	s.Person("alice")
	cfg := onOpenLDAP(s)
	t.Setenv("LDAP_TEST_PASSWORD", "wrong-and-secret")
	h := open(t, storetest.URL(t, "sqlite"), cfg)
	h.wantSync(t, 1)
	wrong := onOpenLDAP(s)
	wrong.BindPassword = "env:LDAP_TEST_PASSWORD"
	r := h.syncWith(t, h.with(t, wrong), false, false)
	if r.State != ldap.Failed || !strings.Contains(r.Report.Message, "refuses the name or the password") {
		t.Errorf("the run ended %s (%s)", r.State, r.Report.Message)
	}
	t.Setenv("LDAP_TEST_PASSWORD", "")
	if r := h.syncWith(t, h.with(t, wrong), false, false); r.State != ldap.Failed || !strings.Contains(r.Report.Message, "is empty") {
		t.Errorf("with an empty password, which is an anonymous bind, the run ended %s (%s)", r.State, r.Report.Message)
	}
	all := h.log.String() + fmt.Sprint(h.records(t, "EndDirectorySync"), h.records(t, "CreateUser"), r)
	for _, secret := range []string{slapdtest.Password, "wrong-and-secret"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q was written down", secret)
		}
	}
}

// TestMembersInParts: Active Directory gives the members of a large group in parts.
func TestMembersInParts(t *testing.T) {
	member := func(n int) string { return fmt.Sprintf("uid=p%d,%s", n, slapdtest.People) }
	const group = "cn=all," + slapdtest.Groups
	var asked []string
	serve := func(part func(q *question, attribute string) bool) *hostile {
		asked = nil
		return defy(t, nil, func(q *question) bool {
			switch {
			case q.isBind():
				return q.bound()
			case q.base() == slapdtest.People:
				for i := range 5 {
					q.person("p" + strconv.Itoa(i))
				}
				return q.page("")
			case q.base() == slapdtest.Groups:
				return q.entry(group, "entryUUID:g1", "cn:all", "member;range=0-1:"+member(0)+"|"+member(1)) && q.page("")
			}
			asked = append(asked, q.attributes()...)
			return part(q, q.attributes()[0]) && q.done(goldap.ApplicationSearchResultDone, 0, "")
		})
	}
	t.Run("to the end", func(t *testing.T) {
		x := serve(func(q *question, attribute string) bool {
			if attribute == "member;range=2-*" {
				return q.entry(group, "member;range=2-3:"+member(2)+"|"+member(3))
			}
			return q.entry(group, "member;range=4-*:"+member(4))
		})
		cfg := x.config()
		cfg.Groups.Base = slapdtest.Groups
		h := open(t, storetest.URL(t, "sqlite"), cfg)
		h.wantSync(t, 7)
		h.wantMembers(t, "all", "p0", "p1", "p2", "p3", "p4")
		if !slices.Equal(asked, []string{"member;range=2-*", "member;range=4-*"}) {
			t.Errorf("asked for %v", asked)
		}
	})
	for name, c := range map[string]struct{ again, why string }{
		"the same part again":    {"member;range=0-1:" + member(0), "the same part again"},
		"a part that is nowhere": {"member;range=2-x:" + member(0), "the same part again"},
		"parts of nothing":       {"member;range=2-9:", "the same part again"},
	} {
		t.Run(name, func(t *testing.T) {
			x := serve(func(q *question, _ string) bool { return q.entry(group, c.again) })
			cfg := x.config()
			cfg.Groups.Base = slapdtest.Groups
			h := open(t, storetest.URL(t, "sqlite"), cfg)
			if r := h.sync(t); r.State != ldap.Failed || !strings.Contains(r.Report.Message, c.why) {
				t.Errorf("the run ended %s (%s), want a failure about %q", r.State, r.Report.Message, c.why)
			}
		})
	}
}

// TestNamesInFilters: the name of a group cannot become a part of the filter that asks for its members.
func TestNamesInFilters(t *testing.T) {
	const group = `cn=a*)(objectClass=\2a,` + slapdtest.Groups
	var filters []string
	x := defy(t, nil, func(q *question) bool {
		switch {
		case q.isBind():
			return q.bound()
		case q.base() == slapdtest.Groups:
			return q.entry(group, "entryUUID:g1", "cn:a") && q.page("")
		case strings.Contains(q.filter(), "1.2.840"):
			filters = append(filters, q.filter())
		}
		return q.person("alice") && q.page("")
	})
	cfg := x.config()
	cfg.Nested, cfg.Groups.Base = "chain", slapdtest.Groups
	h := open(t, storetest.URL(t, "sqlite"), cfg)
	h.wantSync(t, 3)
	want := `(&(objectClass=inetOrgPerson)(memberOf:1.2.840.113556.1.4.1941:=cn=a\2a\29\28objectClass=\5c2a,` + slapdtest.Groups + `))`
	if len(filters) != 1 || filters[0] != want {
		t.Errorf("asked with %v, want %s", filters, want)
	}
	h.wantMembers(t, "a", "alice")
}
