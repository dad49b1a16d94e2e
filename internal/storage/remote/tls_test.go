package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

// secured starts a backend with TLS; with a pool it wants certificates of clients.
func secured(t *testing.T, clients *x509.CertPool) (endpoint, ca string, asked func() []string) {
	t.Helper()
	var hosts []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host+" "+r.URL.Path)
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		object(w, "content")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if clients != nil {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})), func() []string { return hosts }
}

// certificate is one that signs itself.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})), pool
}

func TestTLS(t *testing.T) {
	endpoint, ca, _ := secured(t, nil)
	cert, key, pool := certificate(t)
	strict, strictCA, _ := secured(t, pool)
	for name, tt := range map[string]struct {
		cfg  remote.Config
		want string // of the cause
	}{
		"its authority":         {remote.Config{Endpoint: endpoint, CACertificates: ca}, ""},
		"the system's":          {remote.Config{Endpoint: endpoint}, "not trusted"},
		"another authority":     {remote.Config{Endpoint: endpoint, CACertificates: cert}, "not trusted"},
		"another host name":     {remote.Config{Endpoint: strings.Replace(endpoint, "127.0.0.1", "localhost", 1), CACertificates: ca}, "another host name"},
		"any certificate":       {remote.Config{Endpoint: endpoint, InsecureSkipVerify: true}, ""},
		"HTTP to TLS":           {remote.Config{Endpoint: strings.Replace(endpoint, "https", "http", 1)}, ""},
		"a client's":            {remote.Config{Endpoint: strict, CACertificates: strictCA, ClientCertificate: cert, ClientKey: key}, ""},
		"none where one wanted": {remote.Config{Endpoint: strict, CACertificates: strictCA}, "TLS handshake"},
	} {
		tt.cfg.Name, tt.cfg.AccessKeyID, tt.cfg.SecretAccessKey, tt.cfg.HealthInterval = "tls", keyID, secret, time.Hour
		e, err := remote.Open(tt.cfg, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		m := e.Mount("red", remote.Place{Bucket: "there"})
		text, err := get(m, storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "k"}})
		if name == "HTTP to TLS" {
			if err == nil {
				t.Errorf("%s: %q", name, text)
			}
			continue
		}
		if (err == nil) != (tt.want == "") || err == nil && text != "content" || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		if err == nil {
			if _, err := m.PutObject(t.Context(), &storage.PutObjectInput{Key: "k", Body: storagetest.Body(strings.Repeat("x", 1<<20))}); err != nil {
				t.Errorf("%s: put: %v", name, err)
			}
		}
	}
}

// With virtual-host addressing the bucket is in the host name, which is signed and not in the path.
func TestVirtualHosts(t *testing.T) {
	m, s := hostile(t, "p/", func(w http.ResponseWriter, r *http.Request) { object(w, r.Host+r.URL.Path) }, func(c *remote.Config) {
		c.VirtualHost = true
		c.Endpoint = strings.Replace(c.Endpoint, "127.0.0.1", "localhost", 1)
	})
	text, err := get(m, storage.GetObjectInput{ObjectRef: storage.ObjectRef{Key: "a b"}})
	if err != nil && strings.Contains(err.Error(), "cannot be resolved") {
		t.Skip("this machine does not resolve names below localhost")
	}
	if host, path, _ := strings.Cut(text, "/"); err != nil || !strings.HasPrefix(host, "there.localhost:") || path != "p/a b" {
		t.Errorf("%q, %v, %q", text, err, s.requests())
	}
	cfg := remote.Config{Name: "v", Endpoint: "http://127.0.0.1:9000", VirtualHost: true, AccessKeyID: keyID, SecretAccessKey: secret}
	if err := cfg.Complete(); err == nil {
		t.Error("an address has no names below it")
	}
}
