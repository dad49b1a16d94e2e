package ldap_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/lakegate/lakegate/internal/ldap"
	"github.com/lakegate/lakegate/internal/ldap/slapdtest"
)

// hostile is a server that answers as a test wants it to, on the level of LDAP messages.
type hostile struct {
	t       *testing.T
	address string
	dir     string
	// heard is everything that came in, before TLS.
	heard struct {
		sync.Mutex
		bytes.Buffer
	}
}

// question is a request that a hostile server got.
type question struct {
	h    *hostile
	conn net.Conn
	id   int64
	op   *ber.Packet
	// cookie is that of the paging control, paged says that there is one.
	cookie string
	paged  bool
}

// defy serves until the test ends. answer is called for each request; when it returns false the connection ends. A wrapped
// connection is what TLS makes of it.
func defy(t *testing.T, wrap func(net.Conn) net.Conn, answer func(q *question) bool) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{t: t, address: l.Addr().String(), dir: t.TempDir()}
	slapdtest.WriteCertificates(t, h.dir)
	var conns sync.Map
	var work sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		work.Wait()
	})
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, true)
			work.Go(func() {
				defer func() { _ = conn.Close() }()
				if wrap != nil {
					conn = wrap(conn)
				}
				h.serve(conn, answer)
			})
		}
	})
	return h
}

func (h *hostile) serve(conn net.Conn, answer func(q *question) bool) {
	in := io.TeeReader(conn, writer(func(p []byte) (int, error) {
		h.heard.Lock()
		defer h.heard.Unlock()
		return h.heard.Write(p)
	}))
	for {
		p, err := ber.ReadPacket(in)
		if err != nil || len(p.Children) < 2 {
			return
		}
		q := &question{h: h, conn: conn, op: p.Children[1]}
		q.id, _ = p.Children[0].Value.(int64)
		if len(p.Children) > 2 {
			for _, c := range p.Children[2].Children {
				if control, err := goldap.DecodeControl(c); err == nil {
					if paging, ok := control.(*goldap.ControlPaging); ok {
						q.cookie, q.paged = string(paging.Cookie), true
					}
				}
			}
		}
		if !answer(q) {
			return
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// cert is the TLS of the server by one of the certificates of slapdtest.
func (h *hostile) cert(name string) *tls.Config {
	c, err := tls.LoadX509KeyPair(filepath.Join(h.dir, name+".pem"), filepath.Join(h.dir, name+".key"))
	if err != nil {
		h.t.Error(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}
}

// config is a configuration for the server, without TLS.
func (h *hostile) config() *ldap.Config {
	c := &ldap.Config{
		Preset: "openldap", URL: "ldap://" + h.address, CAFile: filepath.Join(h.dir, "ca.pem"), BindDN: slapdtest.BindDN, BindPassword: "env:LDAP_TEST_PASSWORD",
		OnDemand: true, TimeoutSeconds: 2, PageSize: 10, MaxEntries: 100,
	}
	h.t.Setenv("LDAP_TEST_PASSWORD", slapdtest.Password)
	c.Users.Base = slapdtest.People
	return c
}

// heardPassword says whether the password came in readable form.
func (h *hostile) heardPassword() bool {
	h.heard.Lock()
	defer h.heard.Unlock()
	return strings.Contains(h.heard.String(), slapdtest.Password)
}

func (q *question) isBind() bool { return q.op.Tag == goldap.ApplicationBindRequest }

// base and attributes are those of a search.
func (q *question) base() string { return q.op.Children[0].Value.(string) }
func (q *question) attributes() (names []string) {
	for _, a := range q.op.Children[7].Children {
		names = append(names, a.Value.(string))
	}
	return names
}

func (q *question) filter() string {
	text, err := goldap.DecompileFilter(q.op.Children[6])
	if err != nil {
		q.h.t.Errorf("the filter cannot be read: %v", err)
	}
	return text
}

func (q *question) send(op *ber.Packet, controls ...goldap.Control) bool {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, q.id, ""))
	p.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c.Encode())
		}
		p.AppendChild(list)
	}
	_, err := q.conn.Write(p.Bytes())
	return err == nil
}

// done answers with a result code.
func (q *question) done(tag ber.Tag, code int64, message string, controls ...goldap.Control) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, message, ""))
	return q.send(op, controls...)
}

func (q *question) bound() bool { return q.done(goldap.ApplicationBindResponse, 0, "") }

// page ends a page; an empty cookie is the end.
func (q *question) page(cookie string) bool {
	c := goldap.NewControlPaging(0)
	c.SetCookie([]byte(cookie))
	return q.done(goldap.ApplicationSearchResultDone, 0, "", c)
}

// entry sends an entry; attributes are name:value|value.
func (q *question) entry(dn string, attributes ...string) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, a := range attributes {
		name, value, _ := strings.Cut(a, ":")
		x := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		x.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for v := range strings.SplitSeq(value, "|") {
			set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, ""))
		}
		x.AppendChild(set)
		list.AppendChild(x)
	}
	op.AppendChild(list)
	return q.send(op)
}

// person sends somebody.
func (q *question) person(uid string, more ...string) bool {
	return q.entry("uid="+uid+","+slapdtest.People, append([]string{"entryUUID:id-" + uid, "uid:" + uid}, more...)...)
}
