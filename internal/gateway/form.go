package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lakegate/lakegate/internal/caller"
	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// maxFormFields bounds everything in a form before its file: 20 KiB of fields, as at AWS, and what is written around them.
const maxFormFields = 32 << 10

// form is an HTML form that uploads a file, read up to the file's first byte.
type form struct {
	fields   sigv4.FormFields
	filename string
	file     *formFile
}

// IsForm reports whether a content is that of an HTML form with a file.
func IsForm(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return kind == "multipart/form-data"
}

// readForm reads the fields of a form. The file has to be the last part and the form to end right behind it, as browsers
// and HTTP clients write it: that tells the size of the file before it is read, so that it is bounded and streamed like
// any other upload.
func readForm(r *http.Request) (*form, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\r\n") {
		return nil, malformedForm("its boundary")
	}
	if r.ContentLength < 0 {
		return nil, wire.NewError("MissingContentLength", http.StatusLengthRequired, "You must provide the Content-Length HTTP header.")
	}
	head := &countingReader{r: r.Body, most: maxFormFields}
	br := bufio.NewReaderSize(head, 4<<10)
	f := &form{fields: sigv4.FormFields{}}
	if line, err := br.ReadString('\n'); err != nil || line != "--"+boundary+"\r\n" {
		return nil, head.blame("its first line")
	}
	delimiter := []byte("\r\n--" + boundary)
	for {
		name, filename, err := readPartHeader(br)
		if err != nil {
			return nil, head.blame(err.Error())
		}
		if name == "file" {
			f.filename = filename
			f.file, err = newFormFile(br, head, r.ContentLength, delimiter)
			return f, err
		}
		value, err := readUpTo(br, delimiter)
		if err != nil {
			return nil, head.blame("the end of the field " + name)
		}
		if _, twice := f.fields[name]; twice || !utf8.ValidString(value) {
			return nil, invalidArgument(name, value, "The field must be given once, in UTF-8.")
		}
		f.fields[name] = value
		switch end, err := br.ReadString('\n'); {
		case err != nil && !errors.Is(err, io.EOF):
			return nil, head.blame("the end of a field")
		case end == "--\r\n" || end == "--":
			return nil, invalidArgument("file", "0", "POST requires exactly one file upload per request.")
		case end != "\r\n":
			return nil, head.blame("the end of a field")
		}
	}
}

