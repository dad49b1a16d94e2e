// Package hook is what the server has to say to servers that its operator chose: where they may be, and how they know that
// it is from here.
package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

const (
	// SignatureHeader has the time of a delivery and the HMAC-SHA256, in hex, of that time, a dot and the body:
	// t=1700000000,v1=…
	SignatureHeader = "Lakegate-Signature"
	// DeliveryHeader has the id of a delivery: one that comes twice has the same.
	DeliveryHeader = "Lakegate-Delivery"
)

// leastSecret is how many characters a secret has at least.
const leastSecret = 16

// CheckURL says why deliveries cannot go to an address, or nil. Its server is chosen by the operator, so it may be private;
// what is said there is not for others to read, so it goes by https but on loopback.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		// The address may hold a password: it is not repeated.
		return errors.New("want https://host[:port]/path")
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return errors.New("want https; http is for loopback alone")
	}
	return nil
}

// CheckSecret says why a secret cannot sign, or nil.
func CheckSecret(secret string) error {
	if len(secret) < leastSecret {
		return fmt.Errorf("want at least %d characters", leastSecret)
	}
	return nil
}

// StayHere keeps an http.Client from following redirects: what is said to one server is not for another.
func StayHere(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Sign makes the value of SignatureHeader.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
