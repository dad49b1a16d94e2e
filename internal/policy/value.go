package policy

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// text is the pattern as a plain text with its variables replaced, for the operators without wildcards.
func (p *pattern) text(ctx Values) (string, bool) {
	if p.form == exact {
		return p.literal, true
	}
	var b strings.Builder
	for i := range p.pieces {
		piece := &p.pieces[i]
		if piece.kind != variable {
			b.WriteString(piece.text)
			continue
		}
		value, ok := piece.value(ctx)
		if !ok {
			return "", false
		}
		b.WriteString(value)
	}
	return b.String(), true
}

// equalFold compares without regard to case, but never takes a letter outside ASCII for one inside: by Unicode's
// folding the Kelvin sign is a k and the long s an s.
func equalFold(a, b string) bool {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if fold(ra) != fold(rb) || ra == utf8.RuneError && a[:na] != b[:nb] {
			return false
		}
		a, b = a[na:], b[nb:]
	}
	return a == b
}

// fold is the smallest character of the same letter on its side of ASCII.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f >= utf8.RuneSelf {
			least = min(least, f)
		}
	}
	return least
}

// decimal is an exact decimal number, kept as digits: a float would take 9007199254740993 for its neighbour.
type decimal struct {
	negative bool
	whole    string // without leading zeros
	fraction string // without trailing zeros
}

func parseDecimal(s string) (decimal, bool) {
	var d decimal
	if len(s) > 64 {
		return d, false
	}
	s, d.negative = strings.CutPrefix(s, "-")
	if !d.negative {
		s = strings.TrimPrefix(s, "+")
	}
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" || point && fraction == "" || !isDigits(whole) || !isDigits(fraction) {
		return d, false
	}
	d.whole = strings.TrimLeft(whole, "0")
	d.fraction = strings.TrimRight(fraction, "0")
	if d.whole == "" && d.fraction == "" {
		d.negative = false
	}
	return d, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (d decimal) compare(e decimal) int {
	if d.negative != e.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	outcome := cmp.Or(cmp.Compare(len(d.whole), len(e.whole)), cmp.Compare(d.whole, e.whole), cmp.Compare(d.fraction, e.fraction))
	if d.negative {
		return -outcome
	}
	return outcome
}

// parseDate reads the W3C profile of ISO 8601, or seconds since 1970. Four digits are a year.
func parseDate(s string) (time.Time, bool) {
	if len(s) > 40 {
		return time.Time{}, false
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02", "2006-01-02T15:04Z07:00", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	// Beyond the year 9999 it would not be seconds but milliseconds.
	if err != nil || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// parsePrefix reads an address or a range in CIDR notation; bits beyond the mask do not matter.
func parsePrefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return netip.Prefix{}, false
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}
