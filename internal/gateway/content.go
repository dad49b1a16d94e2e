package gateway

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/wire"
)

// content is the body of an upload as the storage takes it: decoded, checked against the signature while it is read, and
// compared with its checksum by the storage, which computes it anyway.
func (x *exchange) content() (storage.Body, error) {
	if x.form != nil {
		return storage.Body{Reader: x.form.file, Size: x.form.file.size, ContentMD5: x.ContentMD5, Checksum: x.Checksum}, nil
	}
	body, err := sigv4.NewBody(x.r, x.proof, sigv4.BodyOptions{DeferChecksum: true})
	if err != nil {
		return storage.Body{}, err
	}
	size := body.Size()
	// Without a length there is no content, says HTTP/1; but who forgot it, or whose proxy sees the end of the request at
	// another place, must not make an empty object. Chunks, and other versions of HTTP, mark the end themselves.
	if size < 0 || x.r.ProtoMajor == 1 && x.r.ContentLength == 0 && x.r.Header.Get("Content-Length") == "" {
		return storage.Body{}, wire.NewError("MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header.")
	}
	if size > storage.MaxObjectSize {
		return storage.Body{}, wire.NewError("EntityTooLarge", http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size.")
	}
	out := storage.Body{Reader: body, Size: size, ContentMD5: x.ContentMD5, Checksum: x.Checksum}
	if name := body.TrailerName(); name != "" {
		algorithm, _ := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-")
		out.Checksum = storage.Checksum{Algorithm: storage.ChecksumAlgorithm(strings.ToUpper(algorithm))}
		out.Trailer = func() (string, error) { return body.Trailer(), nil }
	}
	return out, nil
}

// document reads the whole body of a request that has a small one, checked against the signature and Content-MD5.
func (x *exchange) document(most int64) ([]byte, error) {
	text, err := x.documentWithout(most)
	if err != nil {
		return nil, err
	}
	return text, verify(text, x.ContentMD5, x.Checksum)
}

// documentWithout is document where checksum headers are about the object and not about the body.
func (x *exchange) documentWithout(most int64) ([]byte, error) {
	body, err := sigv4.NewBody(x.r, x.proof, sigv4.BodyOptions{})
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, wire.NewError("MaxMessageLengthExceeded", http.StatusBadRequest, "Your request was too large.")
	}
	return text, nil
}

// maxDocument bounds the documents that configure a bucket or an object.
const maxDocument = 64 << 10

// read reads a document into a struct with the names of its elements. A document with another root, or with elements that
// the struct does not know, is refused.
func (x *exchange) read(root string, v any) error {
	text, err := x.document(maxDocument)
	if err != nil {
		return err
	}
	if err := onlyKnown(text, root, v); err != nil {
		return malformedXML(err)
	}
	x.configured(root, ofXML(text))
	return nil
}

// onlyKnown decodes strictly: encoding/xml would pass over what it does not know.
func onlyKnown(text []byte, root string, v any) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("it has a directive")
		case xml.StartElement:
			if t.Name.Local != root {
				return unexpected(t.Name.Local)
			}
			if err := d.DecodeElement(v, &t); err != nil {
				return err
			}
			if token, err := d.Token(); !errors.Is(err, io.EOF) && !isSpace(token) {
				return errors.New("something follows it")
			}
			return nil
		}
	}
}

func isSpace(t xml.Token) bool {
	c, ok := t.(xml.CharData)
	return ok && len(bytes.TrimSpace(c)) == 0
}

// unknown collects elements that a struct does not name, so that they can be refused.
type unknown struct {
	XMLName xml.Name
}

func refuseUnknown(list []unknown) error {
	if len(list) > 0 {
		return malformedXML(fmt.Errorf("the element %s is not expected", clip(list[0].XMLName.Local)))
	}
	return nil
}

type tagDocument struct {
	TagSet struct {
		Tag []struct {
			Key     string    `xml:"Key"`
			Value   string    `xml:"Value"`
			Unknown []unknown `xml:",any"`
		} `xml:"Tag"`
		Unknown []unknown `xml:",any"`
	} `xml:"TagSet"`
	Unknown []unknown `xml:",any"`
}

// readTags reads the Tagging document that is the content.
func (x *exchange) readTags(most int) (map[string]string, error) {
	text, err := x.document(maxDocument)
	if err != nil {
		return nil, err
	}
	tags, err := parseTags(text, most)
	if err == nil {
		x.configured("Tagging", ofXML(text))
	}
	return tags, err
}

// parseTags reads a Tagging document.
func parseTags(text []byte, most int) (map[string]string, error) {
	var d tagDocument
	if err := onlyKnown(text, "Tagging", &d); err != nil {
		return nil, malformedXML(err)
	}
	if err := errors.Join(refuseUnknown(d.Unknown), refuseUnknown(d.TagSet.Unknown)); err != nil {
		return nil, malformedXML(err)
	}
	tags := map[string]string{}
	for _, t := range d.TagSet.Tag {
		if err := refuseUnknown(t.Unknown); err != nil {
			return nil, err
		}
		if _, twice := tags[t.Key]; twice {
			return nil, wire.NewError("InvalidTag", http.StatusBadRequest, "Cannot provide multiple Tags with the same key")
		}
		tags[t.Key] = t.Value
	}
	return tags, storage.CheckTags(tags, most)
}
