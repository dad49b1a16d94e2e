package storage

import "strings"

// page decides what a listing shows: the rule of S3, without knowing where the keys come from. Keys are offered in order;
// those that hold the delimiter after the prefix stand together behind one common prefix, up to and with the delimiter. A
// page begins after the marker, which is a key or a common prefix, and holds at most max of both.
type page struct {
	prefix, delimiter, marker string
	// resume offers the marker's own key again, of which there is more to show than was shown.
	resume bool
	max    int

	prefixes  []string
	count     int
	last      string // the last key or common prefix that was taken
	truncated bool
}

// place is where a key belongs.
type place int

const (
	outside   place = iota // not on this page, nor on a later one
	alone                  // shown by itself
	collected              // shown by its common prefix, which is not on the page yet
)

// locate says where a key belongs, and its common prefix where that is it.
func (p *page) locate(key string) (place, string) {
	rest, ok := strings.CutPrefix(key, p.prefix)
	if !ok {
		return outside, ""
	}
	if common, ok := p.common(rest); ok {
		if common <= p.marker || p.collected(common) {
			return outside, ""
		}
		return collected, common
	}
	if key < p.marker || key == p.marker && !p.resume {
		return outside, ""
	}
	return alone, ""
}

func (p *page) common(rest string) (string, bool) {
	if p.delimiter == "" {
		return "", false
	}
	i := strings.Index(rest, p.delimiter)
	if i < 0 {
		return "", false
	}
	return p.prefix + rest[:i+len(p.delimiter)], true
}

func (p *page) collected(common string) bool {
	return len(p.prefixes) > 0 && p.prefixes[len(p.prefixes)-1] == common
}

// leads says whether keys below a folder can be on the page, and if all of them stand behind one common prefix that is not
// on the page yet, which.
func (p *page) leads(folder string) (into bool, common string) {
	if !strings.HasPrefix(folder, p.prefix) {
		return strings.HasPrefix(p.prefix, folder), ""
	}
	switch where, common := p.locate(folder); where {
	case collected:
		return true, common
	case alone:
		return true, ""
	}
	if _, folds := p.common(folder[len(p.prefix):]); folds {
		return false, ""
	}
	// The folder itself lies before the marker. Keys in it lie behind only where the marker is among them.
	return strings.HasPrefix(p.marker, folder), ""
}

// take puts a key or a common prefix on the page, if there is room. If not, there is more than the page.
func (p *page) take(item string) bool {
	if p.count == p.max {
		p.truncated = true
		return false
	}
	p.count++
	p.last = item
	return true
}

// start is the folder in which all keys with the prefix are.
func (p *page) start() string {
	return p.prefix[:strings.LastIndexByte(p.prefix, '/')+1]
}

// from is a key before which nothing is of interest.
func (p *page) from() string { return max(p.prefix, p.marker) }
