package remote

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/lakegate/lakegate/internal/storage"
)

// DeleteObjects deletes many objects in one request. What such a request cannot carry, a key that no XML has or a
// condition, which not every service looks at there, is deleted by one of its own.
func (m *Mount) DeleteObjects(ctx context.Context, in []*storage.DeleteObjectInput) []storage.DeleteResult {
	results := make([]storage.DeleteResult, len(in))
	var together []int
	for i, o := range in {
		if o.IfMatch == "" && inXML(o.Key) && inXML(o.VersionID) {
			if _, err := m.key(o.Key); err == nil {
				together = append(together, i)
				continue
			}
		}
		results[i].Output, results[i].Err = m.DeleteObject(ctx, o)
	}
	if len(together) == 1 {
		i := together[0]
		results[i].Output, results[i].Err = m.DeleteObject(ctx, in[i])
		return results
	}
	for len(together) > 0 {
		n := min(len(together), storage.MaxPage)
		m.deleteTogether(ctx, in, results, together[:n])
		together = together[n:]
	}
	return results
}

// inXML says that XML 1.0 has all of the characters.
func inXML(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff })
}

type versioned struct{ key, version string }

func (m *Mount) deleteTogether(ctx context.Context, in []*storage.DeleteObjectInput, results []storage.DeleteResult, which []int) {
	failed := func(err error) {
		for _, i := range which {
			if results[i].Output == nil && results[i].Err == nil {
				results[i].Err = err
			}
		}
	}
	c := m.bucket(http.MethodPost)
	c.query.flag("delete")
	if in[which[0]].BypassGovernance {
		c.set("X-Amz-Bypass-Governance-Retention", "true")
	}
	w := newWriter("Delete")
	asked := make(map[versioned]int, len(which))
	for _, i := range which {
		there, err := m.key(in[i].Key)
		if err != nil {
			results[i].Err = err
			continue
		}
		// Once, whoever named it twice: MinIO answers the second with an entry that has no name.
		ref := versioned{in[i].Key, in[i].VersionID}
		if _, twice := asked[ref]; twice {
			continue
		}
		asked[ref] = i
		w.open("Object")
		w.text("Key", there)
		if in[i].VersionID != "" {
			w.text("VersionId", in[i].VersionID)
		}
		w.close("Object")
	}
	c.document(w.end("Delete"))
	d, _, err := m.page(ctx, c, of{})
	if err != nil {
		failed(err)
		return
	}
	err = d.root(func(name string) error {
		if name != "Deleted" && name != "Error" {
			return d.skip()
		}
		return m.deleted(ctx, d, name, in, results, asked)
	}, "DeleteResult", "DeleteObjectsResult")
	if err != nil {
		failed(m.endpoint.broken(ctx, err))
		return
	}
	// A key that was named twice is deleted with its namesake.
	for _, i := range which {
		if first := asked[versioned{in[i].Key, in[i].VersionID}]; first != i && results[i].Err == nil {
			results[i] = results[first]
		}
	}
	failed(fault("").because(errors.New("the storage did not say what became of the object")))
}

// deleted reads what became of one object.
func (m *Mount) deleted(ctx context.Context, d *document, kind string, in []*storage.DeleteObjectInput, results []storage.DeleteResult, asked map[versioned]int) error {
	var there, version, code, marker string
	isMarker := false
	err := d.each(func(name string) (err error) {
		switch name {
		case "Key":
			there, err = d.text()
		case "VersionId":
			version, err = d.text()
		case "Code":
			code, err = d.text()
		case "DeleteMarkerVersionId":
			marker, err = d.text()
		case "DeleteMarker":
			var text string
			text, err = d.text()
			isMarker = text == "true"
		default:
			err = d.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	key, err := m.home(there, "")
	if err != nil {
		return err
	}
	i, ok := asked[versioned{key, version}]
	if !ok {
		// Some services answer a version that was not asked for, as "null".
		if i, ok = asked[versioned{key, ""}]; !ok {
			return errOutside
		}
	}
	if kind == "Error" {
		if !codePattern.MatchString(code) {
			code = ""
		}
		results[i].Err = m.named(ctx, &answer{Response: &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}}, code, of{key: key, version: version})
		return nil
	}
	out := &storage.DeleteObjectOutput{VersionID: version, DeleteMarker: isMarker}
	if isMarker && in[i].VersionID == "" {
		out.VersionID = marker
	}
	results[i].Output = out
	return nil
}

var _ storage.Batches = (*Mount)(nil)
