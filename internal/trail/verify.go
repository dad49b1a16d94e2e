package trail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Verified is what Verify found.
type Verified struct {
	Node string
	// First is the number of the first entry that is there; above 1, the entries before it were removed when their time
	// was over.
	First uint64
	// Segments, Records and Notes are how many there are; notes are what the log says of itself.
	Segments       int
	Records, Notes uint64
	// Head is the end of the chain. Who keeps it can later ask whether the chain still goes through it.
	Head Head
	// Open is how many bytes of a line stand at the end that is not yet written, or that a crash left.
	Open int64
	// Cuts are the places where a start cut off what no write had completed. Nobody had been told that it was written.
	Cuts []string
	// Broken is the first place where the log is not what was written; nil when all of it is.
	Broken *Break
}

// Verify follows the chain through the log in a folder, which may be in use, and holds it against heads that were kept
// elsewhere; those of other nodes are passed over. The error says that the folder cannot be read.
func Verify(ctx context.Context, dir string, heads []Head) (*Verified, error) {
	all, err := segmentsIn(dir)
	if err != nil {
		return nil, fmt.Errorf("verify audit log: %w", err)
	}
	v := &verification{dir: dir, heads: heads, last: mark{}}
	for i, s := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i > 0 && s.number != all[i-1].number+1 {
			v.broken(all[i-1].number+1, 0, "the segment is missing")
			break
		}
		v.segment(s.number, i == len(all)-1)
		if v.Broken != nil {
			break
		}
	}
	if v.Broken == nil {
		v.end(all)
	}
	return &v.Verified, nil
}

type verification struct {
	Verified
	dir   string
	heads []Head
	last  mark
	// oldest is the largest number of a segment that the log has said to be its oldest.
	oldest uint64
}

func (v *verification) broken(segment uint64, offset int64, what string) {
	if v.Broken == nil {
		v.Broken = &Break{Segment: segment, Offset: offset, What: what}
	}
}

// segment follows the chain through one segment.
func (v *verification) segment(n uint64, last bool) {
	header, err := headerOf(v.dir, n)
	if err != nil {
		v.broken(n, 0, err.Error())
		return
	}
	before, entry := v.last.head, v.last.entry
	if v.Segments == 0 {
		v.Node, v.First = header.Node, header.Entry
		entry = header.Entry - 1
		if n > 1 && !before.read([]byte(header.Previous)) {
			v.broken(n, 0, "its first line has no hash of the entry before")
			return
		}
	}
	v.Segments++
	switch {
	case header.Node != v.Node:
		v.broken(n, 0, fmt.Sprintf("it is of the log of node %s, those before are of %s", header.Node, v.Node))
		return
	case header.Entry != entry+1 || header.Previous != before.String():
		v.broken(n, 0, "it does not continue the segment before: entries between the two are missing, or were altered")
		return
	}
	w, err := walkSegment(v.dir, n, before, entry, v.line)
	v.last = w.end
	v.Head = Head{Node: v.Node, Entry: w.end.entry, Hash: w.end.head}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.broken(n, 0, "the segment was removed meanwhile")
	case err != nil:
		v.broken(n, w.end.offset, "it cannot be read: "+err.Error())
	case w.open > 0 && last:
		v.Open = w.open
	case w.what != "":
		v.broken(n, w.end.offset, w.what)
	}
}

// line looks at a line that continues the chain.
func (v *verification) line(line []byte, at mark) {
	for _, h := range v.heads {
		if h.Node == v.Node && h.Entry == at.entry && h.Hash != at.head {
			v.broken(at.segment, at.offset-int64(len(line)), fmt.Sprintf("entry %d is not the one that was there when its head was kept: the log was written anew", h.Entry))
		}
	}
	begin, _, _ := parseLine(line)
	if !isNote(begin) {
		v.Records++
		return
	}
	v.Notes++
	n, err := parseNote(line)
	if err != nil {
		v.broken(at.segment, at.offset-int64(len(line)), err.Error())
		return
	}
	v.oldest = max(v.oldest, n.Oldest)
	place := fmt.Sprintf("entry %d, %s", at.entry, n.Time)
	switch n.Kind {
	case noteCut:
		v.Cuts = append(v.Cuts, place+": "+n.Detail)
	case noteDamage, noteMissing:
		v.broken(at.segment, at.offset-int64(len(line)), "a start of the server found here ("+n.Time+"): "+n.Detail)
	}
}

// end looks at what only the whole can tell.
func (v *verification) end(all []segment) {
	if len(all) > 0 && all[0].number > v.oldest {
		v.broken(all[0].number-1, 0, "the segment is missing, and the log does not say that its time was over")
	}
	beyond := slices.DeleteFunc(slices.Clone(v.heads), func(h Head) bool { return len(all) > 0 && (h.Node != v.Node || h.Entry <= v.last.entry) })
	if len(beyond) > 0 {
		h := slices.MaxFunc(beyond, func(a, b Head) int { return int(a.Entry) - int(b.Entry) })
		v.broken(v.last.segment, v.last.offset, fmt.Sprintf("the log ends with entry %d, and had entry %d when its head was kept: its end was cut off", v.last.entry, h.Entry))
	}
}

// headAt finds the head of the chain at an entry of a segment, from what the segment says of itself.
func headAt(dir string, n, entry uint64) (head Hash, ok bool, err error) {
	header, err := headerOf(dir, n)
	if err != nil {
		return head, false, err
	}
	var before Hash
	if !before.read([]byte(header.Previous)) {
		return head, false, nil
	}
	_, err = walkSegment(dir, n, before, header.Entry-1, func(_ []byte, at mark) {
		if at.entry == entry {
			head, ok = at.head, true
		}
	})
	return head, ok, err
}
