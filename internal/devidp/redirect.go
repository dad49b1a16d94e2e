package devidp

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// checkRedirectURI checks an address that a client registers: absolute, https or else http on this machine, and without
// the parts in which a browser and a program may disagree about where it leads.
func checkRedirectURI(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > 2048:
		return fmt.Errorf("%q is not a URL", raw)
	case u.User != nil || u.Fragment != "" || u.Hostname() == "" || strings.ContainsAny(raw, "#\\ \t\r\n"):
		return fmt.Errorf("%q must have a host and no user, fragment, blank or backslash", raw)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q must be https, or http on 127.0.0.1, [::1] or localhost", raw)
}

// redirectAllowed says whether an answer may be sent to an address: one that is registered to the letter, or one that
// differs from a registered http address of this machine in its port alone (RFC 8252 section 7.3: programs take the port
// that is free).
func redirectAllowed(registered []string, raw string) bool {
	if checkRedirectURI(raw) != nil {
		return false
	}
	if slices.Contains(registered, raw) {
		return true
	}
	asked, err := url.Parse(raw)
	if err != nil || asked.Scheme != "http" || !isLoopback(asked.Hostname()) {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		u, err := url.Parse(r)
		return err == nil && u.Scheme == "http" && u.Hostname() == asked.Hostname() &&
			u.EscapedPath() == asked.EscapedPath() && u.RawQuery == asked.RawQuery && u.ForceQuery == asked.ForceQuery
	})
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
