package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lakegate/lakegate/internal/sigv4"
	"github.com/lakegate/lakegate/internal/storage"
)

const boundary = "b0undary"

// field is a part of a form.
func field(name, value string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

func fileField(name, content string) string {
	return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"\r\nContent-Type: text/html\r\n\r\n" + content + "\r\n"
}

const formEnd = "--" + boundary + "--\r\n"

func formRequest(body string) *http.Request {
	return &http.Request{
		Method: "POST", Header: http.Header{"Content-Type": {"multipart/form-data; boundary=" + boundary}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// takeWhole reads a form to its end.
func takeWhole(r *http.Request) (fields sigv4.FormFields, filename, content string, err error) {
	f, err := readForm(r)
	if err != nil {
		return nil, "", "", err
	}
	text, err := io.ReadAll(f.file)
	if err == nil && int64(len(text)) != f.file.size {
		err = errors.New("the file does not have its size")
	}
	return f.fields, f.filename, string(text), err
}

func TestReadForm(t *testing.T) {
	for name, tt := range map[string]struct {
		body              string
		fields            sigv4.FormFields
		filename, content string
	}{
		"a file":               {field("Key", "in/a") + field("policy", "p") + fileField("a.csv", "1,2\r\n") + formEnd, sigv4.FormFields{"key": "in/a", "policy": "p"}, "a.csv", "1,2\r\n"},
		"an empty file":        {field("key", "a") + fileField("a", "") + formEnd, sigv4.FormFields{"key": "a"}, "a", ""},
		"an empty field":       {field("acl", "") + field("key", "a") + fileField("a", "x") + formEnd, sigv4.FormFields{"acl": "", "key": "a"}, "a", "x"},
		"a path of a disk":     {fileField(`C:\\photos\\a.jpg`, "x") + formEnd, sigv4.FormFields{}, "a.jpg", "x"},
		"a name that climbs":   {fileField("../../a", "x") + formEnd, sigv4.FormFields{}, "a", "x"},
		"almost a delimiter":   {fileField("a", "x\r\n--"+boundary[:7]+"\r\n--\r\n") + formEnd, sigv4.FormFields{}, "a", "x\r\n--" + boundary[:7] + "\r\n--\r\n"},
		"lines within a field": {field("tagging", "<a>\r\n</a>") + fileField("a", "x") + formEnd, sigv4.FormFields{"tagging": "<a>\r\n</a>"}, "a", "x"},
		"a large file":         {fileField("a", strings.Repeat("0123456789", 10000)) + formEnd, sigv4.FormFields{}, "a", strings.Repeat("0123456789", 10000)},
	} {
		t.Run(name, func(t *testing.T) {
			fields, filename, content, err := takeWhole(formRequest(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.fields, fields); d != "" || filename != tt.filename || content != tt.content {
				t.Errorf("file %q with %d bytes; fields (-want +got):\n%s", filename, len(content), d)
			}
		})
	}
}

// TestAttackReadForm: what could be read in two ways, or is larger than it says, is refused before or at the end of the file.
func TestAttackReadForm(t *testing.T) {
	whole := field("key", "a") + fileField("a", "content") + formEnd
	for name, tt := range map[string]struct{ body, code string }{
		"no part":                       {formEnd, "MalformedPOSTRequest"},
		"nothing":                       {"", "MalformedPOSTRequest"},
		"a preamble":                    {"hello\r\n" + whole, "MalformedPOSTRequest"},
		"no file":                       {field("key", "a") + formEnd, "InvalidArgument"},
		"a field twice":                 {field("key", "a") + field("KEY", "b") + fileField("a", "x") + formEnd, "InvalidArgument"},
		"a field behind the file":       {fileField("a", "x") + field("key", "b") + formEnd, "MalformedPOSTRequest"},
		"a second file":                 {fileField("a", "x") + fileField("b", "y") + formEnd, "MalformedPOSTRequest"},
		"an epilogue":                   {whole + "more", "MalformedPOSTRequest"},
		"no end":                        {strings.TrimSuffix(whole, formEnd), "MalformedPOSTRequest"},
		"cut in the file":               {whole[:len(whole)-len(formEnd)-5], "MalformedPOSTRequest"},
		"an end in the middle":          {fileField("a", "x") + formEnd + fileField("b", "y") + formEnd, "MalformedPOSTRequest"},
		"another disposition":           {strings.Replace(whole, "form-data;", "attachment;", 1), "MalformedPOSTRequest"},
		"no name":                       {strings.Replace(whole, `; name="key"`, "", 1), "MalformedPOSTRequest"},
		"an encoding":                   {strings.Replace(whole, "Content-Type: text/html", "Content-Transfer-Encoding: base64", 1), "MalformedPOSTRequest"},
		"fields larger than S3's":       {field("x-ignore-a", strings.Repeat("x", maxFormFields)) + whole, "MaxPostPreDataLengthExceeded"},
		"headers larger than S3's":      {"--" + boundary + "\r\n" + strings.Repeat("X-A: b\r\n", maxFormFields/8) + "\r\n", "MaxPostPreDataLengthExceeded"},
		"a field that is not UTF-8":     {field("key", "\xff") + fileField("a", "x") + formEnd, "InvalidArgument"},
		"a boundary that begins alike":  {strings.Replace(whole, "--"+boundary+"\r\n", "--"+boundary+"x\r\n", 1), "MalformedPOSTRequest"},
		"a delimiter with a tail":       {fileField("a", "x\r\n--"+boundary+"x") + formEnd, "MalformedPOSTRequest"},
		"a delimiter over two readings": {fileField("a", strings.Repeat("x", 4096-3)+"\r\n--"+boundary+"x") + formEnd, "MalformedPOSTRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := takeWhole(formRequest(tt.body))
			if err == nil {
				t.Fatal("it was read")
			}
			if e := spell(err); e.Code != tt.code {
				t.Errorf("refused with %s: %v", e.Code, err)
			}
		})
	}
	unbounded := formRequest(whole)
	unbounded.ContentLength = -1
	if _, _, _, err := takeWhole(unbounded); err == nil || spell(err).Code != "MissingContentLength" {
		t.Errorf("without a length: %v", err)
	}
}

// TestAdoptForm: fields mean what the headers of their names mean, and no others do.
func TestAdoptForm(t *testing.T) {
	adopt := func(fields sigv4.FormFields) (*Request, error) {
		q := &Request{Operation: "PostObject", Bucket: "red", rule: ruleFor("POST", onBucket, "", &parameters{}, false), params: &parameters{}}
		return q, q.adopt(&form{fields: fields, filename: "a.csv", file: &formFile{size: 3}})
	}
	q, err := adopt(sigv4.FormFields{
		"key": "in/${filename}", "acl": "bucket-owner-full-control", "content-type": "text/csv", "x-amz-meta-colour": "red", "x-amz-storage-class": "STANDARD",
		"tagging": "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", "submit": "Upload", "x-amz-date": "d",
	})
	if err != nil {
		t.Fatal(err)
	}
	if q.Key != "in/a.csv" || q.ACL != "bucket-owner-full-control" || q.Headers.ContentType != "text/csv" || q.Headers.Metadata["colour"] != "red" || q.Tags["a"] != "b" || q.ContentLength != 3 {
		t.Errorf("read %+v", q)
	}
	var asked []string
	for _, n := range q.Needs() {
		asked = append(asked, n.Action+" "+n.Resource)
	}
	want := []string{"s3:PutObject arn:aws:s3:::red/in/a.csv", "s3:PutObjectAcl arn:aws:s3:::red/in/a.csv", "s3:PutObjectTagging arn:aws:s3:::red/in/a.csv"}
	if d := cmp.Diff(want, asked); d != "" {
		t.Errorf("needs (-want +got):\n%s", d)
	}
	for name, tt := range map[string]struct {
		fields sigv4.FormFields
		code   string
	}{
		"no key":                     {sigv4.FormFields{}, "InvalidArgument"},
		"an empty key":               {sigv4.FormFields{"key": ""}, "InvalidArgument"},
		"a key that climbs":          {sigv4.FormFields{"key": "in/../out"}, "InvalidArgument"},
		"a long key":                 {sigv4.FormFields{"key": strings.Repeat("a", storage.MaxKeyLength+1)}, "KeyTooLongError"},
		"a header of another's":      {sigv4.FormFields{"key": "a", "x-amz-copy-source": "blue/secret"}, "InvalidArgument"},
		"an unknown header":          {sigv4.FormFields{"key": "a", "x-amz-new": "x"}, "NotImplemented"},
		"a value that splits":        {sigv4.FormFields{"key": "a", "content-type": "a\r\nSet-Cookie: b"}, "InvalidArgument"},
		"tags that are no document":  {sigv4.FormFields{"key": "a", "tagging": "a=b"}, "MalformedXML"},
		"encryption of the client's": {sigv4.FormFields{"key": "a", "x-amz-server-side-encryption-customer-key": "x"}, "NotImplemented"},
	} {
		if _, err := adopt(tt.fields); err == nil || spell(err).Code != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
}

// TestAttackHeadersBesideAForm: a policy covers the fields of its form, so headers beside them, which nobody signed, write
// nothing.
func TestAttackHeadersBesideAForm(t *testing.T) {
	r := formRequest("")
	r.URL, r.Host = &url.URL{Path: "/red"}, "localhost"
	for name, value := range map[string]string{
		"X-Amz-Tagging": "clearance=top", "X-Amz-Acl": "public-read", "X-Amz-Meta-Colour": "red", "X-Amz-Storage-Class": "STANDARD", "X-Amz-Object-Lock-Legal-Hold": "ON",
		"Cache-Control": "no-store", "X-Amz-Expected-Bucket-Owner": "111111111111", "If-None-Match": "*",
	} {
		r.Header.Set(name, value)
	}
	read, err := Parse(r, HostRules{})
	if err != nil {
		t.Fatal(err)
	}
	fields := &form{fields: sigv4.FormFields{"key": "a"}, file: &formFile{size: 3}}
	if err := read.adopt(fields); err != nil {
		t.Fatal(err)
	}
	alone := &Request{Operation: "PostObject", Bucket: "red", rule: read.rule, params: read.params, MaxKeys: read.MaxKeys, Payload: read.Payload}
	if err := alone.adopt(fields); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(alone, read, cmp.AllowUnexported(Request{}), cmpopts.IgnoreFields(Request{}, "rule", "params")); d != "" {
		t.Errorf("headers beside the form mean something (-want +got):\n%s", d)
	}
}

// FuzzReadForm: whatever is read is read alike by the library's reader of forms.
func FuzzReadForm(f *testing.F) {
	f.Add(field("key", "a") + fileField("a", "content") + formEnd)
	f.Add(field("key", "") + field("acl", "private\r\n") + fileField("", "") + formEnd)
	f.Add(fileField("a", "\r\n--b0undar") + formEnd)
	f.Fuzz(func(t *testing.T, body string) {
		fields, filename, content, err := takeWhole(formRequest(body))
		if err != nil {
			if e := spell(err); e.Status >= 500 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		r := multipart.NewReader(bytes.NewReader([]byte(body)), boundary)
		for {
			p, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				t.Fatal("the library finds no file")
			}
			if err != nil {
				t.Fatalf("the library refuses it: %v", err)
			}
			text, err := io.ReadAll(p)
			if err != nil {
				t.Fatal(err)
			}
			_, said, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
			if err != nil {
				t.Fatal(err)
			}
			if name := strings.ToLower(said["name"]); name != "file" {
				if got, ok := fields[name]; !ok || got != string(text) {
					t.Fatalf("the field %q is %q, the library reads %q", name, got, text)
				}
				continue
			}
			if string(text) != content || !strings.HasSuffix(said["filename"], filename) {
				t.Fatalf("the file is %q, the library reads %q", content, text)
			}
			if _, err := r.NextRawPart(); !errors.Is(err, io.EOF) {
				t.Fatalf("the library finds more: %v", err)
			}
			return
		}
	})
}
