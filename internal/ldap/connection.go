package ldap

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// connection is a signed-in connection to the source. It serves one run and is not safe for concurrent use.
type connection struct {
	ctx   context.Context
	conn  *goldap.Conn
	guard *guard
	raw   net.Conn
	cfg   *Config
	// stop ends the watch over the context.
	stop func() bool
}

// connect dials, makes TLS certain, and binds. The connection dies with the context.
func connect(ctx context.Context, cfg *Config, getenv func(string) string) (*connection, error) {
	secret, err := cfg.password(getenv)
	if err != nil {
		return nil, err
	}
	host, address, direct := cfg.address()
	raw, err := (&net.Dialer{Timeout: cfg.timeout()}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	c := &connection{ctx: ctx, raw: raw, cfg: cfg}
	c.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	plain := raw
	if direct || cfg.StartTLS {
		if plain, err = c.secure(host, !direct); err != nil {
			c.close()
			return nil, fmt.Errorf("connect to %s: %w", address, c.cause(err))
		}
	}
	c.guard = newGuard(plain)
	c.conn = goldap.NewConn(c.guard, direct || cfg.StartTLS)
	c.conn.SetTimeout(cfg.timeout())
	c.conn.Start()
	if err := c.guarded(func() error { return c.conn.Bind(cfg.BindDN, secret) }); err != nil {
		c.close()
		return nil, fmt.Errorf("bind as %s: %w", cfg.BindDN, c.explain(err))
	}
	return c, nil
}

// secure makes a TLS connection out of the raw one, after asking for it by StartTLS where the URL is ldap://. Nothing is
// sent in clear but that question, and any answer to it but a plain yes ends the connection.
func (c *connection) secure(host string, ask bool) (net.Conn, error) {
	roots, err := c.cfg.roots()
	if err != nil {
		return nil, err
	}
	if err := c.raw.SetDeadline(time.Now().Add(c.cfg.timeout())); err != nil {
		return nil, err
	}
	if ask {
		if err := askTLS(c.raw); err != nil {
			return nil, err
		}
	}
	conn := tls.Client(c.raw, &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(c.ctx); err != nil {
		return nil, fmt.Errorf("the server's TLS is not trusted: %w", err)
	}
	return conn, c.raw.SetDeadline(time.Time{})
}

// askTLS sends StartTLS (RFC 4511 §4.14) and reads the one answer, no byte more: what an attacker adds in clear after it
// is read as TLS, and fails. The library's own StartTLS reads ahead.
func askTLS(conn net.Conn) error {
	const oid = "1.3.6.1.4.1.1466.20037"
	question := append([]byte{0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16}, oid...)
	if _, err := conn.Write(question); err != nil {
		return fmt.Errorf("ask for StartTLS: %w", err)
	}
	answer, err := readMessage(conn, 4096)
	if err != nil {
		return fmt.Errorf("ask for StartTLS: %w", err)
	}
	packet, err := ber.DecodePacketErr(answer)
	if err != nil {
		return fmt.Errorf("read the answer to StartTLS: %w", err)
	}
	if len(packet.Children) < 2 || packet.Children[1].Tag != goldap.ApplicationExtendedResponse || packet.Children[0].Value != int64(1) {
		return errors.New("the answer to StartTLS is not one")
	}
	if err := goldap.GetLDAPError(packet); err != nil {
		return fmt.Errorf("the server refuses StartTLS, and nothing is sent without it: %w", err)
	}
	return nil
}

// readMessage reads exactly one message.
func readMessage(r io.Reader, most int64) ([]byte, error) {
	var header bytes.Buffer
	for {
		if _, err := io.CopyN(&header, r, 1); err != nil {
			return nil, err
		}
		length, done, err := messageLength(header.Bytes())
		switch {
		case err != nil:
			return nil, err
		case done && length > most:
			return nil, fmt.Errorf("the server sends a message of more than %d bytes", most)
		case done:
			_, err := io.CopyN(&header, r, length)
			return header.Bytes(), err
		}
	}
}

// roots are the certificates that the server's must be signed by; nil are those of the system.
func (c *Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s holds no certificate", c.CAFile)
	}
	return pool, nil
}

// close ends the connection without ceremony. The library's Close waits for a server that may not answer, so the socket
// goes first.
func (c *connection) close() {
	c.stop()
	_ = c.raw.Close()
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

// guarded runs one request. The library indexes into messages without looking, so a hostile one makes it panic.
func (c *connection) guarded(request func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the server sends what is not LDAP: %v", p)
		}
	}()
	c.guard.allow()
	return request()
}

// cause prefers the reason why the context ended over what it did to the connection.
func (c *connection) cause(err error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return err
}

// explain gives an error of the library the words of this room.
func (c *connection) explain(err error) error {
	if e, ok := errors.AsType[*goldap.Error](err); ok {
		switch e.ResultCode {
		case goldap.LDAPResultInvalidCredentials:
			return fmt.Errorf("the server refuses the name or the password: %w", err)
		case goldap.LDAPResultReferral:
			return fmt.Errorf("the server refers to another one, which is not followed: %w", err)
		case goldap.LDAPResultNoSuchObject:
			return fmt.Errorf("there is no such entry, or the bind name may not see it: %w", err)
		case goldap.LDAPResultSizeLimitExceeded, goldap.LDAPResultAdminLimitExceeded, goldap.LDAPResultTimeLimitExceeded:
			return fmt.Errorf("the server cut its answer short; ask for smaller pages or raise its limit for the bind name: %w", err)
		case goldap.LDAPResultInsufficientAccessRights:
			return fmt.Errorf("the bind name may not do that: %w", err)
		}
		if c.ctx.Err() == nil && strings.Contains(e.Error(), "connection timed out") {
			return fmt.Errorf("the server did not finish its answer within %s: %w", c.cfg.timeout(), err)
		}
	}
	return c.cause(err)
}
