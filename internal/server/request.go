package server

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/caller"
)

// newRequestID makes an id in the shape of a UUID, as the JSON and query services of AWS answer with.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// origin says where a request comes from. X-Forwarded-For counts only as far as the proxies that added to it are trusted:
// the client is the last address in the list that is not one of them.
type origin struct {
	region  string
	trusted []netip.Prefix
	now     func() time.Time
}

func newOrigin(region string, proxies []string, now func() time.Time) (*origin, error) {
	o := &origin{region: region, now: now}
	for _, p := range proxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, err
		}
		o.trusted = append(o.trusted, prefix.Masked())
	}
	return o, nil
}

func (o *origin) of(r *http.Request) *caller.Request {
	return &caller.Request{
		ID:        newRequestID(),
		SourceIP:  o.sourceIP(r),
		UserAgent: r.UserAgent(),
		Host:      r.Host,
		Region:    o.region,
		Secure:    r.TLS != nil || o.forwardedTLS(r),
		Time:      o.now(),
	}
}

func (o *origin) sourceIP(r *http.Request) string {
	peer, ok := peerOf(r)
	if !ok {
		return ""
	}
	if !o.trusts(peer) {
		return peer.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	client := peer
	for i := len(hops) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = addr.Unmap()
		if !o.trusts(client) {
			break
		}
	}
	return client.String()
}

func (o *origin) forwardedTLS(r *http.Request) bool {
	peer, ok := peerOf(r)
	return ok && o.trusts(peer) && r.Header.Get("X-Forwarded-Proto") == "https"
}

func (o *origin) trusts(a netip.Addr) bool {
	for _, p := range o.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peerOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}