// readPartHeader reads the headers of a part. Its own content type counts for nothing: what the signer did not see in a
// field does not become the object's.
func readPartHeader(br *bufio.Reader) (name, filename string, err error) {
	h, err := textproto.NewReader(br).ReadMIMEHeader()
	if err != nil {
		return "", "", errors.New("the headers of a field")
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Disposition"))
	if err != nil || kind != "form-data" || params["name"] == "" || h.Get("Content-Transfer-Encoding") != "" {
		return "", "", errors.New("the disposition of a field")
	}
	// Some browsers tell where the file was on their disk.
	filename = params["filename"]
	filename = filename[strings.LastIndexAny(filename, `/\`)+1:]
	return strings.ToLower(params["name"]), filename, nil
}

// readUpTo reads a value up to a delimiter and passes over it. The reader's own bound keeps it small.
func readUpTo(br *bufio.Reader, delimiter []byte) (string, error) {
	var value []byte
	for !bytes.HasSuffix(value, delimiter) {
		b, err := br.ReadByte()
		if err != nil {
			return "", err
		}
		// An empty value has its delimiter right behind the headers, whose last line end was read with them.
		if value = append(value, b); len(value) == len(delimiter)-2 && bytes.Equal(value, delimiter[2:]) {
			return "", nil
		}
	}
	return string(value[:len(value)-len(delimiter)]), nil
}

func malformedForm(what string) error {
	return wire.NewError("MalformedPOSTRequest", http.StatusBadRequest, "The body of your POST request is not well-formed multipart/form-data.").Because(errors.New("not understood: " + what))
}

// countingReader counts what was read, and reads no more than its bound while there is one.
type countingReader struct {
	r       io.Reader
	n, most int64
}

var errTooMuch = errors.New("the fields of the form are too large")

func (c *countingReader) Read(p []byte) (int, error) {
	if c.most > 0 {
		if c.n >= c.most {
			return 0, errTooMuch
		}
		p = p[:min(int64(len(p)), c.most-c.n)]
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// blame says what is wrong with a form whose fields could not be read.
func (c *countingReader) blame(what string) error {
	if c.most > 0 && c.n >= c.most {
		return wire.NewError("MaxPostPreDataLengthExceeded", http.StatusBadRequest, "Your POST request fields preceding the upload file was too large.")
	}
	return malformedForm(what)
}

// formFile is the file of a form without what follows it. Its end comes only when the form ended right behind it, and
// nowhere before.
type formFile struct {
	br              *bufio.Reader
	size, left      int64
	delimiter, tail []byte
	closing         []byte
	err             error
}

func newFormFile(br *bufio.Reader, head *countingReader, length int64, delimiter []byte) (*formFile, error) {
	f := &formFile{br: br, delimiter: delimiter, closing: append(bytes.Clone(delimiter), "--\r\n"...)}
	f.size = length - (head.n - int64(br.Buffered())) - int64(len(f.closing))
	if f.left = f.size; f.size < 0 {
		return nil, malformedForm("the end of the file")
	}
	head.most = 0
	return f, nil
}

// Read gives the next bytes of the file. A delimiter in them means that fields follow the file, which S3 would pass over
// and which are refused here.
func (f *formFile) Read(p []byte) (int, error) {
	if f.err != nil || len(p) == 0 {
		return 0, f.err
	}
	if f.left == 0 {
		f.err = f.end()
		return 0, f.err
	}
	n, err := f.br.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	seen := append(f.tail, p[:n]...)
	if bytes.Contains(seen, f.delimiter) {
		f.err = malformedForm("something follows the file")
		return 0, f.err
	}
	f.tail = append(f.tail[:0], seen[max(0, len(seen)-len(f.delimiter)+1):]...)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	f.err = err
	return n, err
}

func (f *formFile) end() error {
	rest, err := io.ReadAll(io.LimitReader(f.br, int64(len(f.closing))+1))
	if err != nil {
		return err
	}
	if !bytes.Equal(rest, f.closing) {
		return malformedForm("the end of the form")
	}
	return io.EOF
}

// adopt makes the fields of a form the request's own. Fields with the names of headers mean what these mean.
func (q *Request) adopt(f *form) error {
	key, ok := f.fields["key"]
	if !ok {
		return invalidArgument("key", "", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
	}
	// Variables are expanded before the policy is held to the fields, so that it speaks of what will be written.
	key = strings.ReplaceAll(key, "${filename}", f.filename)
	f.fields["key"], f.fields["bucket"] = key, q.Bucket
	if err := storage.CheckKey(key); err != nil {
		return err
	}
	q.Key = key
	said := http.Header{}
	for name, value := range f.fields {
		header, ok := headerOf(name)
		if !ok {
			continue
		}
		if len(value) > storage.MaxHeaderLength || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			return invalidArgument(name, value, "The field '"+clip(name)+"' has a value that no header can have.")
		}
		said[header] = []string{value}
	}
	h, err := readHeaders(&http.Request{Header: said}, nil)
	if err != nil {
		return err
	}
	// What the headers beside the form said was signed by nobody, and is forgotten.
	q.Tags = nil
	q.readHeaders(h)
	q.ContentLength = f.file.size
	if h.err != nil {
		return h.err
	}
	if text, ok := f.fields["tagging"]; ok {
		if q.Tags, err = parseTags([]byte(text), storage.MaxObjectTags); err != nil {
			return err
		}
	}
	return nil
}

// headerOf is the header that a field of a form stands for, if it does. Those of the signature say who asks.
func headerOf(field string) (string, bool) {
	switch field {
	case "acl":
		return "X-Amz-Acl", true
	case "content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires", "content-md5":
		return http.CanonicalHeaderKey(field), true
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token":
		return "", false
	}
	return http.CanonicalHeaderKey(field), strings.HasPrefix(field, "x-amz-")
}

// sizeWithin holds the file against the range that the form's policy gives.
func (f *form) sizeWithin(l sigv4.LengthRange) error {
	proposed := strconv.FormatInt(f.file.size, 10)
	switch {
	case f.file.size < l.Min:
		return wire.NewError("EntityTooSmall", http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size").
			With("ProposedSize", proposed).With("MinSizeAllowed", strconv.FormatInt(l.Min, 10))
	case l.Max >= 0 && f.file.size > l.Max:
		return wire.NewError("EntityTooLarge", http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size").
			With("ProposedSize", proposed).With("MaxSizeAllowed", strconv.FormatInt(l.Max, 10))
	}
	return nil
}

// takeForm reads the form and makes its fields the request's.
func (x *exchange) takeForm() error {
	f, err := readForm(x.r)
	if err == nil {
		err = x.adopt(f)
	}
	if err != nil {
		x.entry.Step("form", trail.Fail, err.Error())
		return err
	}
	x.form = f
	x.ask(x.entry, x.r)
	return nil
}

// authenticateForm verifies the signature of a form's policy and holds the form to the policy. A form without one is
// anonymous.
func (x *exchange) authenticateForm() error {
	sig, err := sigv4.ParseForm(x.form.fields)
	if errors.Is(err, sigv4.ErrUnsigned) {
		x.caller = &caller.Caller{Type: caller.Anonymous}
		return nil
	}
	if err != nil {
		return err
	}
	who, length, err := x.Authenticator.AuthenticateForm(sig, sigv4.Options{Services: []string{"s3"}})
	if err != nil {
		return err
	}
	x.caller, x.signed = who, sig.Time
	return x.form.sizeWithin(length)
}

// answerForm is what the browser sees: it goes where the form says, or gets the status that the form asks for.
func (x *exchange) answerForm(a *answer) *answer {
	at := "/" + x.Bucket + "/" + (&url.URL{Path: x.Key}).EscapedPath()
	etag := a.header.Get("ETag")
	target := x.form.fields["success_action_redirect"]
	if target == "" {
		target = x.form.fields["redirect"]
	}
	if u, err := url.Parse(target); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
		said := u.Query()
		said.Set("bucket", x.Bucket)
		said.Set("key", x.Key)
		said.Set("etag", etag)
		u.RawQuery = said.Encode()
		a.status = http.StatusSeeOther
		return a.set("Location", u.String())
	}
	a.set("Location", at)
	switch x.form.fields["success_action_status"] {
	case "200":
		a.status = http.StatusOK
	case "201":
		a.status, a.body = http.StatusCreated, posted(at, x.Bucket, x.Key, etag)
		a.set("Content-Type", "application/xml")
	default:
		a.status = http.StatusNoContent
	}
	return a
}

func posted(at, bucket, key, etag string) []byte {
	d := newDocument("PostResponse")
	d.text("Location", at)
	d.text("Bucket", bucket)
	d.text("Key", key)
	d.text("ETag", etag)
	return d.end("PostResponse")
}
