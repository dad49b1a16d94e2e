// Package slapdtest runs a real LDAP server, OpenLDAP's slapd, for the length of a test.
package slapdtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// What every server has: its tree, and who may change it.
const (
	Base     = "dc=corp,dc=example"
	People   = "ou=people," + Base
	Groups   = "ou=groups," + Base
	BindDN   = "cn=admin," + Base
	Password = "a-secret-of-the-test"
)

// Server is a running slapd with the empty branches People and Groups.
type Server struct {
	// URL is ldap://, which knows StartTLS; TLSURL is ldaps://. Their certificate is for 127.0.0.1 and localhost, and signed
	// by that of CAFile.
	URL, TLSURL, CAFile string
	// PasswordFile holds the password of BindDN.
	PasswordFile string

	t    testing.TB
	conn *goldap.Conn
	cmd  *exec.Cmd
}

// find looks for slapd, which Debian keeps where only root looks.
func find() (string, bool) {
	if path, err := exec.LookPath("slapd"); err == nil {
		return path, true
	}
	const debian = "/usr/sbin/slapd"
	_, err := os.Stat(debian)
	return debian, err == nil
}

// Start starts a server until the test ends. extra are further lines of its database's configuration. Without slapd the
// test is skipped and says so; with CI=true it fails.
func Start(t testing.TB, extra ...string) *Server {
	t.Helper()
	path, ok := find()
	if !ok {
		if os.Getenv("CI") == "true" {
			t.Fatal("slapd is missing: install the package slapd")
		}
		t.Skip("not run against a real LDAP server: slapd is missing (install the package slapd)")
	}
	dir := t.TempDir()
	s := &Server{t: t, CAFile: filepath.Join(dir, "ca.pem"), PasswordFile: filepath.Join(dir, "password")}
	write(t, s.PasswordFile, Password+"\n")
	WriteCertificates(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "slapd.conf"), strings.NewReplacer("DIR", dir, "BASE", Base, "BINDDN", BindDN, "PASSWORD", Password, "EXTRA", strings.Join(extra, "\n")).Replace(configuration))
	s.start(path, dir)
	s.connect()
	s.Add(Base, "objectClass=dcObject", "objectClass=organization", "o=Corp", "dc=corp")
	s.Add(People, "objectClass=organizationalUnit", "ou=people")
	s.Add(Groups, "objectClass=organizationalUnit", "ou=groups")
	return s
}

const configuration = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server.key
pidfile DIR/slapd.pid
database mdb
suffix "BASE"
rootdn "BINDDN"
rootpw PASSWORD
directory DIR/db
maxsize 268435456
dbnosync
overlay ppolicy
EXTRA
`

// start runs slapd on free ports. Another process may take a port between the choice and the start, so it is tried again.
func (s *Server) start(path, dir string) {
	s.t.Helper()
	var output bytes.Buffer
	for range 5 {
		plain, secure := freePort(s.t), freePort(s.t)
		s.URL, s.TLSURL = "ldap://"+plain, "ldaps://"+secure
		output.Reset()
		// -d keeps it in the foreground.
		s.cmd = exec.Command(path, "-f", filepath.Join(dir, "slapd.conf"), "-h", s.URL+"/ "+s.TLSURL+"/", "-d", "0") //nolint:gosec // the path is slapd's
		s.cmd.Stdout, s.cmd.Stderr = &output, &output
		if err := s.cmd.Start(); err != nil {
			s.t.Fatalf("start slapd: %v", err)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.cmd.Wait() }()
		if answers(plain, ended) && answers(secure, ended) {
			s.t.Cleanup(func() {
				_ = s.cmd.Process.Kill()
				<-ended
			})
			return
		}
		_ = s.cmd.Process.Kill()
	}
	s.t.Fatalf("slapd does not start: %s", output.String())
}

// answers waits until a port is listened on, or the process ended.
func answers(address string, ended chan error) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return true
		}
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-tick.C:
		}
	}
	return false
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) connect() {
	s.t.Helper()
	conn, err := goldap.DialURL(s.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	conn.SetTimeout(30 * time.Second)
	if err := conn.Bind(BindDN, Password); err != nil {
		s.t.Fatal(err)
	}
	s.conn = conn
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// Kill ends the server at once.
func (s *Server) Kill() { _ = s.cmd.Process.Kill() }

// Add adds an entry; attributes are name=value.
func (s *Server) Add(dn string, attributes ...string) {
	s.t.Helper()
	r := goldap.NewAddRequest(dn, nil)
	values, names := map[string][]string{}, []string{}
	for _, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		if values[name] == nil {
			names = append(names, name)
		}
		values[name] = append(values[name], value)
	}
	for _, name := range names {
		r.Attribute(name, values[name])
	}
	s.must(s.conn.Add(r))
}

// Person adds an inetOrgPerson and returns its name.
func (s *Server) Person(uid string, more ...string) string {
	s.t.Helper()
	dn := fmt.Sprintf("uid=%s,%s", goldap.EscapeDN(uid), People)
	s.Add(dn, append([]string{"objectClass=inetOrgPerson", "uid=" + uid, "cn=" + uid + " Person", "sn=Person"}, more...)...)
	return dn
}

// Group adds a groupOfNames with the entries as members and returns its name.
func (s *Server) Group(cn string, members ...string) string {
	s.t.Helper()
	dn := fmt.Sprintf("cn=%s,%s", goldap.EscapeDN(cn), Groups)
	attributes := []string{"objectClass=groupOfNames", "cn=" + cn}
	for _, m := range members {
		attributes = append(attributes, "member="+m)
	}
	s.Add(dn, attributes...)
	return dn
}

// Set replaces the values of an attribute; without values it is removed.
func (s *Server) Set(dn, attribute string, values ...string) {
	s.t.Helper()
	r := goldap.NewModifyRequest(dn, nil)
	r.Replace(attribute, values)
	s.must(s.conn.Modify(r))
}

// Rename gives an entry another relative name, and returns its new name.
func (s *Server) Rename(dn, rdn string) string {
	s.t.Helper()
	s.must(s.conn.ModifyDN(goldap.NewModifyDNRequest(dn, rdn, true, "")))
	_, parent, _ := strings.Cut(dn, ",")
	return rdn + "," + parent
}

// Delete removes an entry.
func (s *Server) Delete(dn string) {
	s.t.Helper()
	s.must(s.conn.Del(goldap.NewDelRequest(dn, nil)))
}

// Get reads one value of an entry.
func (s *Server) Get(dn, attribute string) string {
	s.t.Helper()
	r, err := s.conn.Search(&goldap.SearchRequest{BaseDN: dn, Scope: goldap.ScopeBaseObject, Filter: "(objectClass=*)", Attributes: []string{attribute}})
	s.must(err)
	return r.Entries[0].GetAttributeValue(attribute)
}
